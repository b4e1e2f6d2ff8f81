"""How usage has gone: quantiles, extremes, a week ago, spikes and slow growth.

The long windows are of whole hours that have ended (`hours.py`), so that they change once an hour. A figure of which
fewer than half of the hours or steps are known is NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from berth.features import history
from berth.features.feature import Feature
from berth.features.hours import HOUR, KEPT, WEEK, mean_of

Floats = NDArray[np.float32]

METRICS = ("cpu", "memory")
UPPER = 0.9
SPIKE_DEVIATIONS = 3.0
LEAST_SPIKE = 0.01
"""Share of allocatable that a spike rises above the mean at least: the last digit of a still node is no spike."""

SHARE = "share of allocatable"
BY_HOUR: tuple[tuple[str, str, str, str], ...] = (
    ("p90_24h", SHARE, "24 h", "0.9-quantile (nearest rank) of hourly means"),
    ("p90_7d", SHARE, "7 d", "0.9-quantile (nearest rank) of hourly means"),
    ("same_time_last_week", SHARE, "7 d", "mean of the hour 7 days before the newest that has ended"),
    ("growth_24h", f"{SHARE} a day", "24 h", "slow growth: mean of 12 hours against the 12 before, as change a day"),
    ("max_7d", SHARE, "7 d", "largest 5-minute step of whole hours"),
    ("growth_7d", f"{SHARE} a day", "7 d", "slow growth: mean of 84 hours against the 84 before, as change a day"),
)
SPIKES = ("spikes_24h", "steps", "24 h", "5-minute steps more than 3 deviations, and 0.01, above the mean of that day")
BY_STEP: tuple[tuple[str, str, str, str], ...] = (
    ("p90_1h", SHARE, "1 h", "0.9-quantile (nearest rank) of 5-minute steps"),
    ("p90_6h", SHARE, "6 h", "0.9-quantile (nearest rank) of 5-minute steps"),
    ("std_6h", SHARE, "6 h", "standard deviation of 5-minute steps"),
    ("max_6h", SHARE, "6 h", "largest 5-minute step"),
    SPIKES,
)
MISSING = "NaN; also with fewer than half of the hours or steps"

FEATURES: tuple[Feature, ...] = tuple(
    Feature(f"{metric}_{name}", "trends", unit, window, f"{metric}: {text}", "usage", missing=MISSING)
    for metric in METRICS
    for name, unit, window, text in (*BY_HOUR, *BY_STEP)
)


def hour_columns(hours: Floats, peaks: Floats) -> list[Floats]:
    """The columns of BY_HOUR for one metric, each float32 [node]. hours, peaks: means and largest steps, float32 [KEPT,
    node], the newest last."""
    day, week = hours[-24:], hours[-WEEK:]
    return [upper(day), upper(week), hours[-KEPT], growth(day), history.extreme(peaks[-WEEK:], -np.inf), growth(week)]


def growth(hours: Floats) -> Floats:
    """Change a day: the later half against the earlier one."""
    half = len(hours) // 2
    change = mean_of(hours[half:], 0) - mean_of(hours[:half], 0)
    return np.asarray(change * np.float32(24.0 / half), dtype=np.float32)


def step_columns(day: Floats, mean: Floats, deviation: Floats) -> list[Floats]:
    """The columns of BY_STEP for one metric, each float32 [node]. day: its last day, float32 [288, node]; mean and
    deviation: the day's, float32 [node]."""
    late = day[-6 * HOUR :]
    lately = [upper(day[-HOUR:]), upper(late), history.deviation(late), history.extreme(late, -np.inf)]
    return [*lately, spikes(day, mean, deviation)]


def upper(values: Floats) -> Floats:
    """0.9-quantile over the first axis of what is known, by the nearest rank."""
    ordered = np.sort(np.ascontiguousarray(values.T), axis=1)  # NaN sorts last
    counts = (~np.isnan(ordered)).sum(axis=1)
    rank = np.rint(UPPER * np.maximum(counts - 1, 0)).astype(np.intp)
    found = np.take_along_axis(ordered, rank[:, None], 1)[:, 0]
    return np.where(counts * 2 >= len(values), found, np.float32(np.nan))


def spikes(day: Floats, mean: Floats, deviation: Floats) -> Floats:
    """Steps of the last day that stand out. day: float32 [288, node], mean and deviation: the day's, float32 [node];
    NaN where these are."""
    above = mean + np.maximum(np.float32(SPIKE_DEVIATIONS) * deviation, np.float32(LEAST_SPIKE))
    counts = (day > above).sum(axis=0).astype(np.float32)
    return np.where(np.isnan(above), np.float32(np.nan), counts)
