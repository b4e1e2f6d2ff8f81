"""From forecasts to headroom: how much of a node is left when its load peaks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

HORIZONS = 3
"""Columns a metric has in a forecast: 1, 2 and 4 h."""


def peaks(forecast: Floats) -> Floats:
    """float32 [nodes, 2]: the highest forecast of CPU and of memory, share of allocatable.

    forecast: float32 [nodes, 6] as the load predictor gives it. Computed once a snapshot.
    """
    return np.stack([forecast[:, :HORIZONS].max(axis=1), forecast[:, HORIZONS:].max(axis=1)], axis=1)


def headroom(peak: Floats, added: Floats) -> Floats:
    """float32 [nodes] in [0, 1]: what is left of the scarcer of CPU and memory.

    peak: float32 [nodes, 2] of `peaks`; added: float32 [nodes, 2], share of allocatable that this pod and the
    pods in flight are expected to use there. NaN where the forecast is missing.
    """
    load = peak + added
    left: Floats = np.float32(1.0) - np.maximum(load[:, 0], load[:, 1])  # .max(axis=1) of two columns takes longer
    return np.minimum(np.maximum(left, np.float32(0.0)), np.float32(1.0))
