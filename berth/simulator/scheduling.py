"""kube-scheduler's own choice by requests, as it is without an extender. Pure; read from Kubernetes v1.36.

Of the default score plugins (pkg/scheduler/apis/config/v1/default_plugins.go) two look at requests:
NodeResourcesFit with the LeastAllocated strategy, and NodeResourcesBalancedAllocation, both of weight 1 and
over CPU and memory alike. The others score all nodes of a replayed cluster the same: it has no taints,
affinity, spread or images.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from berth.cluster.pods import PodRequest

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

MAX_NODE_SCORE = 100
FIT_WEIGHT = 1
BALANCED_WEIGHT = 1
MIN_FEASIBLE_NODES = 100
"""minFeasibleNodesToFind, pkg/scheduler/schedule_one.go."""
MIN_FEASIBLE_PERCENTAGE = 5
DEFAULT_MILLI_CPU = 100
DEFAULT_MEMORY_BYTES = 200 * 1024 * 1024
"""What LeastAllocated counts for a pod that asks for nothing (pkg/scheduler/util/pod_resources.go); pods that
run already count with what they asked."""
GIB = 2**30


def default_scores(
    pod: PodRequest,
    cpu_allocatable: Doubles,
    cpu_requested: Doubles,
    memory_allocatable: Doubles,
    memory_requested: Doubles,
) -> Doubles:
    """float64 [N], whole numbers 0 to 200: the weighted sum of both plugins. Cores and GiB."""
    allocatable = np.stack([milli(cpu_allocatable), in_bytes(memory_allocatable)])
    requested = np.stack([milli(cpu_requested), in_bytes(memory_requested)])
    asks = np.array([[round(pod.cpu * 1000)], [round(pod.memory * GIB)]])
    counted = np.where(asks > 0, asks, [[DEFAULT_MILLI_CPU], [DEFAULT_MEMORY_BYTES]])
    scores = FIT_WEIGHT * least_allocated(requested + counted, allocatable)
    if asks.any():  # BalancedAllocation skips pods that ask for nothing
        scores = scores + BALANCED_WEIGHT * balanced_allocation(requested + asks, requested, allocatable)
    return scores.astype(np.float64)


def milli(cores: Doubles) -> Integers:
    """Cores to millicores."""
    return np.rint(cores * 1000).astype(np.int64)


def in_bytes(gib: Doubles) -> Integers:
    """GiB to bytes."""
    return np.rint(gib * GIB).astype(np.int64)


def least_allocated(requested: Integers, allocatable: Integers) -> Integers:
    """int64 [N], 0 to 100: the mean over resources of what is left, of int64 [resource, N] with the pod.
    Source: pkg/scheduler/framework/plugins/noderesources/least_allocated.go, integer division included."""
    known = allocatable > 0
    left = np.maximum(allocatable - requested, 0)
    scores = np.where(known, left * MAX_NODE_SCORE // np.maximum(allocatable, 1), 0)
    return np.asarray(scores.sum(axis=0) // np.maximum(known.sum(axis=0), 1), dtype=np.int64)


def balanced_allocation(with_pod: Integers, without_pod: Integers, allocatable: Integers) -> Integers:
    """int64 [N], 50 to 100; 75 where the pod leaves a node as balanced as it was.
    Source: pkg/scheduler/framework/plugins/noderesources/balanced_allocation.go; since kubernetes#135573
    (v1.36) the change counts, before it the balance with the pod did."""
    change = balance(with_pod, allocatable) - balance(without_pod, allocatable)
    return MAX_NODE_SCORE // 2 + (MAX_NODE_SCORE // 2 + change) // 2


def balance(requested: Integers, allocatable: Integers) -> Integers:
    """int64 [N], 50 to 100: 100 less the standard deviation of the requested shares, of int64 [2, N]."""
    shares = np.minimum(requested / np.maximum(allocatable, 1), 1.0)
    deviation = np.where((allocatable > 0).all(axis=0), np.abs(shares[0] - shares[1]) / 2.0, 0.0)
    return ((1.0 - deviation) * MAX_NODE_SCORE).astype(np.int64)


def feasible_nodes_to_find(nodes: int, percentage: int = 0) -> int:
    """How many feasible nodes end the search. percentage: percentageOfNodesToScore, 0 adapts to the size.
    Source: numFeasibleNodesToFind, pkg/scheduler/schedule_one.go."""
    if nodes < MIN_FEASIBLE_NODES:
        return nodes
    share = percentage or max(50 - nodes // 125, MIN_FEASIBLE_PERCENTAGE)
    return max(nodes * share // 100, MIN_FEASIBLE_NODES)


class NodeSampler:
    """Which feasible nodes a cycle sees: the search goes round, each cycle starts where the last one stopped.

    Source: findNodesThatPassFilters (nextStartNodeIndex), pkg/scheduler/schedule_one.go. There 16 workers
    search at once and may look at a few nodes more; here the search is exact.
    """

    def __init__(self, percentage: int = 0, start: int = 0) -> None:
        self.percentage = percentage
        self.start = start

    def sample(self, feasible: Mask) -> Integers:
        """int64 rows in the order found, of bool [N]."""
        nodes = len(feasible)
        if nodes == 0:
            return np.zeros(0, dtype=np.int64)
        order = (self.start + np.arange(nodes)) % nodes
        found = np.flatnonzero(feasible[order])[: feasible_nodes_to_find(nodes, self.percentage)]
        enough = len(found) == feasible_nodes_to_find(nodes, self.percentage)
        looked_at = int(found[-1]) + 1 if enough else nodes
        self.start = (self.start + looked_at) % nodes
        return np.asarray(order[found], dtype=np.int64)


def select_host(scores: Doubles, rng: np.random.Generator) -> int:
    """Index of the best of float64 [n >= 1]. Ties are drawn evenly, as selectHost's reservoir does
    (pkg/scheduler/schedule_one.go)."""
    best = np.flatnonzero(scores == scores.max())
    return int(best[rng.integers(len(best))])
