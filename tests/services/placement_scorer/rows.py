"""Rows as a snapshot holds them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
GAP = float("nan")


def node(
    gpus: Sequence[float] = (),
    cpu: float = 96.0,
    memory: float = 384.0,
    requested: float = 0.4,
    cpu_used: float = 0.3,
    memory_used: float = 0.3,
) -> Floats:
    """One node; `gpus` is the free share of each device."""
    devices = [*gpus, *[GAP] * (8 - len(gpus))]
    asked = len(gpus) - sum(gpus)
    sizes = [cpu, memory, len(gpus), cpu * requested, memory * requested, asked, cpu_used, memory_used]
    return np.array([*sizes, *devices], np.float32)


def pod(cpu: float = 4.0, memory: float = 16.0, gpus: int = 0, share: float = 0.0) -> Floats:
    """One pod; `share` is the sum over its devices."""
    return np.array([cpu, memory, gpus, share, 0.0], np.float32)


def random_nodes(count: int, seed: int) -> Floats:
    """Nodes of all kinds, some columns missing."""
    source = np.random.default_rng(seed)
    rows = [
        node(
            gpus=source.choice([0.0, 0.19, 0.53, 1.0], source.integers(0, 9)).tolist(),
            cpu=float(source.choice([8, 32, 64, 96, 128])),
            requested=float(source.uniform(0, 1)),
            cpu_used=float(source.uniform(0, 1)),
            memory_used=float(source.uniform(0, 1)),
        )
        for _ in range(count)
    ]
    matrix = np.stack(rows)
    matrix[source.random(matrix.shape) < 0.03] = GAP
    return matrix
