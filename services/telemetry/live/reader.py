"""Asks Prometheus at a steady pace: the newest value of each metric, then the history that is still missing.

What is answered waits until the source takes it in, in the thread that makes snapshots.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import NamedTuple, TypeVar

from services.telemetry.live.causes import Causes
from services.telemetry.live.kube_api import KubeApi
from services.telemetry.live.prometheus import Prometheus, PrometheusError, Sample, Series
from services.telemetry.live.usage import METRICS
from services.telemetry.live.week import STEP_S, Asked
from services.telemetry.metrics import TelemetryMetrics
from services.telemetry.settings import PrometheusSettings

log = logging.getLogger("berth.telemetry.live.reader")

T = TypeVar("T")

SKEW_S = 60.0
"""A clock that differs by more deserves a word."""
WAITING = 48
"""Answers that wait for the source before history is no longer asked for; 2 MB each at 5,000 nodes."""
PAUSE_S = 0.2
"""Between two pieces of history."""


class NewestAnswer(NamedTuple):
    """Newest values of a metric, asked at `at`, unix seconds."""

    metric: str
    samples: list[Sample]
    at: float


class SpanAnswer(NamedTuple):
    """Values of a metric at the ends of these steps."""

    metric: str
    series: list[Series]
    steps: range


class Reader:
    """`run` asks; `answers` holds what came. causes: why metrics are not answered."""

    incomplete = "history is being loaded"

    def __init__(self, settings: PrometheusSettings, metrics: TelemetryMetrics) -> None:
        self.settings, self.metrics = settings, metrics
        self.answers: deque[NewestAnswer | SpanAnswer] = deque(maxlen=10 * WAITING)
        self.asked = {metric: Asked.nothing(time.time()) for metric in METRICS}
        self.causes = Causes("prometheus", "Prometheus", metrics)
        self.skew_s = 0.0

    @property
    def failing(self) -> dict[str, str]:
        """Why each metric is not answered, in a word."""
        return self.causes.failing

    async def run(self, _: KubeApi | None = None) -> None:
        """Ask until cancelled; the API server is not asked."""
        api = Prometheus(self.settings)
        try:
            while True:
                due = time.monotonic() + until_next(time.time(), self.settings.interval_s)
                await asyncio.gather(*(self.newest(api, metric) for metric in METRICS))
                await self.catch_up(api, due)
                await asyncio.sleep(max(0.0, due - time.monotonic()))
        finally:
            await api.close()

    async def catch_up(self, api: Prometheus, due: float) -> None:
        """Ask for history until `due`, monotonic seconds, while there is more of it and room for what comes."""
        while time.monotonic() < due and len(self.answers) < WAITING:
            if not await self.older(api):
                return
            await asyncio.sleep(PAUSE_S)

    async def newest(self, api: Prometheus, metric: str) -> None:
        """Ask for the newest values of a metric."""
        query = self.settings.queries.of(metric, self.settings.window_s)
        try:
            found = await api.newest(query)
        except PrometheusError as error:
            self.causes.failed(metric, error.reason, str(error))
            return
        now = time.time()
        self.causes.answered(metric)
        self.metrics.partial.labels(metric).inc(float(found.partial))
        if found.samples:
            self.note_clock(found.samples[0].at - now)
        self.answers.append(NewestAnswer(metric, found.samples, now))

    async def older(self, api: Prometheus) -> bool:
        """Ask for one piece of each metric's history. Whether any came: then there may be more."""
        came = [await self.piece(api, metric) for metric in METRICS]
        return any(came)

    async def piece(self, api: Prometheus, metric: str) -> bool:
        """Ask for the next piece of a metric's history. Whether it came."""
        steps = self.asked[metric].next(time.time())
        if steps is None:
            return False
        query = self.settings.queries.of(metric, STEP_S)
        try:
            series = await api.span(query, steps, STEP_S)
        except PrometheusError as error:
            self.causes.failed(metric, error.reason, str(error))
            return False
        self.asked[metric].done(steps)
        self.answers.append(SpanAnswer(metric, series, steps))
        return True

    def taken(self) -> list[NewestAnswer | SpanAnswer]:
        """The answers that wait; they no longer do. Called from the source's thread."""
        return drained(self.answers)

    def shares(self) -> dict[str, float]:
        """Share of a week that each metric has been asked for, 0 to 1."""
        return {metric: asked.share(time.time()) for metric, asked in self.asked.items()}

    def note_clock(self, ahead_s: float) -> None:
        """How far Prometheus's clock is ahead of ours."""
        if abs(ahead_s) > SKEW_S >= abs(self.skew_s):
            log.warning("Prometheus's clock differs from this machine's by %.0f s", ahead_s)
        self.skew_s = ahead_s
        self.metrics.skew.set(ahead_s)


def drained(answers: deque[T]) -> list[T]:
    """What waits, which then no longer does; another thread may add meanwhile."""
    found = []
    while answers:
        found.append(answers.popleft())
    return found


def until_next(now: float, interval_s: float) -> float:
    """Seconds until the next multiple of the interval: steps of history that are as long have one answer each."""
    return interval_s - now % interval_s
