"""The families trends, calendar, health, profile, workload and cluster, put together in the registry's order.

What is computed from hourly means changes once an hour and is kept until then; `hour_history` gives the same for every
hour of a recording.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from berth.features import calendar, capacity, cluster_state, history, node_health, profile, trends, workload
from berth.features.feature import Feature
from berth.features.hours import KEPT, METRICS, WEEK, KeptHours, hourly
from berth.features.node_health import Fared
from berth.features.workload import Running

Floats = NDArray[np.float32]

FEATURES: tuple[Feature, ...] = (
    *trends.FEATURES,
    *calendar.FEATURES,
    *node_health.FEATURES,
    *profile.FEATURES,
    *workload.FEATURES,
    *cluster_state.FEATURES,
)
DAY = 288
BY_HOUR = len(trends.BY_HOUR)
HOURLY: tuple[str, ...] = (
    *(f"{metric}_{name}" for metric in trends.METRICS for name, *_ in trends.BY_HOUR),
    *(feature.name for feature in profile.FEATURES[:-1]),
)
"""The columns of `hour_columns`."""
CAPACITY = {feature.name: column for column, feature in enumerate(capacity.FEATURES)}
HISTORY = {feature.name: column for column, feature in enumerate(history.FEATURES)}


@dataclass(frozen=True)
class Told:
    """What is known of the nodes beside their usage. pending: pods that wait; not_ready: share of nodes; NaN where
    nobody tells. holidays: days in UTC."""

    fared: Fared
    running: Running
    pending: float = np.nan
    not_ready: float = np.nan
    holidays: Collection[date] = ()


class Families:
    """Keeps hours and what is computed of them. Feed `follow` before `columns`."""

    def __init__(self) -> None:
        self.hours = KeptHours()
        self.made_of = -1
        self.by_hour: Floats = np.empty((0, 0), dtype=np.float32)

    def follow(self, nodes: tuple[str, ...], usage: Floats, last: int, changed: int | None = None) -> None:
        """Enter the hours that have ended. nodes: columns of `usage`, float32 [metric, step, node] of 5-minute steps;
        last: number of its last step, which has ended; changed: the oldest step that is not what it was."""
        self.hours.arrange(nodes)
        self.hours.follow(usage, last, changed)
        if self.made_of != self.hours.version:
            self.by_hour, self.made_of = hour_columns(self.hours.planes), self.hours.version

    def columns(self, usage: Floats, of_capacity: Floats, of_history: Floats, told: Told, at: float) -> Floats:
        """float32 [node, len(FEATURES)]. usage: float32 [metric, step, node] up to now; of_capacity, of_history: the
        columns of these families, float32 [node, column]; at: unix seconds."""
        used, whole, asked = (pair(of_capacity, name) for name in ("used", "allocatable", "requested"))
        pods = of_capacity[:, CAPACITY["pods_requested"]]
        count = 2 * BY_HOUR
        parts = [
            with_steps(self.by_hour[:, :count], usage, of_history),
            calendar.calendar_columns(told.holidays, at, usage.shape[2]),
            told.fared.columns(),
            self.by_hour[:, count:],
            node_health.reliability(told.fared)[:, None],
            workload.workload_columns(told.running, used, whole, asked, pods),
            cluster_state.cluster_columns(used, whole, asked[0], told.pending, told.not_ready),
        ]
        return np.concatenate(parts, axis=1, dtype=np.float32)


def pair(of_capacity: Floats, name: str) -> Floats:
    """float32 [2, node]: cpu and memory."""
    return np.stack([of_capacity[:, CAPACITY[f"{metric}_{name}"]] for metric in trends.METRICS])


def hour_columns(hours: Floats) -> Floats:
    """float32 [node, len(HOURLY)]. hours: float32 [plane, KEPT, node], the newest last."""
    lately = [
        column
        for metric in range(len(trends.METRICS))
        for column in trends.hour_columns(hours[metric], hours[METRICS + metric])
    ]
    return np.stack([*lately, *profile.hour_columns(hours)], axis=1, dtype=np.float32)


def hour_history(usage: Floats, last: int) -> tuple[int, Floats]:
    """The first whole hour of a recording, and what `hour_columns` gives when each has ended, float32 [hour, node,
    column]. usage: float32 [metric, step, node], last: number of its last step."""
    start, planes = hourly(usage, last)
    before = np.full((planes.shape[0], WEEK, planes.shape[2]), np.nan, dtype=np.float32)
    whole = np.concatenate([before, planes], axis=1)
    return start, np.stack([hour_columns(whole[:, hour : hour + KEPT]) for hour in range(planes.shape[1])])


def with_steps(by_hour: Floats, usage: Floats, of_history: Floats) -> Floats:
    """float32 [node, len(trends.FEATURES)]: each metric's columns by the hour, then those by the step."""
    parts = list[Floats]()
    for plane, metric in enumerate(trends.METRICS):
        mean, deviation = (of_history[:, HISTORY[f"{metric}_{name}_24h"]] for name in ("mean", "std"))
        found = trends.step_columns(history.window(usage[plane])[-DAY:], mean, deviation)
        parts += [by_hour[:, plane * BY_HOUR : (plane + 1) * BY_HOUR], *(column[:, None] for column in found)]
    return np.concatenate(parts, axis=1)
