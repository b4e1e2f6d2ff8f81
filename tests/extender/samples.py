"""Small snapshots, pods and scores for the extender's unit tests."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from berth.cluster.pods import PodRequest
from berth.cluster.snapshot import NodeSnapshot
from berth.features.capacity import GPU_SLOTS
from berth.features.registry import node_feature_names
from extender.inflight import Placement
from extender.view import ClusterView, NodeScores, Origin

Floats = NDArray[np.float32]


def snapshot(
    nodes: int = 6, version: int = 1, bindings: dict[str, int] | None = None, published_ms: int | None = None
) -> NodeSnapshot:
    """Nodes n0, n1 ...: 16 cores, 64 GiB, two devices of which the second is half taken; load rises with the row."""
    names = node_feature_names()
    matrix = np.zeros((nodes, len(names)), dtype=np.float32)
    column = {name: i for i, name in enumerate(names)}
    values = {"cpu_allocatable": 16.0, "memory_allocatable": 64.0, "pods_allocatable": 110.0, "gpu_allocatable": 2.0}
    for name, value in values.items():
        matrix[:, column[name]] = value
    for slot in range(GPU_SLOTS):
        matrix[:, column[f"gpu{slot}_free"]] = np.nan
    matrix[:, column["gpu0_free"]], matrix[:, column["gpu1_free"]] = 1.0, 0.5
    matrix[:, column["gpu_requested"]] = 0.5
    matrix[:, column["cpu_used"]] = np.linspace(0.0, 0.9, nodes)
    return NodeSnapshot(
        version=version,
        published_ms=int(time.time() * 1000) if published_ms is None else published_ms,
        nodes=tuple(f"n{i}" for i in range(nodes)),
        features=names,
        matrix=matrix,
        gpu_models=("T4",),
        bindings=bindings or {},
    )


def view(nodes: int = 6, classes: int = 16, usage_of_request: float = 0.5) -> ClusterView:
    """A view of `snapshot`."""
    return ClusterView(snapshot(nodes), usage_of_request, classes)


def scores(values: object, of: ClusterView, origin: Origin = "fresh", version: str = "m1") -> NodeScores:
    """Scores of every node of a view, asked now."""
    array = np.asarray(values, dtype=np.float32).reshape(len(of.snapshot.nodes), -1)
    epochs = np.full(len(array), of.clock, dtype=np.int32)
    return NodeScores(array, version, of.snapshot.id, of.snapshot.published_ms, origin, epochs)


def placement(uid: str = "p", node: str = "n1", at: float = 100.0, **more: float) -> Placement:
    """A placement of 4 cores and 8 GiB."""
    asks: dict[str, float] = {"cpu": 4.0, "memory": 8.0, **more}
    gpus, milli = int(asks.pop("gpus", 0)), int(asks.pop("gpu_milli", 0))
    return Placement(uid, node, at, "r1", cpu=asks["cpu"], memory=asks["memory"], gpus=gpus, gpu_milli=milli)


def pod(uid: str = "p", **more: Any) -> PodRequest:
    """An opted-in pod of 4 cores and 8 GiB."""
    return PodRequest(uid, **{"cpu": 4.0, "memory": 8.0, **more})
