"""Rows on their way to history: nothing is lost while the store refuses, up to a bound; files are put together."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.telemetry.bindings.keeper import STANDBY_S, Keeper
from services.telemetry.metrics import TelemetryMetrics
from services.telemetry.settings import HistorySettings
from tests.services.telemetry.bindings.samples import AT, row

DAY = datetime.fromtimestamp(AT, UTC).date()


@pytest.fixture
def metrics() -> TelemetryMetrics:
    return TelemetryMetrics()


@pytest.fixture
def keeper(tmp_path: Path, metrics: TelemetryMetrics) -> Keeper:
    return Keeper(HistorySettings(url=str(tmp_path), keep_days=3650), metrics, most=10)


@contextmanager
def refused() -> Iterator[None]:
    """The system itself takes no file: too large."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def kept(keeper: Keeper) -> list[str]:
    """Pods on disk."""
    return [str(uid) for day in keeper.store.days() for uid in keeper.store.read(day)["pod_uid"].to_pylist()]


def lost(metrics: TelemetryMetrics) -> float:
    return metrics.registry.get_sample_value("berth_telemetry_binding_losses_total", {"what": "row"}) or 0.0


def test_rows_are_written_once(keeper: Keeper) -> None:
    keeper.keep(row("u1"))
    keeper.keep(row("u2", at=AT + 86400.0))
    assert [one["pod_uid"] for one in keeper.rows()] == ["u1", "u2"]
    keeper.flush()
    keeper.flush()
    assert keeper.rows() == []
    assert kept(keeper) == ["u1", "u2"]
    assert len(keeper.store.parts(DAY)) == 1


def test_the_load_that_comes_later_completes_a_row(keeper: Keeper) -> None:
    first = row("u1", node="b")
    keeper.keep(first)
    keeper.flush()
    keeper.keep({"at": first["at"], "pod_uid": "u1", "node_cpu": 0.5})
    keeper.flush()
    found = keeper.store.read(DAY).to_pylist()
    assert [(one["node"], one["node_cpu"], one["rejected_cpu"]) for one in found] == [("b", 0.5, None)]


def test_while_the_store_refuses_rows_wait_in_order(keeper: Keeper, metrics: TelemetryMetrics) -> None:
    keeper.keep(row("u1"))
    with refused():
        keeper.flush()
        keeper.keep(row("u2"))
        keeper.flush()
    assert keeper.failing == "no-space"
    assert [one["pod_uid"] for one in keeper.rows()] == ["u1", "u2"]
    keeper.flush()
    assert (keeper.failing, kept(keeper), lost(metrics)) == ("", ["u1", "u2"], 0.0)


def test_of_too_many_the_oldest_give_way_and_are_counted(keeper: Keeper, metrics: TelemetryMetrics) -> None:
    with refused():
        for number in range(25):
            keeper.keep(row(f"u{number:02}"))
            keeper.flush()
    keeper.flush()
    assert kept(keeper) == [f"u{number}" for number in range(15, 25)]
    assert lost(metrics) == 15.0
    assert keeper.bytes == 0


def test_standing_by_keeps_what_the_leader_may_not_have_written(keeper: Keeper, metrics: TelemetryMetrics) -> None:
    now = datetime.now(UTC).timestamp()
    for uid, ago in (("old", STANDBY_S + 5.0), ("new", 1.0)):
        keeper.keep(row(uid, at=now - ago))
    keeper.stand_by()
    assert [one["pod_uid"] for one in keeper.rows()] == ["new"]
    assert lost(metrics) == 0.0


def test_ended_hours_become_one_file_and_old_days_go(tmp_path: Path, metrics: TelemetryMetrics) -> None:
    keeper = Keeper(HistorySettings(url=str(tmp_path), keep_days=1), metrics)
    now = datetime.now(UTC)
    for days in (0, 1, 5):
        for number in range(3):
            at = (now - timedelta(days=days)).replace(hour=0, minute=number)
            keeper.keep(row(f"u{days}{number}", at=at.timestamp()))
            keeper._write()
    keeper.flush()
    yesterday = now.date() - timedelta(days=1)
    assert [day for day in keeper.store.days() if day < now.date()] == [yesterday]
    assert len(keeper.store.parts(yesterday)) == 1
    assert keeper.store.read(yesterday)["pod_uid"].to_pylist() == ["u10", "u11", "u12"]
