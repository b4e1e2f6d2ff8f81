"""Going back to shadow by itself when answers fall back, get slow, or stop telling nodes apart."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from extender.settings import Retreat


@dataclass(frozen=True)
class Outcome:
    """One scored call: whether it fell back, whether its totals were too close to matter, and how long it took."""

    fallback: bool
    flat: bool
    took_ms: float


class Judge:
    """Looks at the last `window` scored calls; stays retreated until `forgive`."""

    def __init__(self, settings: Retreat) -> None:
        self.settings = settings
        self.cause = ""
        self._seen: deque[Outcome] = deque(maxlen=settings.window)
        self._since_check = 0

    def reconfigure(self, settings: Retreat) -> None:
        """Take changed limits; what was seen is kept as far as the new window reaches."""
        self.settings = settings
        self._seen = deque(self._seen, maxlen=settings.window)

    def add(self, outcome: Outcome) -> str:
        """Enter a call. Returns the cause when it makes Berth retreat, otherwise ''."""
        self._seen.append(outcome)
        self._since_check += 1
        full = len(self._seen) == self.settings.window
        if not self.settings.enabled or self.cause or not full or self._since_check < self.settings.window // 10:
            return ""
        self._since_check = 0
        self.cause = self.judge()
        return self.cause

    def judge(self) -> str:
        """The first limit that the window breaks, or ''."""
        limits = self.settings
        if np.mean([o.fallback for o in self._seen]) > limits.max_fallback_share:
            return "fallbacks"
        if np.percentile([o.took_ms for o in self._seen], 99) > limits.max_p99_ms:
            return "latency"
        if np.mean([o.flat for o in self._seen]) > limits.max_flat_share:
            return "flat-scores"
        return ""

    def forgive(self) -> None:
        """Start over: after an operator has set a mode."""
        self.cause = ""
        self._seen.clear()
