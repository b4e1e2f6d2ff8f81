"""Incidents and signals on a real disk: written, taken over, put together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from services.telemetry.history.incidents import Incident
from services.telemetry.live.chronicle import Chronicle, Signals
from services.telemetry.live.health import Health
from services.telemetry.live.week import STEP_S
from services.telemetry.metrics import TelemetryMetrics
from services.telemetry.settings import HistorySettings

NOW = 1_800_000_000.0
DAY_S = 86400.0


class Publisher:
    """Telemetry's chronicle on a folder; `leads` may change."""

    def __init__(self, folder: Path, signals: Callable[[float], Signals] = lambda _: {}, **more: object) -> None:
        self.leads, self.metrics, self.health = True, TelemetryMetrics(), Health(300.0)
        settings = HistorySettings.model_validate({"url": str(folder), **more})
        self.chronicle = Chronicle(settings, self.metrics, self.health, signals, lambda: self.leads)
        self.chronicle.step = int(NOW) // STEP_S

    def begin(self, at: float, node: str = "a") -> None:
        self.health.incidents.begin(at, node, "not-ready", "Ready", status="False")

    def end(self, at: float, node: str = "a") -> None:
        self.health.incidents.end(at, node, "not-ready", "Ready")

    def since(self, start: float, now: float = NOW + DAY_S, node: str = "") -> list[tuple[float, float | None]]:
        """Begin and end of each, after NOW."""
        found, complete = self.chronicle.since(start, now, node)
        assert complete
        return [(one.at - NOW, None if one.until is None else one.until - NOW) for one in found]


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.parquet"))


def test_an_incident_is_one_on_the_disk_and_in_memory_however_often_it_is_written(tmp_path: Path) -> None:
    first = Publisher(tmp_path)
    first.begin(NOW)
    first.chronicle.write(NOW + 1.0)
    first.chronicle.write(NOW + 2.0)
    assert len(files(tmp_path)) == 1  # no news, no file
    first.end(NOW + 60.0)
    first.chronicle.write(NOW + 61.0)
    assert first.since(NOW) == [(0.0, 60.0)]
    assert Publisher(tmp_path).since(NOW) == [(0.0, 60.0)]


def test_who_starts_goes_on_with_what_lasts(tmp_path: Path) -> None:
    first = Publisher(tmp_path)
    first.begin(NOW)
    first.health.incidents.begin(NOW, "a", "saturation", "cpu", share=0.97)
    first.chronicle.write(NOW + 1.0)
    second = Publisher(tmp_path)
    second.begin(NOW)  # the API server tells again
    second.chronicle.write(NOW + 100.0)
    assert len(files(tmp_path)) == 1
    second.end(NOW + 200.0)
    second.health.incidents.end(NOW + 300.0, "a", "saturation", "cpu")
    second.chronicle.write(NOW + 301.0)
    assert sorted(Publisher(tmp_path).since(NOW)) == [(0.0, 200.0), (0.0, 300.0)]


def test_another_that_takes_over_doubles_nothing(tmp_path: Path) -> None:
    leader, standby = Publisher(tmp_path), Publisher(tmp_path)
    standby.leads = False
    for one in (leader, standby):
        one.begin(NOW)
        one.chronicle.write(NOW + 1.0)
    for one in (leader, standby):
        one.end(NOW + 60.0)
        one.begin(NOW + 90.0, "b")
    standby.chronicle.write(NOW + 91.0)
    assert Publisher(tmp_path).since(NOW) == [(0.0, None)]  # the leader is gone before it could write the rest
    standby.leads = True
    standby.chronicle.write(NOW + 100.0)
    assert Publisher(tmp_path).since(NOW) == [(90.0, None), (0.0, 60.0)]


