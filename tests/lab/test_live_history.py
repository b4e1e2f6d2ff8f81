"""What telemetry keeps of a live cluster, also while the disk is full, and what quality says of it."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from services.telemetry.history.files import Files
from services.telemetry.history.kinds import USAGE
from services.telemetry.history.store import HistoryStore
from tests.calls import until
from tests.lab.control_plane import ControlPlane
from tests.lab.live import CORES, GIB, MEMORY, live
from tests.lab.objects import node
from tests.prometheus.server import Scraped, scraped

pytestmark = pytest.mark.long

NAMES = ("kept-0", "kept-1", "kept-2")
KEPT = {"step_s": 1, "flush_s": 1.0}
DISK = "2m"
"""Size of the disk that becomes full."""


@pytest.fixture
def nodes(empty: ControlPlane) -> ControlPlane:
    empty.create(node(name, cpu=str(CORES), memory="32Gi") for name in NAMES)
    return empty


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Scraped]:
    """Exporters of all but the last."""
    with scraped(tmp_path, NAMES) as running:
        for name in NAMES[:-1]:
            running.tell(name, cores=CORES, memory_total=MEMORY, cpu=2.0, memory=8 * GIB)
        yield running


def kept(root: Path) -> dict[tuple[str, str, int], float]:
    """Node, metric and second; each is there once."""
    store = HistoryStore(Files(str(root)), USAGE)
    rows = [row for day in store.days() for row in store.read(day).to_pylist()]
    found = {(row["node"], row["metric"], round(row["at"].timestamp())): row["value"] for row in rows}
    assert len(found) == len(rows)
    return found


def test_what_prometheus_tells_is_kept_and_judged(nodes: ControlPlane, server: Scraped, tmp_path: Path) -> None:
    root = tmp_path / "history"
    with live(nodes, server, history={"url": str(root), **KEPT}) as running:
        until(lambda: running.state()["cluster"]["kept"]["written_age_s"] is not None, 30.0)
        until(lambda: len({at for name, metric, at in kept(root) if (name, metric) == (NAMES[0], "cpu")}) >= 10, 60.0)
        assert running.state()["cluster"]["kept"]["failing"] == ""
        assert 0.0 <= running.counted("berth_telemetry_history_age_seconds") < 30.0
    rows = kept(root)  # with what was written at the end
    assert {value for (name, metric, _), value in rows.items() if (name, metric) == (NAMES[0], "memory")} == {8 * GIB}
    assert not any(name == NAMES[2] and metric == "cpu" for name, metric, _ in rows)  # nobody tells: no row, no zero
    assert {value for (_, metric, _), value in rows.items() if metric == "cpu_capacity"} == {CORES}
    command = [sys.executable, "-c", "from cli.main import run; run()", "history", "quality"]
    done = subprocess.run([*command, "--root", str(root), "--step", "1", "--json"], capture_output=True, timeout=60)
    judged = json.loads(done.stdout)
    assert {one["node"] for one in judged["alerts"] if one["metric"] == "cpu" and not one["known"]} == {NAMES[2]}


def test_while_the_disk_is_full_nothing_is_lost(nodes: ControlPlane, server: Scraped, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    prefix = on_a_small_disk(disk)
    with live(nodes, server, prefix=prefix, history={"url": str(disk / "history"), **KEPT}) as running:
        seen = Path(f"/proc/{running.telemetry.process.pid}/root{disk}")  # the disk is there for that process alone

        def state() -> dict[str, Any]:
            found: dict[str, Any] = running.state()["cluster"]["kept"]
            return found

        until(lambda: state()["written_age_s"] is not None, 30.0)
        filler = seen / "filler"
        fill(filler)
        until(lambda: state()["failing"] == "no-space", 30.0)
        assert "history is not written: no-space" in running.degraded()
        before, version = len(kept(seen / "history")), running.snapshot().version
        until(lambda: state()["waiting_rows"] >= 40, 60.0)
        waited = state()["waiting_rows"]
        assert len(kept(seen / "history")) == before
        assert running.snapshot().version > version  # placing goes on
        assert not [path for path in (seen / "history").rglob("*") if path.name.startswith(".")]
        filler.unlink()
        until(lambda: state()["failing"] == "", 30.0)
        until(lambda: len(kept(seen / "history")) >= before + waited, 30.0)  # each once: `kept` sees to that
        assert running.counted("berth_telemetry_history_rows_lost_total") == 0.0
        assert "history is not written" not in running.degraded()


def fill(path: Path) -> None:
    """Write until the disk takes no more."""
    with path.open("wb", buffering=0) as file, pytest.raises(OSError) as caught:
        deque(map(file.write, repeat(bytes(4096))), maxlen=0)
    assert caught.value.errno == errno.ENOSPC


def on_a_small_disk(folder: Path) -> list[str]:
    """What to put before a command so that it finds a small disk there. The test is skipped where that is forbidden."""
    unshare = shutil.which("unshare")
    mount = f"mount -t tmpfs -o size={DISK} none {folder}"
    if not unshare or subprocess.run([unshare, "-Urm", "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("no disk of its own can be made here: user namespaces or mounts are forbidden")
    return [unshare, "-Urm", "sh", "-c", f'{mount} && exec "$@"', "sh"]
