"""The replayed cluster as kube-scheduler's cache would hold it: what is requested of each node, kept in step."""

from __future__ import annotations

from typing import Any

import numpy as np

from berth.recordings.load import METRICS, OpenbNode
from berth.simulator.cluster import ReplayedCluster
from berth.simulator.load import STEPS_A_DAY, Cycle

AMOUNTS = ("cpu_requested", "memory_requested", "pods_allocatable", "pods_requested")


def local_cluster(nodes: list[dict[str, Any]]) -> ReplayedCluster:
    """From telemetry's `GET /replay/nodes`. Its load is all zero: kube-scheduler does not know it either."""
    idle = Cycle(np.zeros((len(METRICS), STEPS_A_DAY, 1), dtype=np.float32), 0)
    cluster = ReplayedCluster([node_of(node) for node in nodes], idle, history_steps=1)
    for name in AMOUNTS:
        getattr(cluster, name)[:] = [node[name] for node in nodes]
    for row, node in enumerate(nodes):
        cluster.gpu_free[row, : len(node["gpu_free"])] = node["gpu_free"]
    return cluster


def node_of(node: dict[str, Any]) -> OpenbNode:
    """One entry of the answer."""
    return OpenbNode(
        node["name"],
        round(node["cpu_allocatable"] * 1000),
        round(node["memory_allocatable"] * 1024),
        len(node["gpu_free"]),
        node["gpu_model"],
    )
