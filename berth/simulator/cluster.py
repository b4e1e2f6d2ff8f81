"""A cluster that never was, made of recordings: openb's nodes and requests, Bitbrains' load.

Everything is an array over nodes; one step is 5 minutes. What is bound starts to use with the next step: the
newest 5-minute mean of a real cluster does not hold the pod bound a moment ago either.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from berth.cluster.pods import PodRequest
from berth.features.capacity import GPU_SLOTS
from berth.features.ring import UsageRing
from berth.recordings.load import METRICS, STEP_S, OpenbNode
from berth.simulator.disturbances import Disturbances, FaultKind, SetLoad
from berth.simulator.errors import PodDoesNotFitError, UnknownNodeError
from berth.simulator.load import CPU, MEMORY, Cycle
from berth.simulator.workloads import Devices, Workloads, as_measured

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]

PODS_ALLOCATABLE = 110.0
"""kubelet's default maxPods."""
HISTORY_STEPS = 2016
"""Seven days."""
EXACT = 6
"""Decimals kept of sums, so that binding and releasing leaves no trace of float arithmetic."""
SLACK = 1e-6


class ReplayedCluster:
    """Nodes, what is requested of them and what they use.

    names: [N]. cpu_*, memory_* (GiB), pods_*: float64 [N]. gpu_free: float64 [N, 8], NaN where there is no
    device. gpu_model: int64 [N], index into gpu_models, -1 without GPU. step: of the cycle, only rises.
    """

    def __init__(
        self, nodes: Sequence[OpenbNode], cycle: Cycle, step: int = 0, history_steps: int = HISTORY_STEPS
    ) -> None:
        self.names = tuple(node.name for node in nodes)
        self.row_of = {name: row for row, name in enumerate(self.names)}
        self.cpu_allocatable = np.array([node.cpu_milli / 1000.0 for node in nodes])
        self.memory_allocatable = np.array([node.memory_mib / 1024.0 for node in nodes])
        self.pods_allocatable = np.full(len(nodes), PODS_ALLOCATABLE)
        self.gpu_allocatable = np.array([float(node.gpus) for node in nodes])
        self.gpu_models = tuple(sorted({node.gpu_model for node in nodes if node.gpus}))
        self.gpu_model = np.array([self.gpu_models.index(n.gpu_model) if n.gpus else -1 for n in nodes])
        self.gpu_free = np.where(np.arange(GPU_SLOTS) < self.gpu_allocatable[:, None], 1.0, np.nan)
        self.cpu_requested, self.memory_requested, self.pods_requested = np.zeros((3, len(nodes)))
        self.cycle, self.step = cycle, step
        self.workloads = Workloads()
        self.disturbances = Disturbances()
        self.ring = UsageRing(len(METRICS), len(nodes), history_steps)

    @classmethod
    def openb(
        cls,
        seed: int,
        nodes: int | None = None,
        fill: tuple[float, float] = (0.25, 0.95),
        machines: Sequence[int] | None = None,
        span: tuple[int, int] | None = None,
        history_steps: int = HISTORY_STEPS,
    ) -> ReplayedCluster:
        """The 1,523 openb nodes, or `nodes` of them (a sample; above 1,523 they repeat under new names), each
        filled to a share of its CPU drawn from `fill`. machines (indexes 0 to 69) and span (days [first,
        past) within 28) choose what is replayed, so that training and test can be kept apart."""
        from berth.simulator.openb import build

        return build(seed, nodes, fill, machines, span, history_steps)

    @property
    def clock(self) -> int:
        """Unix seconds of the newest step, in the recording's own time (September 2013 and on)."""
        return self.cycle.start + self.step * STEP_S

    @property
    def gpu_requested(self) -> Doubles:
        """float64 [N]: devices in use, in sum."""
        taken: Doubles = self.gpu_allocatable - np.nansum(self.gpu_free, axis=1)
        return taken.round(EXACT)

    def row(self, name: str) -> int:
        """Row of a node. Raises UnknownNodeError."""
        if name not in self.row_of:
            raise UnknownNodeError(f"no node {name}")
        return self.row_of[name]

    def feasible(self, pod: PodRequest, rows: slice = slice(None)) -> Mask:
        """bool [N, or the rows asked for]: nodes that pass NodeResourcesFit
        (pkg/scheduler/framework/plugins/noderesources/fit.go: what is not asked for is not checked), accept the
        GPU model and have devices with enough free."""
        fits: Mask = self.pods_requested[rows] + 1.0 <= self.pods_allocatable[rows]
        if pod.cpu > 0.0:
            fits &= pod.cpu <= self.cpu_allocatable[rows] - self.cpu_requested[rows] + SLACK
        if pod.memory > 0.0:
            fits &= pod.memory <= self.memory_allocatable[rows] - self.memory_requested[rows] + SLACK
        if pod.gpus > 0:
            fits &= (self.gpu_free[rows] >= device_share(pod) - SLACK).sum(axis=1) >= pod.gpus
        if pod.gpus > 0 and pod.gpu_models:
            accepted = [i for i, model in enumerate(self.gpu_models) if model in pod.gpu_models]
            fits &= np.isin(self.gpu_model[rows], accepted)
        return fits

    def bind(self, pod: PodRequest, row: int) -> None:
        """Runs a pod on a node from now on, with the recorded load that belongs to its uid.
        Raises PodDoesNotFitError, AlreadyBoundError, UnknownNodeError."""
        if not 0 <= row < len(self.names):
            raise UnknownNodeError(f"no node in row {row}")
        if not self.feasible(pod, slice(row, row + 1))[0]:
            raise PodDoesNotFitError(f"node {self.names[row]} lacks what pod {pod.uid} asks for")
        self.place(pod.uid, row, self.cycle.slot_of(pod.uid), pod.cpu, pod.memory)
        self.take_devices(pod.uid, row, pod.gpus, device_share(pod))

    def place(self, uid: str, row: int, slot: int, cpu: float, memory: float) -> None:
        """Starts a workload without asking whether it fits. Raises AlreadyBoundError."""
        self.workloads.add(uid, row, slot, cpu, memory)
        self.request(row, cpu, memory, 1.0)

    def take_devices(self, uid: str, row: int, gpus: int, share: float) -> None:
        """Takes `share` of each of the `gpus` tightest devices that have it free, as device plugins do."""
        if gpus <= 0:
            return
        free = self.gpu_free[row]
        enough = np.where(free >= share - SLACK, free, np.inf)
        devices = tuple(int(device) for device in np.argsort(enough, kind="stable")[:gpus])
        self.workloads.devices[uid] = (devices, share)
        self.free_devices(row, devices, -share)

    def release(self, uid: str) -> int:
        """Ends a pod; returns its row. Raises UnknownPodError."""
        row, cpu, memory, devices, share = self.workloads.remove(uid)
        self.request(row, -cpu, -memory, -1.0)
        self.free_devices(row, devices, share)
        return row

    def request(self, row: int, cpu: float, memory: float, pods: float) -> None:
        """Adds to what is requested of a node."""
        self.cpu_requested[row] = round(self.cpu_requested[row] + cpu, EXACT)
        self.memory_requested[row] = round(self.memory_requested[row] + memory, EXACT)
        self.pods_requested[row] += pods

    def free_devices(self, row: int, devices: Devices, share: float) -> None:
        """Adds `share` to the free share of each device."""
        for device in devices:
            self.gpu_free[row, device] = round(self.gpu_free[row, device] + share, EXACT)

    def set_load(self, row: int, load: SetLoad | None) -> None:
        """Holds a node's CPU or memory at a share from now on, the newest mean included; None ends it."""
        self.disturbances.loads.pop(row, None)
        if load is not None:
            self.disturbances.loads[row] = load
        self.measure_again(row)

    def set_fault(self, row: int, kind: FaultKind | None) -> None:
        """Breaks a node's health from now on, the newest mean included; None mends it."""
        self.disturbances.faults.pop(row, None)
        if kind is not None:
            self.disturbances.faults[row] = kind, self.step
        self.measure_again(row)

    def measure_again(self, row: int) -> None:
        """Replaces one node's newest mean."""
        self.usage()[:, row] = self.measure(self.step, np.array([row]))[:, 0]

    def advance(self, steps: int = 1) -> None:
        """Lets time pass: each step is measured and added to the history."""
        for _ in range(steps):
            self.step += 1
            self.ring.append(self.measure(self.step))

    def fill_history(self) -> None:
        """Measures the whole history up to now with the present workloads; once, when it is built."""
        for step in range(self.step - self.ring.kept + 1, self.step + 1):
            self.ring.append(self.measure(step))

    def measure(self, step: int, rows: Rows | None = None) -> Floats:
        """float32 [metric, N or len(rows)]: usage at any step with the present workloads and disturbances."""
        w = self.workloads
        if rows is None:
            consumed = w.consumption(self.cycle, step, slice(w.count), w.row[: w.count], len(self.names))
            usage = as_measured(consumed, self.cpu_allocatable, self.memory_allocatable)
        else:
            position = np.full(len(self.names), -1)
            position[rows] = np.arange(len(rows))
            chosen = np.flatnonzero(position[w.row[: w.count]] >= 0)
            consumed = w.consumption(self.cycle, step, chosen, position[w.row[chosen]], len(rows))
            usage = as_measured(consumed, self.cpu_allocatable[rows], self.memory_allocatable[rows])
        self.disturbances.apply(usage, step, rows)
        return usage

    def usage(self) -> Floats:
        """float32 [metric, N]: the newest 5-minute mean; CPU and memory as a share of allocatable, disk and
        network as log1p of KB/s. A view."""
        return self.ring.newest(1)[:, 0]

    def history(self, steps: int = HISTORY_STEPS) -> Floats:
        """float32 [metric, steps, N] up to and with now, oldest first. A view, valid until time advances."""
        return self.ring.newest(steps)

    def future(self, steps: int, rows: Rows | None = None) -> Floats:
        """float32 [metric, steps, N or len(rows)]: what the present workloads use from the next step on."""
        return np.stack([self.measure(self.step + ahead, rows) for ahead in range(1, steps + 1)], axis=1)

    def share_at(self, threshold: float = 0.8) -> tuple[float, float]:
        """Share of node-time in the kept history above `threshold` of CPU and of memory."""
        kept = self.history(self.ring.kept)
        return float((kept[CPU] > threshold).mean()), float((kept[MEMORY] > threshold).mean())


def device_share(pod: PodRequest) -> float:
    """Share of each device that a pod asks for: 1.0 for whole ones."""
    return pod.gpu_milli / 1000.0 if pod.gpu_milli else 1.0
