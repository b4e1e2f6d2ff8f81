"""What is known of a cluster, and the snapshot of it. Used in one thread but for `copies`, which the watches fill."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from berth.cluster.snapshot import NodeSnapshot
from berth.features import history, residuals
from berth.features.families import Families, Told
from berth.features.node_health import Fared
from berth.features.registry import node_feature_names
from berth.features.scales import DayScales
from services.telemetry.history.recorder import Recorder
from services.telemetry.live import columns
from services.telemetry.live.copies import Copies
from services.telemetry.live.reader import NewestAnswer, SpanAnswer
from services.telemetry.live.usage import METRICS, Usage, believable, in_units, node_of, told
from services.telemetry.live.week import Week
from services.telemetry.metrics import TelemetryMetrics
from services.telemetry.settings import TelemetrySettings

Floats = NDArray[np.float32]

CHURN_S = 3600.0
"""Pods bound so lately are churn; a snapshot names none that were bound before."""


class Picture:
    """copies: nodes and pods; usage: the newest readings; week: what was before them."""

    def __init__(
        self, settings: TelemetrySettings, metrics: TelemetryMetrics, recorder: Recorder | None = None
    ) -> None:
        self.settings, self.metrics, self.recorder = settings, metrics, recorder
        self.copies = Copies(metrics.unreadable)
        self.usage, self.week = Usage(), Week(time.time())
        self.scales, self.families = DayScales(), Families()

    def take(self, answers: list[NewestAnswer | SpanAnswer], keep: bool = True) -> None:
        """Enter what Prometheus has answered. keep: in history too, where one is kept."""
        with self.copies.lock:
            accounts = self.copies.accounts
            names, by_name = columns.node_names(accounts), columns.addresses(accounts)
            whole, machines = columns.whole(accounts, names), columns.machines(accounts, names)
        self.usage.keep(names)
        self.week.arrange(names)
        self.week.go_on(time.time())
        for answer in answers:
            if isinstance(answer, NewestAnswer):
                self._take_newest(answer, by_name)
            else:
                self._take_span(answer, by_name, whole)
        if keep and self.recorder:
            self._keep(answers, by_name, names, machines)

    def _keep(
        self,
        answers: list[NewestAnswer | SpanAnswer],
        by_name: Mapping[str, str],
        names: tuple[str, ...],
        machines: Mapping[str, Floats],
    ) -> None:
        """Hand the newest answers to history."""
        assert self.recorder is not None
        newest = [answer for answer in answers if isinstance(answer, NewestAnswer)]
        for answer in newest:
            self.recorder.note(answer.metric, told(answer.samples, by_name), answer.at)
        if newest:
            self.recorder.note_capacity(names, machines, newest[-1].at)

    def _take_newest(self, answer: NewestAnswer, by_name: Mapping[str, str]) -> None:
        left_out = self.usage.take(answer.metric, answer.samples, by_name, answer.at)
        for reason, number in left_out.items():
            self.metrics.left_out.labels(answer.metric, reason).inc(number)

    def _take_span(self, answer: SpanAnswer, by_name: Mapping[str, str], whole: Mapping[str, Floats]) -> None:
        """Of two series of a node the larger counts, step by step."""
        column_of = {name: column for column, name in enumerate(self.week.nodes)}
        raw = np.full((len(answer.steps), len(column_of)), np.nan, dtype=np.float32)
        for series in answer.series:
            column = column_of.get(node_of(series.labels, by_name))
            if column is not None:
                raw[:, column] = np.fmax(raw[:, column], believable(series.values))
        self.week.enter(METRICS.index(answer.metric), answer.steps.start, in_units(answer.metric, raw, whole))

    def snapshot(
        self, version: int, fence: int, loaded_days: int, fared: Callable[[tuple[str, ...], float], Fared]
    ) -> NodeSnapshot:
        """The cluster as it is now. Requests and bindings are read in one moment, so that each bound pod is in both or
        in neither. loaded_days: of history. fared: how nodes fare at a moment."""
        now = time.time()
        with self.copies.lock:
            accounts = self.copies.accounts
            names = columns.node_names(accounts)
            models = columns.gpu_models(accounts, names)
            used = self._used(names, columns.whole(accounts, names), now)
            capacity = columns.capacity_columns(accounts, names, models, used)
            started = accounts.bound_since(now - CHURN_S)
            oldest = now - self.settings.binding_window_s
            lately = {uid: node for uid, node in started.items() if accounts.pods[uid].bound >= oldest}
            running = columns.running(accounts, names, started.values())
            pending, away = float(accounts.waiting()), columns.not_ready(accounts, names)
        told = Told(fared(names, now), running, pending, away, self.settings.holidays)
        usage = self._history(names, used, now, loaded_days)
        row_of = {name: row for row, name in enumerate(names)}
        return NodeSnapshot(
            version=version,
            published_ms=time.time_ns() // 1_000_000,
            nodes=names,
            features=node_feature_names(),
            matrix=np.concatenate([capacity, usage, self._families(capacity, usage, told, now)], axis=1),
            gpu_models=models,
            bindings={uid: row_of[node] for uid, node in lately.items() if node in row_of},
            fence=fence,
            source="cluster",
        )

    def _used(self, names: tuple[str, ...], whole: Mapping[str, Floats], now: float) -> Floats:
        """float32 [metric, node]: the newest readings in the columns' units."""
        raw = self.usage.values(names, now - self.settings.prometheus.oldest_s)
        return np.stack([in_units(metric, raw[plane], whole) for plane, metric in enumerate(METRICS)])

    def _history(self, names: tuple[str, ...], used: Floats, now: float, loaded_days: int) -> Floats:
        """float32 [node, history and residual columns]."""
        self.week.arrange(names)
        self.week.go_on(now)
        self.week.set_running(used)
        usage = self.week.window()
        scales = self.scales.of(usage, self.week.running, names, loaded_days)
        found = [history.history_features(usage, int(now)), residuals.residual_features(usage, scales)]
        return np.concatenate(found, axis=1)

    def _families(self, capacity: Floats, usage: Floats, told: Told, now: float) -> Floats:
        """float32 [node, columns of the other families], after `_history`, which gave `usage`."""
        window = self.week.window()
        self.families.follow(self.week.nodes, window[:, :-1], self.week.running - 1, self.week.changes())
        return self.families.columns(window, capacity, usage, told, now)
