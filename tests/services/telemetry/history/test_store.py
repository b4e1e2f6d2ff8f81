"""History's files: whole or not there, each row once, whatever became of the process that wrote them."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from berth.settings import InvalidSettings
from services.telemetry.history.errors import HistoryError
from services.telemetry.history.files import Files
from services.telemetry.history.kinds import BINDINGS, USAGE
from services.telemetry.history.store import HistoryStore
from services.telemetry.history.tidying import enforce
from services.telemetry.settings import TelemetrySettings
from tests.services.telemetry.history.rows import START, constant, usage_rows

NODES = ("a", "b")
DAY, NEXT = date(2026, 11, 20), date(2026, 11, 21)
LATER = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture(params=["disk", "objects"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> HistoryStore:
    """On a disk, and where there are only names, and none is ever changed, as in an object store: fsspec's own store in
    memory."""
    return HistoryStore(Files(str(tmp_path) if request.param == "disk" else f"memory://{tmp_path}"), USAGE)


@pytest.fixture
def on_disk(tmp_path: Path) -> HistoryStore:
    return HistoryStore(Files(str(tmp_path)), USAGE)


def test_rows_come_back_by_day_and_hour(store: HistoryStore) -> None:
    written = usage_rows(NODES, constant(1.5, 300))
    store.write(written, "live-1")
    assert store.days() == [DAY, NEXT]
    assert [part.name for part in store.parts(DAY)] == ["22-live-1", "23-live-1"]
    found = pa.concat_tables([store.read(DAY), store.read(NEXT)])
    assert sorted(found.to_pylist(), key=str) == sorted(written.to_pylist(), key=str)
    assert store.read(NEXT, 0).num_rows == 2 * 120


def test_the_same_name_again_replaces(store: HistoryStore) -> None:
    store.write(usage_rows(NODES, constant(1.0, 10)), "backfill")
    store.write(usage_rows(NODES, constant(2.0, 10)), "backfill")
    assert store.raw(DAY)["value"].to_pylist() == [2.0] * 20


def test_a_row_told_twice_counts_once(store: HistoryStore) -> None:
    half = constant(2.0, 10)
    half[3:, 0] = np.nan
    store.write(usage_rows(NODES, half), "live-1")
    store.write(usage_rows(NODES, constant(3.0, 10)), "live-2")
    assert store.raw(DAY).num_rows == 33
    assert store.read(DAY)["value"].to_pylist() == [2.0] * 3 + [3.0] * 7 + [2.0] * 10


def test_two_series_of_a_node_are_two_rows(store: HistoryStore) -> None:
    for told_by in ("one", "other"):
        store.write(usage_rows(NODES, constant(2.0, 10), told_by=told_by), f"live-{told_by}")
    assert store.read(DAY).num_rows == 40


def test_compaction_changes_no_row(store: HistoryStore) -> None:
    for i in range(5):
        store.write(usage_rows(NODES, constant(float(i), 60), START + timedelta(minutes=30 * i)), f"live-{i}")
    store.write(usage_rows(NODES, constant(9.0, 300)), "backfill")
    before = {day: store.read(day).to_pylist() for day in store.days()}
    assert [store.compact(day, LATER) for day in before] == [3, 2]
    assert all(store.read(day).to_pylist() == rows for day, rows in before.items())
    assert [len(parts) for parts in store.by_hour(DAY).values()] == [1, 1]
    assert {"22-live-0", "22-backfill"} <= store.names(DAY)
    assert store.compact(DAY, LATER) == 0


def test_the_running_hour_is_not_put_together(store: HistoryStore) -> None:
    store.write(usage_rows(NODES, constant(1.0, 10)), "live-1")
    store.write(usage_rows(NODES, constant(1.0, 10)), "live-2")
    assert store.compact(DAY, START + timedelta(minutes=29)) == 0


def test_parts_that_outlive_their_whole_count_once(store: HistoryStore) -> None:
    for name in ("live-1", "live-2"):
        store.write(usage_rows(NODES, constant(1.0, 10)), name)
    left = {part.path: store.files.get(part.path) for part in store.parts(DAY)}
    store.compact(DAY, LATER)
    for path, data in left.items():
        store.files.put(path, data)  # as a process leaves it that is killed between the two
    assert store.raw(DAY).num_rows == 20
    assert store.compact(DAY, LATER) == 0


def test_a_file_that_is_none_of_ours_is_left_out_and_kept(on_disk: HistoryStore, tmp_path: Path) -> None:
    on_disk.write(usage_rows(NODES, constant(1.0, 10)), "live-1")
    folder = tmp_path / "usage" / f"day={DAY}"
    (folder / "22-live-2.parquet").write_bytes(b"PAR1 torn")
    pq.write_table(pa.table({"foreign": [1]}), folder / "22-live-3.parquet")
    (folder / "notes.txt").write_text("mine")
    assert on_disk.read(DAY).num_rows == 20
    assert on_disk.compact(DAY, LATER) == 0
    assert len(list(folder.iterdir())) == 4


def test_old_days_go_then_the_oldest_until_the_rest_fits(store: HistoryStore) -> None:
    for days in range(6):
        store.write(usage_rows(NODES, constant(1.0, 10), START + timedelta(days=days)), "live-1")
    one = store.sizes()[DAY]
    assert enforce([store], 4, 100 * one, DAY + timedelta(days=5)) == [DAY]
    assert enforce([store], 4, int(2.5 * one), DAY + timedelta(days=5)) == [DAY + timedelta(days=d) for d in (1, 2, 3)]
    assert enforce([store], 0, 0, DAY + timedelta(days=5)) == [DAY + timedelta(days=4)]
    assert store.days() == [DAY + timedelta(days=5)]


def test_a_refused_write_changes_nothing(on_disk: HistoryStore, tmp_path: Path) -> None:
    on_disk.write(usage_rows(NODES, constant(1.0, 10)), "live-1")
    before = on_disk.read(DAY).to_pylist()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # the system itself refuses: file too large
    try:
        with pytest.raises(HistoryError) as caught:
            on_disk.write(usage_rows(NODES, np.random.default_rng(1).random((100, 2), "f4")), "live-1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.reason == "no-space"
    assert str(tmp_path) not in str(caught.value)
    assert on_disk.read(DAY).to_pylist() == before
    assert [path.name for path in (tmp_path / "usage" / f"day={DAY}").iterdir()] == ["22-live-1.parquet"]


def test_a_root_that_nothing_can_write_to_is_refused_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_TELEMETRY__HISTORY__URL", "carrier-pigeon://roof")
    with pytest.raises(InvalidSettings) as caught:
        TelemetrySettings.load(None)
    assert any("telemetry.history.url" in problem and "carrier-pigeon:" in problem for problem in caught.value.problems)


WRITER = """
import sys
from tests.services.telemetry.history.rows import *
from services.telemetry.history.files import Files
from services.telemetry.history.store import HistoryStore
from services.telemetry.history.kinds import BINDINGS, USAGE
store = HistoryStore(Files(sys.argv[1]), USAGE)
print("begun", flush=True)
while True:
    store.write(usage_rows(("a", "b"), constant(1.0, 300)), "live-1")
    store.write(usage_rows(("a", "b"), constant(1.0, 300)), "live-2")
    for day in store.days():
        store.compact(day, datetime(2026, 11, 22, tzinfo=UTC))
