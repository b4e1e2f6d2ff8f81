"""A pod's row from memory and disk, and sums over many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.telemetry.bindings.agreement import agreement
from services.telemetry.bindings.keeper import table_of
from services.telemetry.bindings.lookup import find, written_since
from services.telemetry.bindings.verdict import Row
from services.telemetry.history.files import Files
from services.telemetry.history.kinds import BINDINGS
from services.telemetry.history.store import HistoryStore
from tests.services.telemetry.bindings.samples import AT, row

DAY_S = 86400.0
LONG_AGO = datetime.fromtimestamp(AT, UTC) - timedelta(days=30)


@pytest.fixture
def store(tmp_path: Path) -> HistoryStore:
    return HistoryStore(Files(str(tmp_path)), BINDINGS)


def load(of: Row, **columns: float) -> Row:
    """What is known of a row an hour later."""
    return {"at": of["at"], "pod_uid": of["pod_uid"], **columns}


def found(store: HistoryStore, pod: str, since: datetime = LONG_AGO, waiting: tuple[Row, ...] = ()) -> str | None:
    """Uid of what is found."""
    one = find(store, pod, since, waiting)
    return one["pod_uid"] if one else None


def test_by_uid_and_by_name_the_newest(store: HistoryStore) -> None:
    rows = [row("old", at=AT - 3 * DAY_S), row("new", at=AT), row("other", at=AT + 60.0)]
    for one in rows[:2]:
        one["pod_name"] = "web-0"
    rows[0]["pod_namespace"], rows[1]["pod_namespace"] = "one", "two"
    for number, one in enumerate(rows):
        store.write(table_of([one]), f"live-{number}")
    assert found(store, "web-0") == "new"
    assert found(store, "old") == "old"
    assert found(store, "old", datetime.fromtimestamp(AT - DAY_S, UTC)) is None  # not so long ago
    assert found(store, "nobody") is None
    waiting = row("newest", at=AT + DAY_S, pod_name="web-0")
    assert found(store, "web-0", waiting=(waiting,)) == "newest"


def test_what_is_written_and_what_waits_are_one_row(store: HistoryStore) -> None:
    first = row("u", node="b")
    store.write(table_of([first, row("v")]), "live-1")
    store.write(table_of([load(first, node_cpu=0.25)]), "live-2")
    one = find(store, "name-u", LONG_AGO, [load(first, rejected_cpu=0.75)])
    assert one is not None
    assert (one["node"], one["node_cpu"], one["rejected_cpu"]) == ("b", 0.25, 0.75)
    store.compact(first["at"].date(), datetime.now(UTC) + timedelta(days=10000))
    one = find(store, "name-u", LONG_AGO, [])
    assert one is not None
    assert (one["rank"], one["node_cpu"], one["rejected_cpu"]) == (2, 0.25, None)


def test_a_torn_file_hides_no_other(store: HistoryStore, tmp_path: Path) -> None:
    first = row("u")
    store.write(table_of([first]), "live-1")
    (tmp_path / store.folder(first["at"].date()) / f"{first['at']:%H}-live-0.parquet").write_bytes(b"PAR1 torn")
    assert found(store, "u") == "u"


def test_a_start_knows_what_was_written_before_it(store: HistoryStore) -> None:
    rows = [row(f"u{number}", at=AT + number) for number in range(5)]
    store.write(table_of([row("old", at=AT - DAY_S), *rows]), "live-1")
    store.write(table_of([load(rows[4], node_cpu=0.5)]), "live-2")
    recalled = written_since(store, rows[0]["at"], 3)
    assert [(one["pod_uid"], one["node_cpu"]) for one in recalled] == [("u2", None), ("u3", None), ("u4", 0.5)]


def test_agreement_is_summed_over_disk_and_memory_each_pod_once(store: HistoryStore) -> None:
    rows = [
        row("a1"),
        row("b1", node="b", at=AT + DAY_S, mode="shadow"),
        row("z1", node="elsewhere", at=AT + DAY_S),
        row("n1", totals={}),  # nothing was scored
    ]
    store.write(table_of(rows), "live-1")
    store.write(table_of(rows[:2]), "live-2")  # told again
    store.write(table_of([load(rows[0], node_cpu=0.5, rejected_cpu=0.75, node_memory=0.5)]), "live-3")
    waiting = [load(rows[1], node_cpu=0.25, rejected_cpu=0.25), row("m1", at=AT + DAY_S + 7200.0)]
    got = agreement(store, rows[0]["at"], waiting)
    assert (got["bindings"], got["scored"], got["agreed"], got["agreement"]) == (5, 4, 2, 0.5)
    assert got["regret"] == {"mean": 0.05, "pods": 3}
    assert got["regret_at_least"] == {"mean": pytest.approx(0.1375), "pods": 4}
    assert got["load"]["cpu"] == {"node": 0.375, "rejected": 0.5, "pods": 2}
    assert got["load"]["memory"] == {"node": None, "rejected": None, "pods": 0}  # of one node alone: no comparison
    assert {mode: one["bindings"] for mode, one in got["modes"].items()} == {"active": 4, "shadow": 1}
    later = agreement(store, datetime.fromtimestamp(AT + 1.0, UTC), waiting)
    assert later["bindings"] == 3


def test_over_nothing_there_is_no_share(store: HistoryStore) -> None:
    got = agreement(store, LONG_AGO, [])
    assert (got["bindings"], got["agreement"], got["regret"]["mean"]) == (0, None, None)
    assert got["modes"] == {}
