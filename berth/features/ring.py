"""The last days of usage, kept as they come."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SLACK_STEPS = 288
"""Room behind the kept steps: the kept part is moved to the front once a day, not on every step."""


class UsageRing:
    """Keeps the newest `kept` planes float32 [metric, node]. Reading is free of copies."""

    def __init__(self, metrics: int, nodes: int, kept: int) -> None:
        self.kept = kept
        self.buffer = np.full((metrics, kept + SLACK_STEPS, nodes), np.nan, dtype=np.float32)
        self.end = 0

    def append(self, plane: Floats) -> None:
        """Adds the newest plane; the oldest falls out once `kept` are held."""
        if self.end == self.buffer.shape[1]:
            oldest = self.end - self.kept + 1
            self.buffer[:, : self.kept - 1] = self.buffer[:, oldest : self.end]
            self.end = self.kept - 1
        self.buffer[:, self.end] = plane
        self.end += 1

    def newest(self, steps: int) -> Floats:
        """float32 [metric, steps, node], oldest first: a view, valid until the next append."""
        if not 0 < steps <= min(self.kept, self.end):
            raise ValueError(f"{steps} steps asked for, {min(self.kept, self.end)} are kept")
        return self.buffer[:, self.end - steps : self.end]