"""


@pytest.mark.process
def test_killed_while_writing_nothing_is_torn_or_doubled(on_disk: HistoryStore, tmp_path: Path) -> None:
    for after_s in (0.15, 0.21, 0.34):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"begun\n"
            time.sleep(after_s)
            writer.kill()
        for day, rows in ((DAY, (0, 120, 360)), (NEXT, (0, 240))):  # an hour is there as a whole or not
            assert all(on_disk.readable(part) is not None for part in on_disk.parts(day))
            assert on_disk.read(day).num_rows in rows


def test_rows_told_in_parts_become_one(store: HistoryStore) -> None:
    """As bindings are: what is known an hour later is a second row of the same pod."""
    kept = HistoryStore(store.files, BINDINGS)
    row = {"at": START, "pod_uid": "u1", "node": "a", "agreed": True}
    kept.write(pa.Table.from_pylist([row], schema=BINDINGS.schema), "live-1")
    later = [{"at": START, "pod_uid": "u1", "node_cpu": 0.5}, {"at": START, "pod_uid": "u0", "node": "b"}]
    kept.write(pa.Table.from_pylist(later, schema=BINDINGS.schema), "live-2")
    found = kept.read(DAY).to_pylist()
    assert [(one["pod_uid"], one["node"], one["agreed"], one["node_cpu"]) for one in found] == [
        ("u0", "b", None, None),
        ("u1", "a", True, 0.5),
    ]
