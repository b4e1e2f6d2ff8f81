"""What a node is like once a pod has landed on it: one float32 row for each pair of node and pod.

Every value depends on the row and the pod alone, never on the other rows of a call: changed rows are asked
again alone. The device rule is the device plugin's as simulated: a share goes to the tightest device that
fits, whole devices need free ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from berth.features.capacity import GPU_SLOTS
from services.placement_scorer.fragmentation import FragmentTables, fragment

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Columns = Mapping[str, Floats | NDArray[Any] | float]

NODE_FEATURES = (
    "cpu_allocatable",
    "memory_allocatable",
    "gpu_allocatable",
    "cpu_requested",
    "memory_requested",
    "gpu_requested",
    "cpu_used",
    "memory_used",
    *(f"gpu{i}_free" for i in range(GPU_SLOTS)),
)
POD_FEATURES = ("pod_cpu", "pod_memory", "pod_gpus", "pod_gpu_share", "pod_gpu_model_bound")

USED_OF_REQUEST = 0.45
"""CPU and memory that a workload uses on average, of its request
 (Bitbrains, a request of 20 % of the provisioned size)."""
TIGHT = 1e-4
"""Slack when shares are compared: float32 sums of hundredths are not exact."""

PAIR_FEATURES = (
    "cpu_left",  # share of allocatable not requested, after
    "memory_left",
    "cpu_left_cores",  # log scale
    "memory_left_gib",
    "imbalance",  # |cpu_left - memory_left|
    "cpu_used",  # share of allocatable, now
    "memory_used",
    "cpu_load_after",  # used now and what the pod is expected to use
    "memory_load_after",
    "peak_load_after",  # the larger of the two
    "has_gpu",
    "cpu_pod_on_gpu_node",
    "gpu_left",  # free share of all devices, after
    "gpu_left_devices",
    "empty_devices_left",
    "opened_devices",  # empty devices that the pod breaks open without filling them
    "tightest_leftover",  # free share of the shared device, after
    "fragment_growth",  # devices
    "fragment_before",
    "cores_per_free_gpu",
    "gpu_count",
    "pod_cpu",  # log scale
    "pod_memory",
    "pod_gpu_share",
    "pod_shares_gpu",
    "pod_gpu_model_bound",
    "pod_cpu_of_node",
)
LOAD_COLUMNS = tuple(i for i, name in enumerate(PAIR_FEATURES) if name.endswith(("_used", "_load_after")))


@dataclass(frozen=True)
class Landing:
    """rows: float32 [N, len(PAIR_FEATURES)]; fits: bool [N], False where the snapshot says that the pod
    does not fit; known: bool [N], False where both allocatable CPU and memory are missing."""

    rows: Floats
    fits: Bools
    known: Bools


@dataclass(frozen=True)
class Typical:
    """Stand-ins for what is missing: cores, GiB, share requested, share of CPU and of memory in use."""

    cpu_allocatable: float = 96.0
    memory_allocatable: float = 384.0
    requested: float = 0.5
    cpu_used: float = 0.3
    memory_used: float = 0.3


def devices(nodes: Floats, gpu_allocatable: Floats, gpu_requested: Floats) -> Floats:
    """float32 [N, 8]: free share of each device, 0 for none. A GPU node whose devices are all unknown gets
    its mean free share on each."""
    free = nodes[:, 8 : 8 + GPU_SLOTS]
    present = ~np.isnan(free)
    free = np.where(present, np.clip(free, 0.0, 1.0), np.float32(0.0))
    unknown = (gpu_allocatable > 0) & ~present.any(axis=1)
    if unknown.any():
        mean = 1.0 - np.clip(gpu_requested[unknown] / gpu_allocatable[unknown], 0.0, 1.0)
        free[unknown] = mean[:, None] * (np.arange(GPU_SLOTS) < gpu_allocatable[unknown][:, None])
    return free


def take_devices(free: Floats, gpus: int, share: float) -> tuple[Floats, Bools]:
    """Free shares after the pod, and where it fits. A share below 1 goes to the tightest device that fits."""
    after = free.copy()
    if gpus <= 0:
        return after, np.ones(len(free), np.bool_)
    if gpus == 1 and share < 1.0 - TIGHT:
        room = np.where(free >= share - TIGHT, free, np.float32(2.0))
        tightest = room.argmin(axis=1)
        index = np.arange(len(free))
        fits = room[index, tightest] < 1.5
        after[index[fits], tightest[fits]] -= np.float32(share)
        return np.maximum(after, 0.0, out=after), fits
    empty = free >= 1.0 - TIGHT
    order = np.cumsum(empty, axis=1)
    after[empty & (order <= gpus)] = 0.0
    return after, order[:, -1] >= gpus


def or_else(column: Floats, stand_in: Floats | float) -> Floats:
    """The column with missing values replaced; infinities count as missing."""
    return np.where(np.isfinite(column), column, stand_in).astype(np.float32, copy=False)


@dataclass(frozen=True)
class Ask:
    """What the pod asks for; nothing negative, at most one device more than a row describes."""

    cpu: float
    memory: float
    gpus: int
    gpu_share: float
    model_bound: float

    @property
    def shares_gpu(self) -> bool:
        """Whether it takes a part of one device."""
        return self.gpus == 1 and self.gpu_share < 1.0 - TIGHT


@dataclass(frozen=True)
class NodeState:
    """Nodes before the pod, nothing missing. cpu, memory: allocatable; *_used: share of it; free: [N, 8]."""

    cpu: Floats
    memory: Floats
    cpu_free: Floats
    memory_free: Floats
    cpu_used: Floats
    memory_used: Floats
    gpus: Floats
    free: Floats


def read_pod(pod: Floats) -> Ask:
    """pod float32 [len(POD_FEATURES)]; what is missing is not asked for."""
    finite = np.clip(np.nan_to_num(pod, nan=0.0, posinf=1e6, neginf=0.0), 0.0, 1e6)
    cpu, memory, gpus, share, bound = (float(value) for value in finite)
    return Ask(cpu, memory, min(round(gpus), GPU_SLOTS + 1), share, min(bound, 1.0))


def read_nodes(nodes: Floats, typical: Typical) -> NodeState:
    """nodes float32 [N, len(NODE_FEATURES)]; what is missing is as on a typical node."""
    cpu = np.clip(or_else(nodes[:, 0], typical.cpu_allocatable), 0.001, 1e6)
    memory = np.clip(or_else(nodes[:, 1], typical.memory_allocatable), 0.001, 1e6)
    counted = np.count_nonzero(~np.isnan(nodes[:, 8:]), axis=1).astype(np.float32)
    gpus = np.clip(or_else(nodes[:, 2], counted), 0.0, 1e3)
    return NodeState(
        cpu=cpu,
        memory=memory,
        cpu_free=cpu - or_else(nodes[:, 3], cpu * np.float32(typical.requested)),
        memory_free=memory - or_else(nodes[:, 4], memory * np.float32(typical.requested)),
        cpu_used=np.clip(or_else(nodes[:, 6], typical.cpu_used), 0.0, 1.5),
        memory_used=np.clip(or_else(nodes[:, 7], typical.memory_used), 0.0, 1.5),
        gpus=gpus,
        free=devices(nodes, gpus, or_else(nodes[:, 5], gpus * np.float32(typical.requested))),
    )


def land(nodes: Floats, pod: Floats, tables: FragmentTables, typical: Typical) -> Landing:
    """nodes float32 [N, len(NODE_FEATURES)], pod float32 [len(POD_FEATURES)]; NaN is a missing value."""
    node, ask = read_nodes(nodes, typical), read_pod(pod)
    cpu_after, memory_after = node.cpu_free - ask.cpu, node.memory_free - ask.memory
    after, device_fits = take_devices(node.free, ask.gpus, ask.gpu_share)
    columns = {
        **resource_columns(node, ask, cpu_after, memory_after),
        **device_columns(node, ask, cpu_after, after),
        **fragment_columns(node, cpu_after, after, tables),
        **pod_columns(node, ask),
    }
    rows = np.empty((len(nodes), len(PAIR_FEATURES)), np.float32)
    for index, name in enumerate(PAIR_FEATURES):
        rows[:, index] = columns[name]
    return Landing(
        rows=rows,
        fits=device_fits & (cpu_after >= -1e-3) & (memory_after >= -1e-3),
        known=np.isfinite(nodes[:, 0]) | np.isfinite(nodes[:, 1]),
    )


def resource_columns(node: NodeState, ask: Ask, cpu_after: Floats, memory_after: Floats) -> Columns:
    """CPU and memory: left, and in use."""
    cpu_left = np.clip(cpu_after / node.cpu, -1.0, 1.0)
    memory_left = np.clip(memory_after / node.memory, -1.0, 1.0)
    cpu_load = np.minimum(node.cpu_used + USED_OF_REQUEST * ask.cpu / node.cpu, 2.0)
    memory_load = np.minimum(node.memory_used + USED_OF_REQUEST * ask.memory / node.memory, 2.0)
    return {
        "cpu_left": cpu_left,
        "memory_left": memory_left,
        "cpu_left_cores": np.log1p(np.maximum(cpu_after, 0.0)) / 5,
        "memory_left_gib": np.log1p(np.maximum(memory_after, 0.0)) / 7,
        "imbalance": np.abs(cpu_left - memory_left),
        "cpu_used": node.cpu_used,
        "memory_used": node.memory_used,
        "cpu_load_after": cpu_load,
        "memory_load_after": memory_load,
        "peak_load_after": np.maximum(cpu_load, memory_load),
    }


def device_columns(node: NodeState, ask: Ask, cpu_after: Floats, after: Floats) -> Columns:
    """Devices: left, broken open, filled."""
    has_gpu = node.gpus > 0
    empty_before = np.count_nonzero(node.free >= 1.0 - TIGHT, axis=1)
    empty_after = np.count_nonzero(after >= 1.0 - TIGHT, axis=1)
    left = after.sum(axis=1)
    return {
        "has_gpu": has_gpu,
        "cpu_pod_on_gpu_node": has_gpu & (ask.gpus == 0),
        "gpu_left": left / np.maximum(node.gpus, 1.0),
        "gpu_left_devices": left / GPU_SLOTS,
        "empty_devices_left": empty_after / GPU_SLOTS,
        "opened_devices": (empty_before - empty_after) * float(ask.shares_gpu),
        "tightest_leftover": np.where(after < node.free, after, np.float32(0.0)).sum(axis=1),
        "cores_per_free_gpu": np.minimum(np.maximum(cpu_after, 0.0) / (left + 0.5) / 32, 2.0) * has_gpu,
        "gpu_count": node.gpus / GPU_SLOTS,
    }


def fragment_columns(node: NodeState, cpu_after: Floats, after: Floats, tables: FragmentTables) -> Columns:
    """Free GPU that the usual pods cannot use, and what the pod adds to it."""
    before = fragment(tables, np.maximum(node.cpu_free, 0.0), node.free)
    growth = fragment(tables, np.maximum(cpu_after, 0.0), after) - before
    return {"fragment_growth": np.clip(growth, -2.0, 2.0), "fragment_before": before / GPU_SLOTS}


def pod_columns(node: NodeState, ask: Ask) -> Columns:
    """The pod itself."""
    return {
        "pod_cpu": math.log1p(ask.cpu) / 5,
        "pod_memory": math.log1p(ask.memory) / 7,
        "pod_gpu_share": min(ask.gpu_share, 16.0) / GPU_SLOTS,
        "pod_shares_gpu": float(ask.shares_gpu),
        "pod_gpu_model_bound": ask.model_bound,
        "pod_cpu_of_node": np.minimum(ask.cpu / node.cpu, 2.0),
    }
