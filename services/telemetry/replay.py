"""The replayed cluster as a source, with the switches that demo and tests turn."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Collection
from datetime import date
from typing import Any

import numpy as np

from berth.cluster.pods import BoundPod, PodRequest
from berth.cluster.snapshot import NodeSnapshot
from berth.simulator.cluster import ReplayedCluster
from berth.simulator.disturbances import FaultKind, SetLoad
from berth.simulator.observe import Observer, as_snapshot, capacity_columns
from services.telemetry.settings import TelemetrySettings


class ReplaySource:
    """A `Source`. Binding and releasing take a short lock, so that they need not wait while features are computed;
    what touches usage (advance, loads, faults) the caller keeps apart from `observe`."""

    def __init__(
        self,
        cluster: ReplayedCluster,
        steps: int,
        binding_window_s: float,
        fence: int = 0,
        holidays: Collection[date] = (),
    ) -> None:
        self.cluster = cluster
        self.observer = Observer(cluster, holidays)
        self.steps = steps
        self.binding_window_s = binding_window_s
        self.term = fence
        self.bound: dict[str, tuple[int, float]] = {}
        self.lock = threading.Lock()
        self.tell_bound: Callable[[BoundPod], None] = lambda _: None

    @classmethod
    def from_settings(cls, settings: TelemetrySettings) -> ReplaySource:
        """Builds the cluster: seconds of work."""
        cluster = ReplayedCluster.openb(settings.seed, settings.nodes)
        return cls(cluster, settings.steps_per_snapshot, settings.binding_window_s, settings.fence, settings.holidays)

    async def follow(self) -> None:
        """Nothing comes by itself."""
        await asyncio.Event().wait()

    def fence(self) -> int:
        """As the settings say."""
        return self.term

    async def outrun(self, fence: int) -> None:
        """Another publisher leads; only settings change that."""

    def degraded(self) -> list[str]:
        """Nothing that could go wrong."""
        return []

    def tell_bindings(self, tell: Callable[[BoundPod], None]) -> None:
        """Of pods that /replay/bind binds from now on."""
        self.tell_bound = tell

    def advance(self) -> None:
        """Moves the recording on."""
        for _ in range(self.steps):
            with self.lock:
                self.cluster.advance()

    def observe(self, version: int, fence: int) -> NodeSnapshot:
        """The snapshot of now. Bindings and requests are read in one moment, so that each bound pod is in both or in
        neither."""
        usage = self.observer.usage_columns()
        with self.lock:
            capacity = capacity_columns(self.cluster)
            bindings = self.recent_bindings()
        matrix = self.observer.matrix(capacity, usage)
        return as_snapshot(self.cluster, matrix, version, time.time_ns() // 1_000_000, bindings, fence)

    def recent_bindings(self) -> dict[str, int]:
        """uid to row of pods bound within the window; forgets older ones."""
        oldest = time.monotonic() - self.binding_window_s
        self.bound = {uid: (row, at) for uid, (row, at) in self.bound.items() if at >= oldest}
        return {uid: row for uid, (row, _) in self.bound.items()}

    def bind(self, pod: PodRequest, node: str) -> None:
        """Runs a pod. Raises SimulatorError (its message is fit for users)."""
        with self.lock:
            row = self.cluster.row(node)
            self.cluster.bind(pod, row)
            self.bound[pod.uid] = row, time.monotonic()
        self.tell_bound(BoundPod(pod, node, bound=time.time()))

    def release(self, uid: str) -> str:
        """Ends a pod; returns its node. Raises UnknownPodError."""
        with self.lock:
            row = self.cluster.release(uid)
            self.bound.pop(uid, None)
        return self.cluster.names[row]

    def set_load(self, node: str, load: SetLoad | None) -> None:
        """Holds or frees a node's load. Raises UnknownNodeError."""
        with self.lock:
            self.cluster.set_load(self.cluster.row(node), load)

    def set_fault(self, node: str, kind: FaultKind | None) -> None:
        """Breaks or mends a node. Raises UnknownNodeError."""
        with self.lock:
            self.cluster.set_fault(self.cluster.row(node), kind)

    def nodes(self) -> list[dict[str, Any]]:
        """Name, allocatable, requested and GPUs of each node."""
        with self.lock:
            return [self.node(row) for row in range(len(self.cluster.names))]

    def node(self, row: int) -> dict[str, Any]:
        """One node as JSON: cores, GiB, pods, free share of each device."""
        c = self.cluster
        free = c.gpu_free[row]
        amounts = ("cpu_allocatable", "cpu_requested", "memory_allocatable", "memory_requested")
        counts = ("pods_allocatable", "pods_requested")
        return {
            "name": c.names[row],
            **{name: float(getattr(c, name)[row]) for name in amounts},
            **{name: int(getattr(c, name)[row]) for name in counts},
            "gpu_model": c.gpu_models[c.gpu_model[row]] if c.gpu_model[row] >= 0 else "",
            "gpu_free": free[~np.isnan(free)].tolist(),
        }

    def state(self) -> dict[str, Any]:
        """Where the recording is and what is disturbed."""
        c = self.cluster
        return {
            "step": c.step,
            "clock_unix_s": c.clock,
            "pods_bound": len(c.workloads.entry_of),
            "loads": {c.names[row]: vars(load) for row, load in c.disturbances.loads.items()},
            "faults": {c.names[row]: kind for row, (kind, _) in c.disturbances.faults.items()},
        }
