"""What demo and tests do to a node's measured usage: set its load, break its health."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from berth.simulator.load import CPU, DISK, MEMORY, NETWORK

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

FaultKind = Literal["cpu-stuck", "memory-leak", "disk-storm", "network-drop"]
FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)
LEAK_A_STEP = 0.04
"""Share of allocatable memory that a leak takes each 5 minutes."""
STORM_LOG_KB = float(np.log1p(400_000.0))
"""400 MB/s, above all but a few samples of the recording."""


@dataclass(frozen=True)
class SetLoad:
    """CPU and memory held at a share of allocatable; None leaves the recording."""

    cpu: float | None = None
    memory: float | None = None


class Disturbances:
    """By row: set loads, and faults with the step they began at."""

    def __init__(self) -> None:
        self.loads: dict[int, SetLoad] = {}
        self.faults: dict[int, tuple[FaultKind, int]] = {}

    def apply(self, usage: Floats, step: int, rows: Rows | None) -> None:
        """Changes `usage` (float32 [metric, N or len(rows)]) in place as it looks at `step`."""
        position = None if rows is None else {int(row): at for at, row in enumerate(rows)}
        for row in self.loads.keys() | self.faults.keys():
            at = row if position is None else position.get(row)
            if at is not None:
                self.disturb(usage[:, at], row, step)

    def disturb(self, node: Floats, row: int, step: int) -> None:
        """Changes one node's metrics (float32 [metric]) in place."""
        if row in self.loads:
            set_load(node, self.loads[row])
        if row in self.faults:
            kind, since = self.faults[row]
            if step >= since:
                break_health(node, kind, step - since + 1)


def set_load(node: Floats, load: SetLoad) -> None:
    """Puts the given shares in place of the recorded ones."""
    if load.cpu is not None:
        node[CPU] = load.cpu
    if load.memory is not None:
        node[MEMORY] = load.memory


def break_health(node: Floats, kind: FaultKind, age: int) -> None:
    """Shapes one node's metrics after `age` steps of a fault (1 is the first)."""
    if kind == "cpu-stuck":
        # A spinning process: CPU at the top while the work it should do, and its traffic, stop.
        node[CPU], node[DISK], node[NETWORK] = 0.99, 0.0, node[NETWORK] * 0.3
    elif kind == "memory-leak":
        node[MEMORY] = min(1.0, node[MEMORY] + LEAK_A_STEP * age)
    elif kind == "disk-storm":
        node[DISK], node[CPU] = STORM_LOG_KB, max(float(node[CPU]), 0.6)
    else:
        node[NETWORK], node[CPU] = 0.0, node[CPU] * 0.2
