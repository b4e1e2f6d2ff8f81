"""How long to wait before a process that has ended is started again."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_S = 0.5
LONGEST_S = 15.0
STEADY_S = 30.0
"""A process that lived this long starts with the first pause again."""


@dataclass
class Backoff:
    """pause: the last one, in seconds. due: monotonic seconds of the next start, None while it runs."""

    pause: float = 0.0
    due: float | None = None

    def ended(self, started: float, now: float) -> float:
        """Notes an end; returns the pause until the next start. Each early end doubles it."""
        steady = now - started >= STEADY_S
        self.pause = FIRST_S if steady or not self.pause else min(self.pause * 2.0, LONGEST_S)
        self.due = now + self.pause
        return self.pause
