"""A replayed cluster as a node snapshot, through the same feature functions that training uses."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

import numpy as np
from numpy.typing import NDArray

from berth.cluster.snapshot import NodeSnapshot
from berth.features import capacity, history, residuals
from berth.features.capacity import GPU_SLOTS
from berth.features.families import Families, Told
from berth.features.node_health import Fared
from berth.features.registry import node_feature_names
from berth.features.scales import DayScales
from berth.features.workload import Running
from berth.recordings.load import STEP_S
from berth.simulator.cluster import ReplayedCluster
from berth.simulator.load import CPU, DISK, MEMORY, NETWORK

Floats = NDArray[np.float32]


class Observer:
    """Turns a cluster into snapshots. Keeps what costs more than a snapshot may: the day's residual scales, and what is
    computed from hourly means. holidays: days in UTC, of the recording's own time."""

    def __init__(self, cluster: ReplayedCluster, holidays: Collection[date] = ()) -> None:
        self.cluster, self.holidays = cluster, holidays
        self.scales, self.families = DayScales(), Families()

    def observe(
        self, version: int, published_ms: int, bindings: Mapping[str, int] | None = None, fence: int = 0
    ) -> NodeSnapshot:
        """The cluster now, all columns. bindings: uid to row of the pods to name (bound lately)."""
        matrix = self.matrix(capacity_columns(self.cluster), self.usage_columns())
        return as_snapshot(self.cluster, matrix, version, published_ms, bindings or {}, fence)

    def usage_columns(self) -> Floats:
        """float32 [N, history and residual columns]: what is computed from the usage history alone. Slow."""
        cluster = self.cluster
        usage, last = cluster.history(cluster.ring.kept), cluster.clock // STEP_S
        self.families.follow(cluster.names, usage, last, changed=last)  # a load may be set after a look
        scales = self.scales.of(usage, cluster.step, cluster.names)
        found = [history.history_features(usage, cluster.clock), residuals.residual_features(usage, scales)]
        return np.concatenate(found, axis=1)

    def matrix(self, of_capacity: Floats, of_usage: Floats) -> Floats:
        """float32 [N, all columns], from what `capacity_columns` and `usage_columns` gave. A replayed cluster knows
        nothing of its nodes' health and of the kinds of its pods."""
        nodes, usage = len(self.cluster.names), self.cluster.history(self.cluster.ring.kept)
        told = Told(Fared.unknown(nodes), Running.unknown(nodes), holidays=self.holidays)
        more = self.families.columns(usage, of_capacity, of_usage, told, self.cluster.clock)
        return np.concatenate([of_capacity, of_usage, more], axis=1)


def capacity_columns(cluster: ReplayedCluster) -> Floats:
    """float32 [N, capacity columns]; gpu_model and the shares of devices that are not there are NaN."""
    usage = cluster.usage()
    columns = {
        "cpu_allocatable": cluster.cpu_allocatable,
        "memory_allocatable": cluster.memory_allocatable,
        "pods_allocatable": cluster.pods_allocatable,
        "gpu_allocatable": cluster.gpu_allocatable,
        "gpu_model": np.where(cluster.gpu_model >= 0, cluster.gpu_model, np.nan),
        "cpu_requested": cluster.cpu_requested,
        "memory_requested": cluster.memory_requested,
        "pods_requested": cluster.pods_requested,
        "gpu_requested": cluster.gpu_requested,
        **{f"gpu{device}_free": cluster.gpu_free[:, device] for device in range(GPU_SLOTS)},
        "cpu_used": usage[CPU],
        "memory_used": usage[MEMORY],
        "disk_rate": usage[DISK],
        "network_rate": usage[NETWORK],
    }
    return np.stack([columns[feature.name] for feature in capacity.FEATURES], axis=1, dtype=np.float32)


def as_snapshot(
    cluster: ReplayedCluster,
    matrix: Floats,
    version: int,
    published_ms: int,
    bindings: Mapping[str, int],
    fence: int,
) -> NodeSnapshot:
    """The snapshot of a whole matrix (all columns of the registry)."""
    return NodeSnapshot(
        version=version,
        published_ms=published_ms,
        nodes=cluster.names,
        features=node_feature_names(),
        matrix=matrix,
        gpu_models=cluster.gpu_models,
        bindings=dict(bindings),
        fence=fence,
        source="replay",
    )
