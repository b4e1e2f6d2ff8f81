"""The last week of each node's usage in steps of 5 minutes, and which of them are still to be asked for.

A step is the 5 minutes that end at a multiple of 300 s. The newest step has not ended: it holds the newest readings
until its end, when Prometheus is asked for the whole of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from berth.features.history import HISTORY_STEPS
from berth.features.ring import UsageRing
from services.telemetry.live.usage import METRICS

Floats = NDArray[np.float32]

STEP_S = 300
SETTLE_S = 60
"""A step is asked for so long after its end: scrapes and remote writes come late."""
CHUNK = 72
"""Steps asked for at once: six hours."""


def running_step(now: float) -> int:
    """Number of the step that has not ended."""
    return int(now // STEP_S) + 1


class Week:
    """float32 [metric, step, node]; columns in the order of `nodes`. changed: the oldest step that was entered since
    `changes` was asked, None without one."""

    def __init__(self, now: float) -> None:
        self.nodes: tuple[str, ...] = ()
        self.ring = empty_ring(0)
        self.running = running_step(now)
        self.changed: int | None = None

    def arrange(self, nodes: Sequence[str]) -> None:
        """These are the nodes: new ones have no history, of the others it stays."""
        if tuple(nodes) == self.nodes:
            return
        column_of = {name: column for column, name in enumerate(self.nodes)}
        fresh, before = empty_ring(len(nodes)), self.ring.newest(HISTORY_STEPS)
        kept = [(new, column_of[name]) for new, name in enumerate(nodes) if name in column_of]
        if kept:
            to, origin = zip(*kept, strict=True)
            fresh.newest(HISTORY_STEPS)[:, :, to] = before[:, :, origin]
        self.nodes, self.ring = tuple(nodes), fresh

    def go_on(self, now: float) -> None:
        """Begin the steps that have begun since."""
        for _ in range(min(running_step(now) - self.running, HISTORY_STEPS)):
            self.ring.append(np.full((len(METRICS), len(self.nodes)), np.nan, dtype=np.float32))
        self.running = max(self.running, running_step(now))

    def set_running(self, plane: Floats) -> None:
        """The newest readings, float32 [metric, node]."""
        self.window()[:, -1] = plane

    def enter(self, metric: int, first: int, values: Floats) -> None:
        """What was asked for: float32 [step, node] from step `first` on. NaN changes nothing."""
        start = first - (self.running - HISTORY_STEPS + 1)
        skipped = max(0, -start)
        target = self.window()[metric, start + skipped : start + len(values)]
        known = values[skipped:][: len(target)]
        np.copyto(target, known, where=~np.isnan(known))
        oldest = first + skipped
        self.changed = oldest if self.changed is None else min(self.changed, oldest)

    def changes(self) -> int | None:
        """The oldest step that was entered since this was asked last."""
        found, self.changed = self.changed, None
        return found

    def window(self) -> Floats:
        """float32 [metric, HISTORY_STEPS, node], a view, valid until the next change; the last step is running."""
        return self.ring.newest(HISTORY_STEPS)


def empty_ring(nodes: int) -> UsageRing:
    """A week of nothing."""
    ring = UsageRing(len(METRICS), nodes, HISTORY_STEPS)
    ring.end = HISTORY_STEPS
    return ring


@dataclass
class Asked:
    """Steps that one metric has been asked for, from `first` to `last`; none where `first` is above."""

    first: int
    last: int

    @classmethod
    def nothing(cls, now: float) -> Asked:
        """At the start."""
        return cls(ended_step(now) + 1, ended_step(now))

    def next(self, now: float) -> range | None:
        """What to ask for next: what has ended since, then older and older steps; None when the week is there."""
        ended, oldest = ended_step(now), oldest_step(now)
        if self.last < ended:
            return range(max(self.last + 1, oldest), ended + 1)[:CHUNK]
        if self.first > oldest:
            return range(max(oldest, self.first - CHUNK), self.first)
        return None

    def done(self, steps: range) -> None:
        """These were answered."""
        self.first, self.last = min(self.first, steps.start), max(self.last, steps.stop - 1)

    def share(self, now: float) -> float:
        """Of a week, 0 to 1."""
        there = self.last - max(self.first, oldest_step(now)) + 1
        return max(0.0, there / (ended_step(now) - oldest_step(now) + 1))


def ended_step(now: float) -> int:
    """Number of the newest step that is to be asked for."""
    return running_step(now - SETTLE_S) - 1


def oldest_step(now: float) -> int:
    """Number of the oldest step that a week still holds."""
    return ended_step(now) - HISTORY_STEPS + 2
