"""Writes usage to history as Prometheus tells it: rows wait in memory and become a file every few minutes.

`note` and `note_capacity` are called from the source's thread, `run` on the event loop.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.telemetry.history.errors import HistoryError
from services.telemetry.history.files import Files
from services.telemetry.history.kinds import CAPACITY, USAGE
from services.telemetry.history.notes import Notes, rows_of
from services.telemetry.history.store import HistoryStore
from services.telemetry.history.tidying import Tidying
from services.telemetry.metrics import TelemetryMetrics
from services.telemetry.settings import HistorySettings

log = logging.getLogger("berth.telemetry.history")

WAITING_S = 3600.0
"""Rows wait so long for a store that refuses them; then the oldest are given up."""
TOLD_BY_API_SERVER = "node"


class Recorder:
    """Of one root."""

    def __init__(self, settings: HistorySettings, metrics: TelemetryMetrics) -> None:
        self.settings, self.metrics = settings, metrics
        self.store = HistoryStore(Files(settings.url), USAGE)
        self.tidying = Tidying(settings, [self.store])
        self.waiting: deque[Notes] = deque()
        self.lock = threading.Lock()
        self.newest: dict[str, int] = {}
        self.failing, self.written_at = "", 0.0
        self.mine = secrets.token_hex(3)
        metrics.history_age.set_function(lambda: math.nan if (age := self.age_s()) is None else age)

    def note(self, metric: str, told: Sequence[tuple[str, str, float]], at: float) -> None:
        """What one answer says: node, teller and value; NaN is nobody's. A second answer of the same step is not
        taken."""
        step = int(at // self.settings.step_s) * self.settings.step_s
        known = [one for one in told if one[2] == one[2]]
        if known and self.newest.get(metric, -1) < step:
            self.newest[metric] = step
            nodes, told_by, values = zip(*known, strict=True)
            self._enter(Notes(step, metric, list(nodes), list(told_by), np.array(values, dtype=np.float32)))

    def note_capacity(self, nodes: Sequence[str], whole: Mapping[str, NDArray[np.float32]], at: float) -> None:
        """What nodes have, float32 [node]: once for each file."""
        if at < self.newest.get("capacity", 0) + self.settings.flush_s:
            return
        self.newest["capacity"] = int(at)
        for metric, name in CAPACITY.items():
            told = zip(nodes, [TOLD_BY_API_SERVER] * len(nodes), whole[metric].tolist(), strict=True)
            self.note(name, list(told), at)

    def _enter(self, notes: Notes) -> None:
        with self.lock:
            self.waiting.append(notes)
            while self.waiting[0].at < notes.at - WAITING_S:
                self.metrics.history_lost.inc(len(self.waiting.popleft().nodes))

    async def run(self) -> None:
        """Write until cancelled, and once more then."""
        try:
            while True:
                await asyncio.sleep(self.settings.flush_s)
                await asyncio.to_thread(self.flush)
        finally:
            self.flush()

    def flush(self) -> None:
        """Write what waits, and tidy up after each hour. What cannot be written waits on."""
        with self.lock:
            taken = list(self.waiting)
            self.waiting.clear()
        try:
            if taken:
                self._write(taken)
            self.tidying.tidy(datetime.now(UTC))
            self.failing = ""
        except HistoryError as error:
            self._failed(error)

    def _write(self, taken: list[Notes]) -> None:
        """A second attempt has the first's name and more rows: what was written of it is replaced."""
        written = False
        try:
            self.store.write(rows_of(taken), f"live-{taken[0].at}-{self.mine}")
            written = True
        finally:
            if not written:  # whatever went wrong
                with self.lock:
                    self.waiting.extendleft(reversed(taken))
        self.metrics.history_rows.inc(sum(len(notes.nodes) for notes in taken))
        self.written_at = time.time()

    def _failed(self, error: HistoryError) -> None:
        self.metrics.history_failures.labels(error.reason).inc()
        if self.failing != error.reason:
            log.warning("%s", error)
        self.failing = error.reason

    def age_s(self) -> float | None:
        """Since rows were last written; None before."""
        return time.time() - self.written_at if self.written_at else None

    def state(self) -> dict[str, Any]:
        """For /v1/state."""
        with self.lock:
            waiting = sum(len(notes.nodes) for notes in self.waiting)
        age = self.age_s()
        return {
            "written_age_s": None if age is None else round(age, 1),
            "waiting_rows": waiting,
            "failing": self.failing,
        }
