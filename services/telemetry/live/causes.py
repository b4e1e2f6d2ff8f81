"""Why something is not told, in a word each, counted, and said in the log where it is new."""

from __future__ import annotations

import logging

from services.telemetry.metrics import TelemetryMetrics

log = logging.getLogger("berth.telemetry.live")


class Causes:
    """Of one teller. of: its name in metrics; name: for people. failing: a word by what is not told."""

    def __init__(self, of: str, name: str, metrics: TelemetryMetrics) -> None:
        self.of, self.name, self.metrics = of, name, metrics
        self.failing: dict[str, str] = {}

    def failed(self, what: str, reason: str, words: str = "") -> None:
        """It has not been told. A server may be away for hours: the log gets a line where the reason is new, with more
        words where there are any."""
        self.metrics.source_failures.labels(self.of, reason).inc()
        if self.failing.get(what) != reason:
            log.warning("%s does not tell %s: %s", self.name, what, words or reason)
        self.failing[what] = reason

    def answered(self, what: str) -> None:
        """It tells again."""
        if self.failing.pop(what, None):
            log.info("%s tells %s again", self.name, what)

    def words(self) -> list[str]:
        """For people."""
        return [f"{self.name} does not tell {what}: {why}" for what, why in self.failing.items()]
