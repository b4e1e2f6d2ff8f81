"""Medians over planes: many short columns side by side, such as one time of day on seven days for every node.

numpy sorts and takes medians column by column. Here whole planes are compared at once, in the order of a sorting
network, which for 6 to 24 planes takes a fraction of np.sort's time.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def median(values: Floats, least: int) -> Floats:
    """Median over axis 0 without the NaNs; NaN where fewer than `least` are left. `values` are used up."""
    known = np.isfinite(values)
    whole = bool(known.all())
    if not whole:
        np.copyto(values, np.float32(np.inf), where=~known)
    ordered = sort_planes(values)
    middle: Floats = (ordered[(len(values) - 1) // 2] + ordered[len(values) // 2]) / np.float32(2)
    if not whole:
        count = known.sum(axis=0)
        gaps = count < len(values)
        middle[gaps] = middle_of(np.stack([plane[gaps] for plane in ordered]), count[gaps])
        middle[count < least] = np.nan
    return middle


def medians_of_others(values: Floats) -> Floats:
    """float32 [plane, place]: for each plane the median of all others, NaN where fewer than half of them are there.

    values: float32 [plane, place], an odd number of planes from 5 on. Sorted once: without one of them the middle is
    where it was or next to it.
    """
    half = len(values) // 2
    below, middle, above = sort_planes(values.copy())[half - 1 : half + 2]
    less, same, more = values < middle, values == middle, values > middle  # products of these branch nowhere
    others = np.asarray(less * ((middle + above) / 2) + same * ((below + above) / 2) + more * ((below + middle) / 2))
    gaps = np.isnan(values).any(axis=0)
    if gaps.any():
        rest = values[:, gaps]
        others[:, gaps] = [median(np.delete(rest, plane, axis=0), half) for plane in range(len(values))]
    return others


def middle_of(ordered: Floats, count: NDArray[np.intp]) -> Floats:
    """Median of the first `count` of each column of `ordered`, float32 [plane, place]; anything where it is 0."""
    below, above = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, len(ordered) - 1)
    return np.asarray((take(ordered, below) + take(ordered, above)) / 2)


def take(planes: Floats, index: NDArray[np.intp]) -> Floats:
    """planes[index[i], i] for each place i of a plane."""
    return np.asarray(np.take_along_axis(planes, index[None], 0)[0])


def sort_planes(planes: Floats) -> list[Floats]:
    """The planes sorted along axis 0, in their own memory, which is in no order then. A place with NaN keeps no order:
    put infinity there first."""
    ordered = list(planes)
    spare = np.empty_like(ordered[0])
    for left, right in exchanges(len(ordered)):
        low, high = ordered[left], ordered[right]
        ordered[left], spare = np.minimum(low, high, out=spare), low
        np.maximum(low, high, out=high)
    return ordered


@cache
def exchanges(planes: int) -> tuple[tuple[int, int], ...]:
    """The pairs that a network compares in turn to sort so many planes: Batcher's odd-even merge sort, 1968."""
    pairs = []
    powers = [2**i for i in range(planes.bit_length())]
    for run in powers:
        for step in (power for power in reversed(powers) if power <= run):
            for start in range(step % run, planes - step, 2 * step):
                for left in range(start, min(start + step, planes - step)):
                    if left // (2 * run) == (left + step) // (2 * run):
                        pairs.append((left, left + step))
    return tuple(pairs)
