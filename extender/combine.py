"""From the three parts to one integer a node. Pure functions of arrays; a part is float32 [nodes] in [0, 1]."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

MAX_SCORE = 10
"""extenderv1.MaxExtenderPriority."""


def fill_missing(part: Floats) -> Floats:
    """The part with NaN replaced by the call's median: a node nobody knows is neither sought nor avoided.

    All NaN gives 0.5 everywhere, which moves nothing.
    """
    missing = np.isnan(part)
    if not missing.any():
        return part
    known = part[~missing]
    middle = np.float32(np.median(known)) if known.size else np.float32(0.5)
    return np.where(missing, middle, part)


def shares(names: Iterable[str], weights: Mapping[str, float]) -> dict[str, float]:
    """What each of these parts counts, 1 in all; without those that have no weight."""
    used = {name: weights[name] for name in names if weights[name] > 0.0}
    whole = sum(used.values())
    return {name: weight / whole for name, weight in used.items()}


def combine(parts: Mapping[str, Floats], weights: Mapping[str, float]) -> Floats:
    """float32 [nodes] in [0, 1]: weighted mean over the parts that are there, the same weights for all nodes. Parts
    without missing values: `fill_missing` comes first.

    Raises ValueError when no part with a weight above 0 is there.
    """
    used = shares(parts, weights)
    if not used:
        raise ValueError("no part to combine")
    return functools.reduce(np.add, (parts[name] * np.float32(share) for name, share in used.items()))


def spread_out(totals: Floats, in_flight: Floats, cost: float) -> Floats:
    """Totals less `cost` of the call's spread for each pod in flight on a node, so that a burst does not herd.

    in_flight: float32 [nodes], pods placed but not yet seen by telemetry. The fewest in flight cost nothing.
    """
    if cost <= 0.0 or not in_flight.size:
        return totals
    fewest, most = np.minimum.reduce(in_flight), np.maximum.reduce(in_flight)
    if fewest == most:
        return totals
    one = np.float32(cost) * (np.maximum.reduce(totals) - np.minimum.reduce(totals))
    spread: Floats = totals - one * (in_flight - fewest)
    return spread


def integers(totals: Floats, min_spread: float) -> Ints:
    """int32 [nodes] in 0 to 10: exactly one node has 10, the first of the best; the others keep their order.

    Rounding down and a single winner: rounding to nearest lets several nodes tie at 10, and then other plugins
    decide. All 0 (neutral) where the totals differ by less than `min_spread`, or for a single node.
    """
    best = int(totals.argmax()) if totals.size else 0
    low, high = (float(np.minimum.reduce(totals)), float(totals[best])) if totals.size else (0.0, 0.0)
    if not high - low >= max(min_spread, 1e-6):
        return np.zeros(totals.shape, dtype=np.int32)
    scores: Ints = np.minimum((totals - low) * (MAX_SCORE / (high - low)), MAX_SCORE - 1).astype(np.int32)
    scores[best] = MAX_SCORE
    return scores
