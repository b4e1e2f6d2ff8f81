"""The cluster as a whole: the same for all nodes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from berth.features.feature import Feature

Floats = NDArray[np.float32]


def cluster(name: str, unit: str, description: str, source: str, missing: str = "NaN") -> Feature:
    """A column of this family."""
    return Feature(f"cluster_{name}", "cluster", unit, "now", description, source, missing)


TOLD = "NaN; nodes of which nobody tells are left out"
FEATURES: tuple[Feature, ...] = (
    cluster("cpu_load", "share of allocatable", "CPU in use, in sum", "usage", TOLD),
    cluster("memory_load", "share of allocatable", "memory in use, in sum", "usage", TOLD),
    cluster("cpu_requested", "share of allocatable", "CPU requested, in sum", "nodes and pods"),
    cluster("pending_pods", "pods", "pods without a node that have not ended", "pods"),
    cluster("not_ready", "share", "share of nodes that are not ready", "nodes"),
)


def cluster_columns(
    used: Floats, allocatable: Floats, cpu_requested: Floats, pending: float, not_ready: float
) -> Floats:
    """float32 [node, len(FEATURES)]. used, allocatable: float32 [2, node], cpu and memory; cpu_requested: float32
    [node], cores; pending and not_ready: as the columns say, NaN where nobody knows."""
    loads = [weighted(*of) for of in zip(used, allocatable, strict=True)]
    cores = np.where(allocatable[0] > 0, allocatable[0], np.float32(np.nan))
    asked = weighted(np.asarray(cpu_requested / cores, dtype=np.float32), cores)
    row = np.array([*loads, asked, pending, not_ready], dtype=np.float32)
    return np.tile(row, (used.shape[1], 1))


def weighted(shares: Floats, sizes: Floats) -> float:
    """Mean of the known shares, each weighted by its size; NaN without any."""
    known = ~np.isnan(shares) & ~np.isnan(sizes)
    whole = float(sizes[known].sum(dtype=np.float64))
    return float((shares[known] * sizes[known]).sum(dtype=np.float64)) / whole if whole > 0 else math.nan
