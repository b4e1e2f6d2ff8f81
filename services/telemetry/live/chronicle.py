"""Writes incidents when they begin and end, and signals every 5 minutes; reads incidents back.

What is written lives on: telemetry that starts, or takes over from another, goes on with the incidents that last.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import pyarrow as pa

from services.telemetry.history.errors import HistoryError
from services.telemetry.history.incidents import Incident
from services.telemetry.history.journal import Journal, signal_rows
from services.telemetry.live.health import Health
from services.telemetry.live.incidents import REMEMBERED_S
from services.telemetry.live.week import STEP_S
from services.telemetry.metrics import TelemetryMetrics
from services.telemetry.settings import HistorySettings

log = logging.getLogger("berth.telemetry.live")

EVERY_S = 15.0
"""Between two looks for news; a crash loses as much, of which the API server tells again but for saturation."""
WAITING = 12
"""Moments of signals that wait for a disk that refuses them: an hour."""
Signals = Mapping[str, Mapping[str, float]]


class Chronicle:
    """signals: their newest values at a moment, by signal and node; leads: whether this publisher is the one that
    writes; journal: None where no history is kept. failing: why nothing is written, '' while all is well."""

    def __init__(
        self,
        settings: HistorySettings,
        metrics: TelemetryMetrics,
        health: Health,
        signals: Callable[[float], Signals],
        leads: Callable[[], bool],
    ) -> None:
        self.metrics, self.health, self.signals, self.leads = metrics, health, signals, leads
        self.journal = Journal(settings) if settings.url else None
        self.waiting: deque[pa.Table] = deque(maxlen=WAITING)
        self.step = int(time.time()) // STEP_S
        self.adopted, self.failing = False, ""

    async def run(self) -> None:
        """Write until cancelled, and once more then."""
        try:
            while True:
                await asyncio.to_thread(self.write, time.time())
                await asyncio.sleep(EVERY_S)
        finally:
            self.write(time.time())

    def write(self, now: float) -> None:
        """What is new. What cannot be written waits."""
        if self.journal is None or not self.leads():
            self.adopted = False
            with self.health.lock:
                self.health.incidents.taken()
            return
        try:
            self._write(self.journal, now)
            self.failing = ""
        except HistoryError as error:
            self.metrics.history_failures.labels(error.reason).inc()
            if self.failing != error.reason:
                log.warning("%s", error)
            self.failing = error.reason

    def _write(self, journal: Journal, now: float) -> None:
        """Raises HistoryError."""
        if not self.adopted:
            self._adopt(journal.since(now - REMEMBERED_S, now), now)
        self._take_signals(now)
        with self.health.lock:
            news = self.health.incidents.taken()
        try:
            journal.write_incidents(news)
        except HistoryError:
            with self.health.lock:
                self.health.incidents.give_back(news)
            raise
        while self.waiting:
            journal.write_signals(self.waiting[0])
            self.waiting.popleft()
        journal.tidy(datetime.fromtimestamp(now, UTC))

    def _adopt(self, stored: list[Incident], now: float) -> None:
        """Go on with what is written."""
        with self.health.lock:
            self.health.adopt(stored, now)
        self.adopted = True

    def _take_signals(self, now: float) -> None:
        """Once a step, at its beginning."""
        step = int(now) // STEP_S
        if step > self.step:
            self.step = step
            self.waiting.append(signal_rows(self.signals(now), float(step * STEP_S)))

    def since(self, start: float, now: float, node: str = "") -> tuple[list[Incident], bool]:
        """Incidents that lasted or began at or after `start`, newest first, and whether the disk could be read. Called
        from a worker thread."""
        stored, whole = list[Incident](), True
        if self.journal is not None:
            try:
                stored = self.journal.since(start, now, node)
            except HistoryError as error:
                log.warning("%s", error)
                whole = False
        with self.health.lock:
            fresh = [one for one in self.health.incidents.since(start) if not node or one.node == node]
        found = {one.key: one for one in stored} | {one.key: one for one in fresh}
        return sorted(found.values(), key=lambda one: (-one.at, one.key)), whole
