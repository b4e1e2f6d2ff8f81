"""Faults injected into recorded usage, because the labels of real recordings are imprecise.

usage is float32 [metric, step, node] with the metrics cpu, memory, disk, network. One fault in every two days
of each node, at a random place, of a random kind, size and length.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from berth.features.residuals import DAY
from services.serving.contract import Floats

KINDS = ("cpu_stuck_high", "memory_leak", "disk_storm", "network_drop")
SHORTEST, LONGEST = 6, 72
"""Steps: half an hour to six hours."""
RECOVERY = 72
"""Steps: the longest rolling median, six hours."""


def inject(usage: Floats, first: int, seed: int) -> tuple[Floats, NDArray[np.int8]]:
    """A copy with faults from step `first` on, and labels int8 [step, node]: 0 healthy, 1 + index of KINDS
    while a fault lasts, -1 in the six hours after, when medians still hold it and nothing is counted."""
    random = np.random.default_rng(seed)
    broken = usage.copy()
    labels = np.zeros(usage.shape[1:], dtype=np.int8)
    for node in range(usage.shape[2]):
        for block in range(first, usage.shape[1] - 2 * DAY + 1, 2 * DAY):
            kind = int(random.integers(len(KINDS)))
            length = int(random.integers(SHORTEST, LONGEST + 1))
            start = block + int(random.integers(2 * DAY - LONGEST - RECOVERY))
            span = slice(start, start + length)
            broken[:, span, node] = faulty(usage[:, span, node], KINDS[kind], random)
            labels[span, node] = kind + 1
            labels[start + length : start + length + RECOVERY, node] = -1
    return broken, labels


def of_kind(labels: NDArray[np.int8], kind: str | None = None) -> NDArray[np.int8]:
    """The labels with 1 for faults of one kind, -1 for the others; of any kind for None."""
    wanted = labels > 0 if kind is None else labels == KINDS.index(kind) + 1
    return np.where(wanted, 1, np.where(labels > 0, -1, labels)).astype(np.int8)


def faulty(usage: Floats, kind: str, random: np.random.Generator) -> Floats:
    """float32 [metric, step] of one node while the fault lasts. Steps with nothing recorded stay missing."""
    cpu, memory, disk, network = usage
    steps = usage.shape[1]
    if kind == "cpu_stuck_high":
        stuck = random.uniform(0.7, 1.0) + random.normal(0, 0.01, steps)
        cpu = np.where(np.isnan(cpu), cpu, np.maximum(cpu, stuck))
    elif kind == "memory_leak":
        memory = np.minimum(memory + np.linspace(0, random.uniform(0.2, 0.6), steps), 1)
    elif kind == "disk_storm":
        disk = disk + np.log(random.uniform(5, 50))
    elif kind == "network_drop":
        network = np.log1p(np.expm1(network) * random.uniform(0, 0.1))
    else:
        raise ValueError(f"unknown kind {kind!r}: one of {', '.join(KINDS)}")
    return np.stack([cpu, memory, disk, network]).astype(np.float32)
