"""Builds a replayed cluster of openb's nodes, filled with background workloads.

The trace names no node of assignment, so the filling is drawn: 5 to 12 workloads a node, whose requests add
up to a drawn share of its CPU and memory, some with GPU asks from the trace's default list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from berth.recordings.load import OpenbNode, openb_nodes, openb_pods
from berth.simulator.cluster import SLACK, ReplayedCluster
from berth.simulator.load import STEPS_A_DAY, september_cycle

Doubles = NDArray[np.float64]

WORKLOADS = (5, 12)
"""Fewest and most background workloads of a node."""
SIZE_CONCENTRATION = 0.5
"""Of the Dirichlet draw of their sizes: below 1, a few large ones and many small ones."""
LEAST = 0.1
"""Cores and GiB of the smallest workload."""
MEMORY_SPREAD = 0.15
"""Standard deviation of the memory fill around the CPU fill."""
MEMORY_FILL = 0.75
"""Memory fill over CPU fill: the recorded machines hold more of their memory than they use of their CPU."""
GPU_FILL = (0.0, 0.9)
"""Least and most of a node's devices in use at the start."""


def build(
    seed: int,
    nodes: int | None,
    fill: tuple[float, float],
    machines: Sequence[int] | None,
    span: tuple[int, int] | None,
    history_steps: int,
) -> ReplayedCluster:
    """See ReplayedCluster.openb."""
    rng = np.random.default_rng(seed)
    cycle = september_cycle(machines, span)
    step = int(rng.integers(cycle.days)) * STEPS_A_DAY + int(rng.integers(STEPS_A_DAY))
    cluster = ReplayedCluster(choose_nodes(rng, nodes), cycle, step, history_steps)
    for row in range(len(cluster.names)):
        fill_node(cluster, row, rng, fill)
    fill_devices(cluster, rng)
    cluster.fill_history()
    return cluster


def choose_nodes(rng: np.random.Generator, count: int | None) -> list[OpenbNode]:
    """`count` nodes in the trace's order: whole copies (renamed from the second on), then a sample."""
    trace = openb_nodes()
    copies, rest = divmod(len(trace) if count is None else count, len(trace))
    sampled = np.sort(rng.choice(len(trace), size=rest, replace=False))
    chosen = [(copy, node) for copy in range(copies) for node in trace]
    chosen += [(copies, trace[int(index)]) for index in sampled]
    return [node if copy == 0 else replace(node, name=f"{node.name}-{copy}") for copy, node in chosen]


def fill_node(cluster: ReplayedCluster, row: int, rng: np.random.Generator, fill: tuple[float, float]) -> None:
    """Starts the background workloads of one node."""
    count = int(rng.integers(WORKLOADS[0], WORKLOADS[1] + 1))
    cpu_fill = rng.uniform(*fill)
    memory_fill = float(np.clip(MEMORY_FILL * cpu_fill + rng.normal(0.0, MEMORY_SPREAD), 0.05, 0.95))
    cpu = cluster.cpu_allocatable[row] * cpu_fill * rng.dirichlet(np.full(count, SIZE_CONCENTRATION))
    memory = cluster.memory_allocatable[row] * memory_fill * rng.dirichlet(np.full(count, SIZE_CONCENTRATION))
    slots = rng.integers(cluster.cycle.slots, size=count)
    for i in range(count):
        asked = max(LEAST, round(float(cpu[i]), 3)), max(LEAST, round(float(memory[i]), 3))
        cluster.place(background_uid(row, i), row, int(slots[i]), *asked)


def background_uid(row: int, index: int) -> str:
    """The uid of a background workload."""
    return f"background-{row}-{index}"


def fill_devices(cluster: ReplayedCluster, rng: np.random.Generator) -> None:
    """Gives background workloads GPU asks of the default list, up to a drawn share of each node's devices."""
    asks = [(pod.gpus, pod.gpu_milli / 1000.0) for pod in openb_pods() if pod.gpus]
    for row in np.flatnonzero(cluster.gpu_allocatable):
        target = rng.uniform(*GPU_FILL) * cluster.gpu_allocatable[row]
        for index in range(WORKLOADS[0]):
            gpus, share = asks[int(rng.integers(len(asks)))]
            fitting = int((cluster.gpu_free[row] >= share - SLACK).sum()) >= gpus
            if fitting and gpus * share <= target:
                cluster.take_devices(background_uid(int(row), index), int(row), gpus, share)
                target -= gpus * share
