"""History filled from a real Prometheus that holds a recorded day."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from berth.recordings.load import bitbrains
from services.telemetry.history.backfill import SETTLE
from services.telemetry.history.files import Files
from services.telemetry.history.kinds import USAGE
from services.telemetry.history.store import HistoryStore
from services.telemetry.live.usage import METRICS
from tests.calls import until
from tests.lab.tampering import Tampering
from tests.prometheus.blocks import STEP_S, blocks_of
from tests.prometheus.server import Scraped, scraped

pytestmark = pytest.mark.process

NODES = tuple(f"past-{i}" for i in range(5))
CORES, MEMORY = 8, 32.0 * 2**30
STEPS = 2 * 288 + 24
INTERRUPTIBLE = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
"""Tests that a shell runs in the background have SIGINT ignored, and hand that on to their processes."""


@pytest.fixture(autouse=True)
def no_hour_ends_meanwhile() -> None:
    """One that becomes due between two runs would be filled by the second alone."""
    left = 3600.0 - (time.time() - SETTLE.total_seconds()) % 3600.0
    if left < 60.0:
        time.sleep(left + 1.0)


def recorded() -> NDArray[np.float32]:
    """float32 [metric, step, node], two days until now."""
    usage = np.ascontiguousarray(bitbrains().usage[:, -STEPS:, : len(NODES)])
    return np.minimum(usage, np.float32(12.0))


@pytest.fixture(scope="module")
def last() -> int:
    """The newest step that is recorded, as the server starts: what pytest has collected may wait for half an hour."""
    return int(time.time()) // STEP_S


@pytest.fixture(scope="module")
def server(last: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    history = blocks_of(NODES, CORES, MEMORY, recorded(), last)
    with scraped(tmp_path_factory.mktemp("prometheus"), (), history=history) as running:
        yield running


def command(root: Path, url: str) -> list[str]:
    asked = ["--days", "1", "--prometheus", url, "--root", str(root), "--step", str(STEP_S)]
    return [sys.executable, "-c", INTERRUPTIBLE + "from cli.main import run; run()", "history", "backfill", *asked]


def backfill(root: Path, url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(root, url), capture_output=True, text=True, timeout=120)


def store(root: Path) -> HistoryStore:
    return HistoryStore(Files(str(root)), USAGE)


def written(root: Path) -> pa.Table:
    kept = store(root)
    return pa.concat_tables([USAGE.schema.empty_table(), *(kept.read(day) for day in kept.days())])


@pytest.mark.long
def test_what_is_filled_is_what_was_recorded(server: Scraped, last: int, tmp_path: Path) -> None:
    done = backfill(tmp_path, server.url)
    assert done.returncode == 0, done.stderr
    assert "24 hours filled" in done.stdout
    rows = written(tmp_path).to_pylist()
    usage, cpu = recorded(), dict[tuple[str, int], float]()
    for row in rows:
        if row["metric"] == "cpu":
            cpu[row["node"], round(row["at"].timestamp()) // STEP_S] = row["value"]
    first = min(step for _, step in cpu)
    assert 24 * 12 - 2 <= max(step for _, step in cpu) - first <= 24 * 12
    for step in range(first + 1, first + 24 * 12 - 2):
        for column, node in enumerate(NODES):
            expected = usage[0, step - last - 1, column] * CORES
            assert np.isnan(expected) or cpu[node, step] == pytest.approx(expected, abs=0.002)
    assert {row["told_by"] for row in rows} == {f"node={node}" for node in NODES}

    kept = store(tmp_path)
    day = kept.days()[0]
    hour = min(kept.by_hour(day))
    kept.put(datetime(day.year, day.month, day.day, hour, tzinfo=UTC), "live-1", kept.read(day, hour))
    before = kept.read(day).to_pylist()
    assert kept.compact(day, datetime.now(UTC)) == 1
    assert "0 hours filled" in backfill(tmp_path, server.url).stdout  # nor what has become part of a whole
    assert kept.read(day).to_pylist() == before


class Stalling(Tampering):
    """Passes on the questions of some hours, then holds its answers back."""

    def __init__(self, upstream: int, hours: int) -> None:
        super().__init__(upstream)
        self.left = len(METRICS) * hours

    def answer(self, path: str, body: bytes, kind: str) -> tuple[int, bytes]:
        """Status and body."""
        self.left -= 1
        if self.left < 0:
            self.turn("black hole")
        return super().answer(path, body, kind)


@pytest.mark.long
def test_interrupted_it_goes_on_where_it_stopped(server: Scraped, tmp_path: Path) -> None:
    with (
        Stalling(server.port, hours=5) as before,
        subprocess.Popen(command(tmp_path, f"http://127.0.0.1:{before.port}"), stderr=subprocess.PIPE) as begun,
    ):
        until(lambda: before.left < 0)
        begun.send_signal(signal.SIGINT)
        assert begun.wait(timeout=30) in (1, 130)
    there = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}
    assert len(there) == 5
    again = backfill(tmp_path, server.url)
    assert again.returncode == 0, again.stderr
    assert "19 hours filled" in again.stdout
    assert "5 were there" in again.stdout
    assert all(path.stat().st_mtime_ns == at for path, at in there.items())


@pytest.mark.long
def test_a_prometheus_that_is_away_is_named_and_nothing_is_lost(tmp_path: Path) -> None:
    started = time.monotonic()
    done = backfill(tmp_path, "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "http://127.0.0.1:9" in done.stderr
    assert "run it again to go on" in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - started < 60.0
    assert written(tmp_path).num_rows == 0
