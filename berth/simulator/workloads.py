"""The running workloads of a replayed cluster, as flat arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from berth.simulator.errors import AlreadyBoundError, UnknownPodError
from berth.simulator.load import CPU, MEMORY, REQUEST_SHARE, Cycle

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Rows = NDArray[np.int64]
Devices = tuple[int, ...]


class Workloads:
    """One entry a pod: its node's row, its slot of the cycle, its requests (cores, GiB), its devices.

    A freed entry has requests and `runs` of 0 and is used again by the next pod.
    """

    def __init__(self) -> None:
        self.row: NDArray[np.int64] = np.zeros(64, dtype=np.int64)
        self.slot: NDArray[np.int64] = np.zeros(64, dtype=np.int64)
        self.weight: Floats = np.zeros((4, 64), dtype=np.float32)
        self.asked: Doubles = np.zeros((2, 64))
        self.devices: dict[str, tuple[Devices, float]] = {}
        self.entry_of: dict[str, int] = {}
        self.free: list[int] = []
        self.count = 0

    def add(self, uid: str, row: int, slot: int, cpu: float, memory: float) -> None:
        """A pod starts. Raises AlreadyBoundError."""
        if uid in self.entry_of:
            raise AlreadyBoundError(f"pod {uid} is bound already")
        entry = self.free.pop() if self.free else self.new_entry()
        self.entry_of[uid] = entry
        self.row[entry], self.slot[entry] = row, slot
        self.asked[:, entry] = cpu, memory
        self.weight[:, entry] = cpu / REQUEST_SHARE, memory / REQUEST_SHARE, 1.0, 1.0

    def new_entry(self) -> int:
        """An entry at the end; the arrays double when full."""
        if self.count == self.row.shape[0]:
            self.row, self.slot = (np.concatenate([a, np.zeros_like(a)]) for a in (self.row, self.slot))
            self.weight = np.concatenate([self.weight, np.zeros_like(self.weight)], axis=1)
            self.asked = np.concatenate([self.asked, np.zeros_like(self.asked)], axis=1)
        self.count += 1
        return self.count - 1

    def remove(self, uid: str) -> tuple[int, float, float, Devices, float]:
        """A pod ends: its row, cores, GiB, devices and the share of each. Raises UnknownPodError."""
        entry = self.entry_of.pop(uid, None)
        if entry is None:
            raise UnknownPodError(f"no pod {uid} is bound")
        cpu, memory = self.asked[:, entry]
        self.weight[:, entry] = 0.0
        self.asked[:, entry] = 0.0
        self.free.append(entry)
        devices, share = self.devices.pop(uid, ((), 0.0))
        return int(self.row[entry]), float(cpu), float(memory), devices, share

    def consumption(self, cycle: Cycle, step: int, chosen: slice | Rows, row: Rows, rows: int) -> Doubles:
        """float64 [metric, rows]: cores, GiB and KB/s that the entries `chosen`, on `row`, use at a step."""
        loads = cycle.at(step)[:, self.slot[chosen]] * self.weight[:, chosen]
        return np.stack([np.bincount(row, weights=load, minlength=rows) for load in loads])


def as_measured(consumed: Doubles, cpu_allocatable: Doubles, memory_allocatable: Doubles) -> Floats:
    """float32 [metric, node] as a node exporter would show it: shares of allocatable, at most 1 (no node
    uses more than it has), and log1p of KB/s."""
    usage = np.log1p(consumed)
    usage[CPU] = np.minimum(consumed[CPU] / cpu_allocatable, 1.0)
    usage[MEMORY] = np.minimum(consumed[MEMORY] / memory_allocatable, 1.0)
    return usage.astype(np.float32)
