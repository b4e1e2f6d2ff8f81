"""Hours of usage, kept as they end: the long windows read these, not 2,016 steps.

A plane an hour: the mean of each metric, then the largest step of cpu and of memory.

A step is numbered by its end: unix seconds // 300. Hour h is the 12 steps that end after h:00 up to (h + 1):00, so that
an hour means the same to whoever looks, and changes once. A figure of an hour of which fewer than half of the steps are
known is NaN; an hour of which not all steps are in the window is not there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from berth.features.history import extreme

Floats = NDArray[np.float32]

HOUR = 12
"""Steps of 5 minutes in an hour."""
STEP_S = 300
METRICS = 4
PEAKS = 2
"""Metrics of which the largest step is kept too: cpu and memory."""
PLANES = METRICS + PEAKS
WEEK = 7 * 24
KEPT = WEEK + 1
"""Hours: a week, and the one before it that the newest hour is compared with."""


def hourly(usage: Floats, last: int) -> tuple[int, Floats]:
    """The first hour that lies in `usage`, and float32 [plane, hour, node] from it on. usage: float32 [metric, step,
    node]; last: number of its last step, which has ended."""
    first = last - usage.shape[1] + 1
    start = -((1 - first) // HOUR)
    hours = max(0, last // HOUR - start)
    skipped = start * HOUR + 1 - first
    whole = usage[:, skipped : skipped + hours * HOUR] if hours else usage[:, :0]
    folded = whole.reshape(usage.shape[0], hours, HOUR, usage.shape[2])
    return start, np.concatenate([mean_of(folded, 2), extreme(np.moveaxis(folded[:PEAKS], 2, 0), -np.inf)])


def mean_of(values: Floats, axis: int) -> Floats:
    """Mean along an axis of what is known, NaN where that is fewer than half."""
    known = ~np.isnan(values)
    counts = known.sum(axis=axis, dtype=np.float32)
    sums = np.where(known, values, np.float32(0)).sum(axis=axis, dtype=np.float32)
    return np.asarray(sums / np.where((counts > 0) & (counts * 2 >= values.shape[axis]), counts, np.float32(np.nan)))


class KeptHours:
    """planes: float32 [plane, KEPT, node], the newest hour last; ended: number of the hour after it; version: rises
    when a figure changes."""

    def __init__(self) -> None:
        self.nodes: tuple[str, ...] = ()
        self.planes: Floats = np.full((PLANES, KEPT, 0), np.nan, dtype=np.float32)
        self.ended, self.version = 0, 0

    def arrange(self, nodes: Sequence[str]) -> None:
        """These are the nodes: new ones have no hours, of the others they stay."""
        if tuple(nodes) == self.nodes:
            return
        column_of = {name: column for column, name in enumerate(self.nodes)}
        fresh = np.full((*self.planes.shape[:2], len(nodes)), np.nan, dtype=np.float32)
        kept = [(new, column_of[name]) for new, name in enumerate(nodes) if name in column_of]
        if kept:
            to, origin = zip(*kept, strict=True)
            fresh[:, :, to] = self.planes[:, :, origin]
        self.nodes, self.planes = tuple(nodes), fresh
        self.version += 1

    def follow(self, usage: Floats, last: int, changed: int | None = None) -> None:
        """Enter the hours that have ended. usage: float32 [metric, step, node] whose last step is number `last`; of a
        longer one the end is read. changed: the oldest step that is not what it was."""
        ended = last // HOUR
        since = self.ended if changed is None else min(self.ended, (changed - 1) // HOUR)
        since = max(since, ended - KEPT)
        self._go_on(ended)
        if since < ended:
            start, planes = hourly(usage[:, -(last - since * HOUR) :], last)
            self._enter(ended - start, planes)

    def _go_on(self, ended: int) -> None:
        """Make room for new hours; a clock that went back forgets what it had not reached."""
        passed = ended - self.ended
        if not passed:
            return
        kept = np.full_like(self.planes, np.nan)
        if 0 < passed < KEPT:
            kept[:, :-passed] = self.planes[:, passed:]
        elif -KEPT < passed < 0:
            kept[:, -passed:] = self.planes[:, :passed]
        self.planes, self.ended = kept, ended
        self.version += 1

    def _enter(self, ago: int, planes: Floats) -> None:
        """Hours from the one that is `ago` hours before the one that runs."""
        target = self.planes[:, KEPT - ago : KEPT - ago + planes.shape[1]]
        if not np.array_equal(target, planes, equal_nan=True):
            target[:] = planes
            self.version += 1
