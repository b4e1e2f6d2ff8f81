"""How much free GPU the usual pods could not use: Weng et al., "Beware of Fragmentation", USENIX ATC 2023.

The measure of a node is the mean, over classes of pods weighted by how often they come, of the free GPU that
a pod of the class could not take. Memory and GPU models are left out. For a class that needs no GPU all free
GPU counts. Tables make the exact sum two look-ups a node, so 5,000 nodes take less than a millisecond.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from berth.recordings.load import OpenbPod

Floats = NDArray[np.float32]
GRID = 100
"""Steps of a device's free share in the tables."""
MAX_DEVICES = 8


@dataclass(frozen=True)
class PodClass:
    """Pods that ask alike: cores, devices, share of each device, and their part of all pods."""

    cpu: float
    gpus: int
    share: float
    weight: float


@dataclass(frozen=True)
class FragmentTables:
    """cores: float32 [C], rising. shared: float32 [C+1, GRID+1], part of pods that want a share of a device
    but cannot use one so free. whole: float32 [C+1, 9], part that want whole devices and cannot run with
    that many free. The first axis is how many of `cores` the node's free CPU reaches."""

    cores: Floats
    shared: Floats
    whole: Floats
    whole_total: float
    none_total: float


def typical_classes(pods: Sequence[OpenbPod], cover: float = 0.95) -> tuple[PodClass, ...]:
    """Classes by falling count until `cover` of the pods is reached, weights renormalised to 1."""
    counts = Counter((p.cpu_milli, p.gpus, p.gpu_milli) for p in pods)
    chosen: list[tuple[tuple[int, int, int], int]] = []
    for entry in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if sum(count for _, count in chosen) >= cover * len(pods):
            break
        chosen.append(entry)
    total = sum(count for _, count in chosen)
    return tuple(PodClass(cpu / 1000, gpus, milli / 1000, n / total) for (cpu, gpus, milli), n in chosen)


def fragment_tables(classes: Sequence[PodClass]) -> FragmentTables:
    """Look-up tables for `fragment`."""
    cores = np.unique([c.cpu for c in classes]).astype(np.float32)
    free = np.arange(GRID + 1) / GRID
    devices = np.arange(MAX_DEVICES + 1)
    shared = np.zeros((len(cores) + 1, GRID + 1), np.float32)
    whole = np.zeros((len(cores) + 1, MAX_DEVICES + 1), np.float32)
    for c in classes:
        starved = (np.arange(len(cores) + 1) <= np.searchsorted(cores, np.float32(c.cpu)))[:, None]
        if c.gpus == 1 and c.share < 1.0:
            shared += c.weight * (starved | (free < c.share - 1e-6))
        elif c.gpus:
            whole += c.weight * (starved | (devices < c.gpus))
    whole_total = sum(c.weight for c in classes if c.gpus and c.share >= 1.0)
    none_total = sum(c.weight for c in classes if not c.gpus)
    return FragmentTables(cores, shared, whole, whole_total, none_total)


def fragment(tables: FragmentTables, cpu_free: Floats, gpu_free: Floats) -> Floats:
    """float32 [N]: expected unusable free GPU in devices. cpu_free [N] cores; gpu_free [N, 8], 0 for none."""
    level = np.searchsorted(tables.cores, cpu_free + 1e-4, side="right")
    cells = np.minimum(gpu_free * GRID + 1e-3, GRID).astype(np.intp)
    cells += (level * (GRID + 1))[:, None]
    unshareable = np.einsum("nd,nd->n", gpu_free, tables.shared.ravel()[cells])
    empty = np.count_nonzero(gpu_free >= 1.0 - 1e-4, axis=1)
    total = gpu_free.sum(axis=1)
    blocked = tables.whole[level, empty]
    unwhole = blocked * total + (tables.whole_total - blocked) * (total - empty)
    result: Floats = (unshareable + unwhole + tables.none_total * total).astype(np.float32)
    return result
