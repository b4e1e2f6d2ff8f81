"""Judges a history: how much of it is there, and what is wrong with it. Reads an hour at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.telemetry.history.findings import Coverage, Finding, Quality, joined
from services.telemetry.history.kinds import CAPACITY
from services.telemetry.history.sensors import Sensors
from services.telemetry.history.store import HistoryStore
from services.telemetry.history.told import NEVER, Codes, Floats, Told, told
from services.telemetry.live.usage import METRICS
from services.telemetry.settings import HistorySettings

HOUR = timedelta(hours=1)
EDGE_S = 600
"""At the ends of a node's time, less than this is no gap: what a node has is told more seldom than what it uses."""


def judge(
    store: HistoryStore, settings: HistorySettings, hours: Sequence[datetime], progress: Callable[[str, float], None]
) -> Quality:
    """hours: their starts, oldest first. Raises HistoryError."""
    judging = Judging(settings)
    for number, hour in enumerate(hours):
        progress("reading history", number / len(hours))
        judging.feed(store.read(hour.date(), hour.hour))
    progress("reading history", 1.0)
    first, end = (int(moment.timestamp()) for moment in (hours[0], hours[-1] + HOUR))
    return judging.close(first, end - settings.step_s)


class Judging:
    """Hours go in, oldest first; `close` says what was found."""

    def __init__(self, settings: HistorySettings) -> None:
        self.settings, self.step_s = settings, settings.step_s
        self.nodes, self.tellers, self.metrics = Codes(), Codes(), Codes()
        stuck = -(-settings.quality.stuck_s // self.step_s)
        self.sensors = {name: Sensors(name, self.nodes, self.tellers, self.step_s, stuck) for name in METRICS}
        self.capacity = {metric: np.zeros(0, dtype=np.float32) for metric in CAPACITY}
        self.first, self.last = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)

    def feed(self, rows: pa.Table) -> None:
        """The next hour's."""
        if not rows.num_rows:
            return
        node, metric, teller = (
            codes.of(rows[name])
            for codes, name in ((self.nodes, "node"), (self.metrics, "metric"), (self.tellers, "told_by"))
        )
        step = pc.cast(rows["at"], pa.int64()).to_numpy() // (1000 * self.step_s)
        value = rows["value"].to_numpy().astype(np.float32)
        of = {
            name: told(node[chosen], step[chosen], value[chosen], teller[chosen])
            for name, number in self.metrics.number.items()
            if len(chosen := np.flatnonzero(metric == number))
        }
        self._seen(of)
        self._capacities(of)
        for name, sensors in self.sensors.items():
            if name in of:
                sensors.feed(of[name], self._limit(name))

    def _seen(self, of: dict[str, Told]) -> None:
        more = len(self.nodes.number) - len(self.first)
        self.first = np.concatenate([self.first, np.full(more, np.iinfo(np.int64).max)])
        self.last = np.concatenate([self.last, np.full(more, NEVER)])
        for rows in of.values():
            np.minimum.at(self.first, rows.node, rows.step)
            np.maximum.at(self.last, rows.node, rows.step)

    def _capacities(self, of: dict[str, Told]) -> None:
        """The newest counts."""
        for metric, name in CAPACITY.items():
            held = self.capacity[metric]
            held = np.concatenate([held, np.full(len(self.first) - len(held), np.nan, dtype=np.float32)])
            if name in of:
                last = of[name].last_of_node
                held[of[name].node[last]] = of[name].value[last]
            self.capacity[metric] = held

    def _limit(self, metric: str) -> Floats:
        """float32 [node]: the largest value that can be."""
        quality = self.settings.quality
        if metric not in CAPACITY:
            return np.full(len(self.first), quality.fastest, dtype=np.float32)
        limit = self.capacity[metric] * np.float32(quality.over)
        return np.where(np.isnan(limit), np.float32(np.finfo(np.float32).max), limit)

    def close(self, first: int, last: int) -> Quality:
        """What was found. first, last: unix seconds of the period's first and last step."""
        coverage: list[Coverage] = []
        findings: list[Finding] = []
        for name, sensors in self.sensors.items():
            sensors.grow(len(self.first))
            sensors.close()
            coverage += self._coverage(name, sensors)
            findings += [*sensors.found, *self._edges(name, sensors)]
        demanded = self.settings.quality.coverage
        return Quality(first, last, self.step_s, demanded, sorted(coverage, key=key), joined(findings, self.step_s))

    def _coverage(self, metric: str, sensors: Sensors) -> list[Coverage]:
        expected = self.last - self.first + 1
        return [
            Coverage(node, metric, known, there)
            for node, known, there in zip(self.nodes.names(), sensors.known.tolist(), expected.tolist(), strict=True)
        ]

    def _edges(self, metric: str, sensors: Sensors) -> list[Finding]:
        """Gaps at the ends of a node's time."""
        found = []
        for number, node in enumerate(self.nodes.names()):
            begin, end = int(self.first[number]), int(self.last[number])
            known_first, known_last = int(sensors.first[number]), int(sensors.before.step[number])
            ends = [(begin, known_first - 1), (known_last + 1, end)] if known_first != NEVER else [(begin, end)]
            for one, other in ends:
                if (other - one + 1) * self.step_s >= EDGE_S:
                    found.append(Finding(node, metric, "gap", one * self.step_s, other * self.step_s))
        return found


def key(one: Coverage) -> tuple[str, int]:
    """By node, then in the order of METRICS."""
    return one.node, METRICS.index(one.metric)


def hours_there(store: HistoryStore, days: int) -> list[datetime]:
    """Hours of the newest days that there are, oldest first, those without a file between them too."""
    there = store.days()
    wanted = [day for day in there if day > there[-1] - timedelta(days=days)] if there else []
    found = [datetime(day.year, day.month, day.day, hour, tzinfo=UTC) for day in wanted for hour in store.by_hour(day)]
    if not found:
        return []
    return [min(found) + HOUR * number for number in range((max(found) - min(found)) // HOUR + 1)]
