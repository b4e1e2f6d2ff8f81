"""What a node is good for, judged by its last week of whole hours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from berth.features.feature import Feature
from berth.features.history import extreme
from berth.features.hours import WEEK

Floats = NDArray[np.float32]

CPU, MEMORY, DISK, NETWORK = range(4)
"""Planes of usage."""
IDLE = 0.1
BUSY_IO = 0.9
HALF = "NaN; also with fewer than half of the hours"


def profile(name: str, unit: str, description: str, source: str = "usage", missing: str = HALF) -> Feature:
    """A column of this family."""
    return Feature(name, "profile", unit, "7 d", description, source, missing)


FEATURES: tuple[Feature, ...] = (
    profile("cpu_sustained", "share of allocatable", "largest hourly mean of cpu"),
    profile("memory_sustained", "share of allocatable", "largest hourly mean of memory"),
    profile("idle_share", "share", "share of hours in which less than 0.1 of the cpu was in use"),
    profile("cpu_suitability", "0 to 1", "1 minus cpu_sustained"),
    profile("memory_suitability", "0 to 1", "1 minus memory_sustained"),
    profile(
        "io_suitability",
        "0 to 1",
        "1 minus the share of hours in which disk_rate + network_rate was in the upper tenth of all hours of all nodes",
    ),
    profile(
        "reliability",
        "0 to 1",
        "(1 - not_ready_24h) / (1 + incidents_7d / 7)",
        "incidents",
        "NaN where one of the two is",
    ),
)


def hour_columns(hours: Floats) -> list[Floats]:
    """The columns of FEATURES but for reliability, each float32 [node]. hours: float32 [plane, hour, node], of which
    the last week is read."""
    week = hours[:, -WEEK:]
    sustained = [extreme(week[metric], -np.inf) for metric in (CPU, MEMORY)]
    idle = share_where(week[CPU] < np.float32(IDLE), week[CPU])
    traffic = week[DISK] + week[NETWORK]
    busy = share_where(traffic > busiest_tenth(traffic), traffic)
    free = [np.clip(np.float32(1) - load, np.float32(0), np.float32(1)) for load in sustained]
    return [*sustained, idle, *free, np.float32(1) - busy]


def share_where(holds: NDArray[np.bool_], values: Floats) -> Floats:
    """Share of the known values of which something holds (it holds of no NaN), over the first axis; NaN where fewer
    than half are known."""
    unknown = np.isnan(values)
    known = np.maximum((~unknown).sum(axis=0, dtype=np.float32), np.float32(1))
    return np.where(enough(unknown), holds.sum(axis=0, dtype=np.float32) / known, np.float32(np.nan))


def enough(unknown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether at least half is known, over the first axis."""
    return np.asarray(unknown.sum(axis=0) * 2 <= len(unknown))


def busiest_tenth(traffic: Floats) -> np.float32:
    """The value that one tenth of all known lie above, by the nearest rank; NaN without one."""
    known = traffic[~np.isnan(traffic)]
    if not known.size:
        return np.float32(np.nan)
    rank = round(BUSY_IO * (known.size - 1))
    return np.float32(np.partition(known, rank)[rank])
