"""Fills history from Prometheus's past, hour by hour, newest first. An hour's file is written when every metric of it
has been answered, so that what was interrupted goes on where it stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

import numpy as np
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from services.telemetry.history.notes import Notes, rows_of
from services.telemetry.history.store import HistoryStore
from services.telemetry.live.prometheus import Prometheus, PrometheusError, Series
from services.telemetry.live.usage import METRICS, NODE_LABELS, node_of, origin
from services.telemetry.settings import TelemetrySettings

HOUR = timedelta(hours=1)
SETTLE = timedelta(minutes=2)
"""An hour is asked for so long after its end."""
ATTEMPTS = 5
NAME = "backfill"


class Filled(NamedTuple):
    """An hour that has been looked at. rows: written now; None: it was there before."""

    hour: datetime
    rows: int | None


def hours_back(days: int, now: datetime) -> list[datetime]:
    """Starts of the hours that have ended in the last `days` days, newest first."""
    newest = (now - SETTLE).replace(minute=0, second=0, microsecond=0) - HOUR
    return [newest - HOUR * back for back in range(days * 24)]


async def backfill(
    settings: TelemetrySettings, store: HistoryStore, hours: Sequence[datetime], names: Mapping[str, str]
) -> AsyncIterator[Filled]:
    """Each hour once it is there. names: the node of each name and address, where the cluster is known. Raises
    PrometheusError after ATTEMPTS, HistoryError."""
    api = Prometheus(settings.prometheus)
    try:
        for hour in hours:
            done = await asyncio.to_thread(store.names, hour.date())
            if f"{hour:%H}-{NAME}" in done:
                yield Filled(hour, None)
            else:
                yield Filled(hour, await fill(api, settings, store, hour, names))
    finally:
        await api.close()


async def fill(
    api: Prometheus, settings: TelemetrySettings, store: HistoryStore, hour: datetime, names: Mapping[str, str]
) -> int:
    """Ask for one hour and write it. Returns how many rows it has."""
    step_s = settings.history.step_s
    first = -(-int(hour.timestamp()) // step_s)
    steps = range(first, -(-int((hour + HOUR).timestamp()) // step_s))
    notes: list[Notes] = []
    for metric in METRICS:
        query = settings.prometheus.queries.of(metric, settings.prometheus.window_s)
        series = await patiently(partial(api.span, query, steps, step_s))
        notes += notes_of(metric, series, steps, step_s, names)
    rows = rows_of(notes)
    await asyncio.to_thread(store.put, hour, NAME, rows)
    return int(rows.num_rows)


async def patiently(ask: Callable[[], Awaitable[list[Series]]]) -> list[Series]:
    """Try again while a server is away or busy."""
    attempts = AsyncRetrying(
        retry=retry_if_exception_type(PrometheusError),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential_jitter(multiplier=0.5, max=10.0, jitter=0.2),
        reraise=True,
    )
    return await attempts(ask)


def notes_of(metric: str, series: Sequence[Series], steps: range, step_s: int, names: Mapping[str, str]) -> list[Notes]:
    """What was told at each step of which anything was."""
    told = [(node, origin(one.labels), one.values) for one in series if (node := node_then(one.labels, names))]
    if not told:
        return []
    nodes, tellers, columns = zip(*told, strict=True)
    values = np.stack(columns, axis=1)
    found = []
    for step, row in zip(steps, values, strict=True):
        known = np.flatnonzero(~np.isnan(row))
        if len(known):
            found.append(
                Notes(step * step_s, metric, [nodes[i] for i in known], [tellers[i] for i in known], row[known])
            )
    return found


def node_then(labels: Mapping[str, str], names: Mapping[str, str]) -> str:
    """The node that a series was about: one of the cluster, or one that is no longer there, by its first label."""
    known = node_of(labels, names)
    first = next((labels[label] for label in NODE_LABELS if labels.get(label)), "")
    return known or first.rpartition(":")[0].strip("[]") or first
