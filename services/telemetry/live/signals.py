"""Signals by node beside usage: pressure, throttling and lines of error, asked for in turn, so that it stays one more
question a look; restarts and evictions come from the watched pods (`health.py`)."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import AsyncExitStack

from services.telemetry.live.causes import Causes
from services.telemetry.live.prometheus import Prometheus, PrometheusError
from services.telemetry.live.reader import NewestAnswer, drained
from services.telemetry.metrics import TelemetryMetrics
from services.telemetry.settings import TelemetrySettings

ASKED = ("cpu_pressure", "memory_pressure", "io_pressure", "throttling")
"""Of Prometheus, one each turn."""
LINES = "error_lines"
"""Of Loki, as often as each of the others."""
SIGNALS = (*ASKED, LINES)
SHARES = frozenset(ASKED)
LARGEST_SHARE = 1.05
"""A rate is extrapolated: a share may be a little above 1. A larger one is none."""
WAITING = 64
"""Answers that wait for the source; the oldest give way."""


class SignalReader:
    """`run` asks; `answers` holds what came. prometheus, loki: why signals are not answered."""

    def __init__(self, settings: TelemetrySettings, metrics: TelemetryMetrics) -> None:
        self.settings, self.metrics = settings, metrics
        self.answers: deque[NewestAnswer] = deque(maxlen=WAITING)
        self.prometheus = Causes("prometheus", "Prometheus", metrics)
        self.loki = Causes("loki", "Loki", metrics)

    @property
    def signals(self) -> list[str]:
        """Those that Prometheus is asked for: an empty query is none."""
        given = self.settings.prometheus
        return [signal for signal in ASKED if given.url and given.signals.of(signal, given.window_s)]

    async def run(self) -> None:
        """Ask until cancelled."""
        async with AsyncExitStack() as opened:
            prometheus = Prometheus(self.settings.prometheus)
            opened.push_async_callback(prometheus.close)
            loki = Prometheus(self.settings.loki.endpoint())
            opened.push_async_callback(loki.close)
            turn = 0
            while True:
                await self.turn(turn, prometheus, loki)
                turn += 1
                await asyncio.sleep(self.settings.prometheus.interval_s)

    async def turn(self, number: int, prometheus: Prometheus, loki: Prometheus) -> None:
        """One signal of Prometheus's, and with each first one Loki's."""
        given, signals = self.settings.prometheus, self.signals
        if signals:
            signal = signals[number % len(signals)]
            await self.ask(prometheus, signal, given.signals.of(signal, given.window_s), self.prometheus)
        if self.settings.loki.url and number % len(ASKED) == 0:
            await self.ask(loki, LINES, self.settings.loki.asked(given.window_s), self.loki)

    async def ask(self, api: Prometheus, signal: str, query: str, causes: Causes) -> None:
        """Ask for the newest values of one."""
        try:
            found = await api.newest(query)
        except PrometheusError as error:
            causes.failed(signal, error.reason, str(error))
            return
        causes.answered(signal)
        self.metrics.partial.labels(signal).inc(float(found.partial))
        self.answers.append(NewestAnswer(signal, found.samples, time.time()))

    def taken(self) -> list[NewestAnswer]:
        """The answers that wait; they no longer do. Called from the source's thread."""
        return drained(self.answers)

    def degraded(self) -> list[str]:
        """What is not told, in words."""
        return self.prometheus.words() + self.loki.words()