def test_who_leads_again_learns_what_has_ended_meanwhile(tmp_path: Path) -> None:
    first, second = Publisher(tmp_path), Publisher(tmp_path)
    first.health.incidents.begin(NOW, "a", "saturation", "cpu")
    first.chronicle.write(NOW + 1.0)
    first.leads = False
    first.chronicle.write(NOW + 2.0)
    second.chronicle.write(NOW + 3.0)
    second.health.incidents.end(NOW + 60.0, "a", "saturation", "cpu")
    second.chronicle.write(NOW + 61.0)
    first.leads = True
    first.chronicle.write(NOW + 70.0)
    assert first.health.incidents.lasting == {}
    assert first.since(NOW) == [(0.0, 60.0)]


def test_a_disk_that_refuses_is_named_and_written_later(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path, lambda _: {"throttling": {"a": 0.5}})
    publisher.chronicle.write(NOW)
    blocked = tmp_path / "incidents"
    blocked.write_text("a file where a folder should be")
    publisher.begin(NOW)
    publisher.begin(NOW + 10.0, "b")
    publisher.chronicle.write(NOW + STEP_S)
    assert publisher.chronicle.failing
    blocked.unlink()
    publisher.end(NOW + 400.0)
    publisher.chronicle.write(NOW + 401.0)
    assert publisher.chronicle.failing == ""
    assert Publisher(tmp_path).since(NOW) == [(10.0, None), (0.0, 400.0)]
    assert publisher.chronicle.journal is not None
    kept = publisher.chronicle.journal.signals.read(datetime.fromtimestamp(NOW, UTC).date()).to_pylist()
    at = datetime.fromtimestamp(NOW + STEP_S, UTC)
    assert kept == [{"at": at, "node": "a", "signal": "throttling", "value": 0.5}]


def test_an_incident_is_found_by_node_and_while_it_lasts(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path)
    publisher.begin(NOW)
    publisher.begin(NOW + 10.0, "b")
    publisher.end(NOW + 50.0)
    publisher.chronicle.write(NOW + 51.0)
    assert publisher.since(NOW, node="b") == [(10.0, None)]
    assert publisher.since(NOW + 50.0) == [(10.0, None), (0.0, 50.0)]
    assert publisher.since(NOW + 51.0) == [(10.0, None)]
    assert publisher.since(NOW + 20 * DAY_S, NOW + 20 * DAY_S) == [(10.0, None)]


def test_without_history_incidents_are_kept_in_memory_alone() -> None:
    publisher = Publisher(Path())
    publisher.chronicle = Chronicle(
        HistorySettings(), publisher.metrics, publisher.health, lambda _: {}, lambda: publisher.leads
    )
    publisher.begin(NOW)
    publisher.chronicle.write(NOW + 1.0)
    assert publisher.health.incidents.news == {}
    assert publisher.since(NOW) == [(0.0, None)]


def test_hours_are_put_together_and_old_days_go(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path, lambda now: {"restarts": {"a": now % 7}}, keep_days=2)
    for step in range(1, 13):
        publisher.health.incidents.happened(NOW + step, "a", "oom-kill", f"p{step}/c", NOW)
        publisher.chronicle.write(NOW + step * STEP_S)
    assert len(files(tmp_path)) == 24
    publisher.chronicle.write(NOW + 3 * 3600.0)
    assert len(files(tmp_path)) < 8
    assert len(publisher.since(NOW)) == 12
    publisher.chronicle.write(NOW + 4 * DAY_S)
    assert [path for path in files(tmp_path) if "2027-01-15" in str(path)] == []


def test_what_is_shown_is_for_scripts() -> None:
    assert Incident(NOW, "a", "not-ready", "Ready", None, '{"status": "False"}').shown() == {
        "at": "2027-01-15T08:00:00+00:00",
        "node": "a",
        "kind": "not-ready",
        "subject": "Ready",
        "until": None,
        "details": {"status": "False"},
    }


def test_a_disk_that_cannot_be_read_is_said_and_memory_is_told(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path / ("x" * 300))  # no name may be as long
    publisher.begin(NOW)
    publisher.chronicle.write(NOW)
    assert publisher.chronicle.failing
    found, complete = publisher.chronicle.since(NOW, NOW)
    assert [one.at for one in found] == [NOW]
    assert not complete
