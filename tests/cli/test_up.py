"""`berth up` as a process: ready, ended by Ctrl-C, and nothing left behind, however it ends."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.cli.command import BERTH, clean

pytestmark = pytest.mark.process


@contextlib.contextmanager
def started(folder: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """A `berth up` that has just begun; its output in `folder`."""
    arguments = ("up", "--ports", "auto", "--nodes", "20", "--data-dir", str(folder), *more)
    output = (folder / "output").open("w")
    process = subprocess.Popen([*BERTH, *arguments], env=clean(), text=True, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        output.close()


def mesh_once(process: subprocess.Popen[str], folder: Path, reached: Callable[[], bool]) -> dict[str, Any]:
    """mesh.json as soon as the start has reached something."""
    end = time.monotonic() + 60
    while not reached():
        assert process.poll() is None, (folder / "output").read_text()
        assert time.monotonic() < end
        time.sleep(0.1)
    found: dict[str, Any] = json.loads((folder / "mesh.json").read_text())
    return found


@contextlib.contextmanager
def up(folder: Path, *more: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A ready `berth up` and its mesh.json."""
    with started(folder, *more) as process:
        yield process, mesh_once(process, folder, lambda: "Ctrl-C ends all" in (folder / "output").read_text())


def pids(found: dict[str, Any]) -> list[int]:
    return [process["pid"] for name, process in found.items() if name != "redis_url"]


def gone(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    return True


@pytest.mark.mesh
@pytest.mark.long
def test_ctrl_c_ends_all_in_time(tmp_path: Path) -> None:
    with up(tmp_path) as (process, found):
        assert len(pids(found)) == 6
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert time.monotonic() - started < 10
        assert all(gone(pid) for pid in pids(found))
        assert not (tmp_path / "mesh.json").exists()
    text = (tmp_path / "output").read_text()
    assert all(f"{name:>16} │ " in text for name in ("extender", "telemetry", "load-predictor"))
    assert "all processes have ended" in text


@pytest.mark.mesh
@pytest.mark.long
def test_without_restart_the_first_that_ends_ends_all(tmp_path: Path) -> None:
    with up(tmp_path, "--no-restart") as (process, found):
        psutil.Process(found["placement-scorer"]["pid"]).kill()
        assert process.wait(10) == 1
        assert all(gone(pid) for pid in pids(found))
    assert "placement-scorer" in (tmp_path / "output").read_text().splitlines()[-1]


def test_children_do_not_outlive_a_killed_supervisor(tmp_path: Path) -> None:
    with started(tmp_path) as process:  # killed before they are ready, when least is set up
        found = mesh_once(process, tmp_path, (tmp_path / "mesh.json").exists)
        assert not any(gone(pid) for pid in pids(found))
        process.kill()
        process.wait()
        end = time.monotonic() + 10
        while not all(gone(pid) for pid in pids(found)):
            assert time.monotonic() < end
            time.sleep(0.05)
