"""Placement rules to compare with: each scores the feasible nodes of one pod, the highest wins.

kube-scheduler's own scoring is the named baseline: NodeResourcesFit with LeastAllocated and
NodeResourcesBalancedAllocation, CPU and memory, weight 1 each, integers 0 to 100, ties broken at random.
Source: pkg/scheduler/framework/plugins/noderesources/{least_allocated,balanced_allocation}.go.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from services.placement_scorer.pair_features import PAIR_FEATURES

Floats = NDArray[np.float32]
Policy = Callable[[Floats, np.random.Generator], Floats]
"""Rows of `pair_features.land` [N, K] to scores [N]."""
BASELINE = "kube-scheduler"
COLUMN = {name: index for index, name in enumerate(PAIR_FEATURES)}


def random(rows: Floats, source: np.random.Generator) -> Floats:
    """Any feasible node."""
    return source.random(len(rows), dtype=np.float32)


def kube_scheduler(rows: Floats, source: np.random.Generator) -> Floats:
    """LeastAllocated and BalancedAllocation."""
    cpu, memory = rows[:, COLUMN["cpu_left"]], rows[:, COLUMN["memory_left"]]
    least = np.floor((cpu + memory) / 2 * 100)
    balanced = np.floor((1.0 - np.abs(cpu - memory) / 2) * 100)
    total: Floats = least + balanced + random(rows, source) / 2
    return total


def best_fit(rows: Floats, source: np.random.Generator) -> Floats:
    """Least left of CPU, memory and GPU together (MostAllocated with GPU)."""
    return -sum_of(rows, "cpu_left", "memory_left", "gpu_left")


def least_used(rows: Floats, source: np.random.Generator) -> Floats:
    """Lowest CPU and memory in use now."""
    return -sum_of(rows, "cpu_used", "memory_used")


def least_fragmenting(rows: Floats, source: np.random.Generator) -> Floats:
    """Fragmentation gradient descent (Weng et al. 2023) on the tightest device, exact, ties by index."""
    return -rows[:, COLUMN["fragment_growth"]]


def sum_of(rows: Floats, *names: str) -> Floats:
    """float32 [N]."""
    total: Floats = rows[:, [COLUMN[name] for name in names]].sum(axis=1)
    return total


def heuristics() -> dict[str, Policy]:
    """All rules by the name they have in reports."""
    return {
        "random": random,
        BASELINE: kube_scheduler,
        "best-fit": best_fit,
        "least-used": least_used,
        "fgd": least_fragmenting,
    }
