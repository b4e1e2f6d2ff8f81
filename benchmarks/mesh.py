"""The mesh that is measured: `berth up` on free ports, as anyone starts it, and the handles a benchmark needs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.lab.process import LabProcess

BERTH = "from cli.main import run; run()"
READY_S = 120.0
FALLBACK = "berth_fallback_total{"
SCORED = ("fresh", "cached")
"""Steps of the ladder at which scores of all three models for the newest snapshot were used."""


class MeshError(Exception):
    """The mesh did not start, or did not recover; the message says where its log is."""


class Mesh:
    """A running mesh, described by DATA_DIR/mesh.json."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.processes: dict[str, Any] = json.loads((data_dir / "mesh.json").read_text("utf-8"))

    def port(self, name: str = "extender") -> int:
        """HTTP port of a process."""
        return int(self.processes[name]["http"])

    def get(self, path: str, name: str = "extender") -> bytes:
        """Body of a GET. Raises OSError."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port(name)}{path}", timeout=5.0) as answer:
            return bytes(answer.read())

    def publish(self) -> None:
        """Telemetry moves its recording on by a step and publishes a snapshot. Raises OSError."""
        url = f"http://127.0.0.1:{self.port('telemetry')}/replay/publish"
        request = urllib.request.Request(url, b'{"steps":1}', {"Content-Type": "application/json"}, method="POST")
        urllib.request.urlopen(request, timeout=20.0).close()

    @property
    def redis_url(self) -> str:
        """URL of the Redis that the processes share."""
        return str(self.processes["redis_url"])

    def rows(self) -> list[dict[str, Any]]:
        """The replayed nodes: name, allocatable, requested, devices."""
        return list(json.loads(self.get("/replay/nodes", "telemetry")))

    def nodes(self) -> list[str]:
        """Names of the replayed nodes."""
        return [node["name"] for node in self.rows()]

    def fresh_snapshot(self) -> None:
        """Publish a snapshot and return when the extender uses it."""
        before = json.loads(self.get("/v1/state"))["snapshot"]
        self.publish()
        self.wait(lambda: json.loads(self.get("/v1/state"))["snapshot"] not in (None, before), "a new snapshot")

    def steps(self) -> dict[str, float]:
        """How many decisions stood on each step of the fallback ladder so far."""
        lines = [line for line in self.get("/metrics").decode().splitlines() if line.startswith(FALLBACK)]
        return {line.split('"')[1]: float(line.rsplit(" ", 1)[1]) for line in lines}

    @contextlib.contextmanager
    def stopped(self, name: str) -> Iterator[None]:
        """SIGSTOP: it keeps its sockets and answers nothing, which is worse than being gone. Then SIGCONT, and
        waits until the extender says that nothing is missing."""
        pid = int(self.processes[name]["pid"])
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)
        self.wait_ready()

    def wait_ready(self) -> None:
        """Returns when every model is known and answers, and a snapshot is in use. Raises MeshError."""
        self.wait(lambda: json.loads(self.get("/readyz"))["status"] == "ok", "all parts to answer")

    def wait(self, done: Any, what: str) -> None:
        """Look ten times a second. Raises MeshError after READY_S."""
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            with contextlib.suppress(OSError, KeyError, ValueError):
                if done():
                    return
            time.sleep(0.1)
        raise MeshError(f"waited {READY_S:.0f} s for {what}; logs: {self.data_dir}")


@contextlib.contextmanager
def running(nodes: int, interval_s: float, data_dir: Path) -> Iterator[Mesh]:
    """A mesh of its own, ended on leaving. Raises MeshError."""
    arguments = ["--ports", "auto", "--data-dir", str(data_dir), "--nodes", str(nodes), "--interval", str(interval_s)]
    arguments.append("--no-restart")  # who stops a process wants it to stay so
    with LabProcess([sys.executable, "-c", BERTH, "up", *arguments], data_dir / "up.log") as process:
        yield started(process.popen, data_dir)


def started(process: subprocess.Popen[bytes], data_dir: Path) -> Mesh:
    """Waits for the mesh to be ready. Raises MeshError with the log's end."""
    end = time.monotonic() + READY_S
    while not (data_dir / "mesh.json").exists():
        if process.poll() is not None or time.monotonic() > end:
            raise MeshError("the mesh did not start:\n" + (data_dir / "up.log").read_text("utf-8")[-1500:])
        time.sleep(0.1)
    mesh = Mesh(data_dir)
    mesh.wait_ready()
    return mesh


def scored_share(before: dict[str, float], after: dict[str, float], pods: int) -> float:
    """Share of `pods` opted-in pods whose answers used scores of all three models, fresh or cached."""
    new = {step: after[step] - before.get(step, 0.0) for step in after}
    return round(sum(new.get(step, 0.0) for step in SCORED) / max(pods, sum(new.values()), 1.0), 4)
