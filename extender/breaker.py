"""A circuit breaker for one model: failures in a row open it, a background probe closes it, never a waiting pod."""

from __future__ import annotations

from dataclasses import dataclass

TOGETHER_S = 0.03
"""Failures closer than this are one: calls that wait side by side meet the same stall."""


@dataclass
class Breaker:
    """failures: in a row that open it. pause_s .. max_pause_s: wait before a probe, doubled while probes fail or
    while it opens again soon after it has closed."""

    failures: int
    pause_s: float
    max_pause_s: float
    in_a_row: int = 0
    open: bool = False
    failed_at: float = float("-inf")
    probe_at: float = 0.0
    current_pause_s: float = 0.0
    closed_at: float = float("-inf")

    def success(self) -> None:
        """An answer came in time and was valid."""
        self.in_a_row = 0

    def failure(self, now: float) -> None:
        """No usable answer. now: monotonic seconds."""
        if now - self.failed_at < TOGETHER_S:
            return
        self.failed_at = now
        self.in_a_row += 1
        if not self.open and self.in_a_row >= self.failures:
            self.trip(now)

    def trip(self, now: float) -> None:
        """Open at once: a failure was looked into and the model does not answer."""
        soon_again = now - self.closed_at < 2.0 * self.max_pause_s
        pause_s = self.current_pause_s * 2.0 if soon_again else self.pause_s
        self.current_pause_s = min(max(pause_s, self.pause_s), self.max_pause_s)
        self.open, self.probe_at = True, now + self.current_pause_s

    def probe_failed(self, now: float) -> None:
        """Stay open, wait longer."""
        self.current_pause_s = min(self.current_pause_s * 2.0, self.max_pause_s)
        self.probe_at = now + self.current_pause_s

    def probe_succeeded(self, now: float) -> None:
        """Close."""
        self.open, self.in_a_row, self.closed_at = False, 0, now
