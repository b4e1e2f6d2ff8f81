"""What telemetry knows of nodes beside usage and requests: signals, incidents, and where both are kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from berth.features.node_health import Fared
from services.telemetry.live import columns
from services.telemetry.live.chronicle import Chronicle
from services.telemetry.live.copies import Copies
from services.telemetry.live.fared import error_lines
from services.telemetry.live.health import Health
from services.telemetry.live.kube_api import KubeApi
from services.telemetry.live.listwatch import ListWatch
from services.telemetry.live.signals import LARGEST_SHARE, LINES, SHARES, SIGNALS, SignalReader
from services.telemetry.live.usage import LARGEST, Usage
from services.telemetry.metrics import TelemetryMetrics
from services.telemetry.settings import TelemetrySettings

PODS = "/api/v1/pods"
FAILED = {"fieldSelector": "status.phase=Failed"}
"""Pods that were evicted: a watch of those that run sees them leave, not why."""


class Vitals:
    """usage: newest values of signals. lines_at: when lines of error were told of last, unix seconds. leads: whether
    this publisher writes history."""

    def __init__(self, settings: TelemetrySettings, metrics: TelemetryMetrics, leads: Callable[[], bool]) -> None:
        self.settings, self.metrics, self.leads = settings, metrics, leads
        self.oldest_s = settings.prometheus.oldest_s
        self.health = Health(self.oldest_s)
        self.reader = SignalReader(settings, metrics)
        self.usage = Usage({signal: {} for signal in SIGNALS})
        self.lines_at = -math.inf
        self.chronicle = Chronicle(settings.history, metrics, self.health, self.newest, leads)
        self.watches: dict[str, ListWatch] = {}
        self.nodes: tuple[str, ...] = ()

    def follow(self, api: KubeApi, running: ListWatch) -> list[ListWatch | SignalReader | Chronicle]:
        """What is to run. running: the watch of pods that run, which tells of restarts."""
        failed = ListWatch(api, PODS, self.health.failed, self.metrics.source_failures, FAILED)
        self.watches = {"restarts": running, "evictions": failed}
        return [failed, self.reader, self.chronicle]

    def take(self, copies: Copies, used: Usage) -> None:
        """Enter what was answered, and see what usage tells. used: the newest readings of usage."""
        with copies.lock:
            accounts = copies.accounts
            self.nodes = columns.node_names(accounts)
            by_name, whole = columns.addresses(accounts), columns.whole(accounts, self.nodes)
        self._enter(by_name)
        if self.leads():
            each = {metric: dict(zip(self.nodes, amounts.tolist(), strict=True)) for metric, amounts in whole.items()}
            self.health.observe(used.readings, each)

    def _enter(self, by_name: Mapping[str, str]) -> None:
        """by_name: the node of each name and address."""
        self.usage.keep(self.nodes)
        for answer in self.reader.taken():
            most = LARGEST_SHARE if answer.metric in SHARES else LARGEST
            left_out = self.usage.take(answer.metric, answer.samples, by_name, answer.at, most)
            for reason, number in left_out.items():
                self.metrics.left_out.labels(answer.metric, reason).inc(number)
            if answer.metric == LINES:
                self.lines_at = answer.at

    def fared(self, nodes: Sequence[str], now: float) -> Fared:
        """How nodes fare, for a snapshot."""
        lines = error_lines(nodes, self.usage.readings[LINES], self.lines_at, now - self.oldest_s)
        return self.health.fared(nodes, lines, now)

    def newest(self, now: float) -> dict[str, dict[str, float]]:
        """Values by signal and node that are not too old; shares at most 1."""
        found = {
            signal: {
                node: min(reading.value, 1.0 if signal in SHARES else math.inf)
                for node, reading in list(readings.items())
                if reading.at >= now - self.oldest_s
            }
            for signal, readings in self.usage.readings.items()
        }
        told = self.health.last_hour(self.nodes, now)
        heard = {signal for signal, age in self.heard().items() if age is not None and age <= self.oldest_s}
        return found | {signal: values for signal, values in told.items() if signal in heard}

    def heard(self) -> dict[str, float | None]:
        """Seconds since the API server last said something that a signal is counted from."""
        return {signal: watch.silent_s() if watch.synced.is_set() else None for signal, watch in self.watches.items()}

    def degraded(self) -> list[str]:
        """What is wrong, in words."""
        failed = self.watches.get("evictions")
        found = [f"the API server does not tell of failed pods: {failed.failing}"] if failed and failed.failing else []
        found += self.reader.degraded()
        if self.chronicle.failing:
            found.append(f"incidents and signals are not written: {self.chronicle.failing}")
        return found

    def ages(self) -> dict[str, float | None]:
        """Of each signal's newest value, s."""
        return {**self.usage.ages(time.time()), **self.heard()}

    def state(self) -> dict[str, Any]:
        """For /v1/state."""
        ages = {signal: None if age is None else round(age, 1) for signal, age in self.ages().items()}
        with self.health.lock:
            return {"signals_age_s": ages, "incidents_lasting": len(self.health.incidents.lasting)}
