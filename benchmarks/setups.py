"""What stands behind kube-scheduler in the throughput benchmark: nothing, a rival, a no-op, or Berth in some mode."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import redis

from benchmarks import rival
from benchmarks.mesh import Mesh
from berth.cluster import keys
from tests.lab.control_plane import ControlPlane
from tests.lab.ports import free_port, listens
from tests.lab.process import LabProcess
from tests.lab.scheduler import example, plain

PROFILE = "berth"
"""The profile of every setup, so that the same pods fit all."""
SNAPSHOT_EVERY_S = 15.0


@dataclass(frozen=True)
class Setup:
    """One way to run kube-scheduler. config: its KubeSchedulerConfiguration. mode: Berth's, '' where it is not asked.
    extender: the process whose CPU is counted. program: another kube-scheduler than the lab's. gates: feature gates."""

    config: dict[str, Any]
    mode: str = ""
    extender: psutil.Process | None = None
    program: Path | None = None
    gates: str = ""
    snapshots: bool = False


class Stage:
    """Everything that a size needs, started once: control plane, mesh, no-op extenders, the rival."""

    def __init__(self, plane: ControlPlane, mesh: Mesh, running: contextlib.ExitStack, folder: Path) -> None:
        self.plane, self.mesh, self.running, self.folder = plane, mesh, running, folder
        self.redis = redis.Redis.from_url(mesh.redis_url, socket_timeout=5.0)
        running.callback(self.redis.close)
        self.noops: dict[str, tuple[str, psutil.Process]] = {}
        self.trimaran: rival.Trimaran | None = None

    def setup(self, name: str) -> Setup:
        """The setup of this name; starts what it needs and is not there yet."""
        if name == "default":
            return Setup(plain(PROFILE))
        if name == "default-no-batching":
            return Setup(plain(PROFILE), gates="OpportunisticBatching=false")
        if name == rival.SETUP:
            return self._rival()
        base = name.removesuffix("-prioritize-only")
        file = "second-scheduler-prioritize-only" if base != name else "second-scheduler"
        if base.startswith("noop"):
            url, process = self._noop(base)
            return Setup(example(file, url), extender=process)
        mode = base.removeprefix("berth-").removesuffix("-new-snapshots")
        url = f"http://127.0.0.1:{self.mesh.port()}/scheduler"
        process = psutil.Process(int(self.mesh.processes["extender"]["pid"]))
        return Setup(example(file, url), mode, process, snapshots=base.endswith("-new-snapshots"))

    def _rival(self) -> Setup:
        if self.trimaran is None:
            self.trimaran = self.running.enter_context(rival.Trimaran(self.redis))
        return Setup(self.trimaran.config(PROFILE), program=self.trimaran.program)

    def _noop(self, name: str) -> tuple[str, psutil.Process]:
        if name not in self.noops:
            port = free_port()
            go = [str(self.plane.program), "noop-extender", f"--listen=127.0.0.1:{port}"]
            python = [sys.executable, "-m", "benchmarks.noop", "--port", str(port)]
            process = LabProcess(go if name == "noop-go" else python, self.folder / f"{name}.log")
            self.running.callback(process.close)
            process.wait(lambda: listens(port), name)
            self.noops[name] = f"http://127.0.0.1:{port}/scheduler", psutil.Process(process.pid)
        return self.noops[name]

    @contextlib.contextmanager
    def in_mode(self, setup: Setup) -> Iterator[None]:
        """Berth in the setup's mode on a new snapshot; more of them meanwhile where the setup has them. The first
        tenth of the pods, which no rate counts, warms it."""
        if not setup.mode:
            yield
            return
        self.redis.set(keys.OVERRIDE, json.dumps({"mode": setup.mode}))
        self.mesh.wait(lambda: json.loads(self.mesh.get("/v1/state"))["mode"] == setup.mode, f"mode {setup.mode}")
        self.mesh.fresh_snapshot()
        if not setup.snapshots:
            yield
            return
        ended = threading.Event()
        with ThreadPoolExecutor(1, "publisher") as pool:
            publisher = pool.submit(self._publish, ended)
            try:
                yield
            finally:
                ended.set()
            publisher.result()  # without its snapshots the round is another setup's

    def _publish(self, ended: threading.Event) -> None:
        while not ended.wait(SNAPSHOT_EVERY_S):
            self.mesh.publish()
