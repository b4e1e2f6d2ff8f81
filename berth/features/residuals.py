"""Usage history to columns for the anomaly detector.

Each metric of a node is compared with what that metric did before: its last step, the median of the last
30, 120 and 360 minutes, the same time of day on the days before, its usual spread and its usual range. Each
residual is divided by its own high quantile over the past week, so that 1 means 'as odd as 1 % of last
week', whatever the unit. The columns are maxima, means and shares over the metrics: a model that reads them
does not know how many metrics there were, or which.

Two functions, because quantiles over a week cost more than a snapshot may take:
`residual_scales` once a day, `residual_features` at every snapshot. Training uses the same two, by way of
`residual_history`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from berth.features.feature import Feature
from berth.features.medians import median

Floats = NDArray[np.float32]
Steps = NDArray[np.int64]

DAY = 288
"""Steps of 5 minutes in a day."""
SCALE_STEPS = 7 * DAY
"""History that scales look back over; also the longest that `residual_features` needs."""
SCALE_STRIDE = 3
"""Scales take every third step: a third of the cost, and 99 % of 672 points is still the seventh largest."""
SCALE_QUANTILE = 0.99
MIN_SCALE_POINTS = DAY // SCALE_STRIDE
"""A quantile of fewer points (one day) is no quantile: NaN."""
CHUNK = 16
"""Nodes whose scales are computed at once: what their planes take fits into a processor's cache."""
FLOOR = 0.04
"""Least scale: 4 % of a share, 4 % of a rate (its logarithm). A still node that takes on a small pod is not odd."""

LAGS = {
    "difference": np.arange(1, 2),
    "median_30m": np.arange(1, 7),
    "median_2h": np.arange(1, 24, 2),
    "median_6h": np.arange(1, 72, 6),
    "same_time": np.arange(DAY, SCALE_STEPS, DAY),
}
"""Steps back whose median a value is compared with; six earlier days fit into a week that ends now."""
MIN_LAGS = {"difference": 1, "median_30m": 3, "median_2h": 6, "median_6h": 6, "same_time": 2}
SPREAD_LAGS = {"spread_30m": np.arange(0, 6), "spread_2h": np.arange(0, 24, 2)}
KINDS = (*LAGS, *SPREAD_LAGS, "range")
SAYS = {
    "difference": ("5 min", "change since the step before"),
    "median_30m": ("30 min", "distance from the median of 30 minutes"),
    "median_2h": ("2 h", "distance from the median of 2 hours"),
    "median_6h": ("6 h", "distance from the median of 6 hours"),
    "same_time": ("6 d", "distance from the median of the same time of day"),
    "spread_30m": ("30 min", "standard deviation within 30 minutes"),
    "spread_2h": ("2 h", "standard deviation within 2 hours"),
    "range": ("7 d", "distance outside the range that holds 99 % of last week"),
}
TOPS = {"max": 0.0, "top8pct": 0.08, "top20pct": 0.2}
"""Shares of the metrics, rounded up to at least one: with 4 metrics the oddest alone, with 38 of them 4 and 8."""
AGGREGATES = {
    "max": "largest of the metrics",
    "top8pct": "mean of the largest 8 %",
    "share": "share of metrics above 1",
}


def columns() -> Iterator[Feature]:
    """The columns of this family, in order."""
    for kind in KINDS:
        window, what = SAYS[kind]
        for aggregate, which in AGGREGATES.items():
            unit = "share" if aggregate == "share" else "log1p of scales"
            yield Feature(f"residual_{kind}_{aggregate}", "residual", unit, window, f"{what}: {which}", "usage")
    for name, share in TOPS.items():
        which = f"mean over the oddest {share:.0%} of metrics" if share else "the oddest metric"
        text = f"mean of all kinds of residual of a metric: {which}"
        yield Feature(f"residual_magnitude_{name}", "residual", "log1p of scales", "7 d", text, "usage")


FEATURES: tuple[Feature, ...] = tuple(columns())


@dataclass(frozen=True)
class ResidualScales:
    """What is usual for each metric of each node. scale: float32 [kind, metric, node], never below its
    floor, NaN where history is too short. low, high: float32 [metric, node], the range of 99 % of values."""

    scale: Floats
    low: Floats
    high: Floats


def residual_scales(usage: Floats) -> ResidualScales:
    """Scales from the last week of `usage`, float32 [metric, step, node], that ends with a whole day before
    the steps they will be used for; values finite or NaN. NaN where a metric has less than a day of values.
    Nodes do not touch each other: a caller in a hurry may ask for some nodes at a time."""
    starts = range(0, max(usage.shape[2], 1), CHUNK)
    parts = [scales_of(np.ascontiguousarray(usage[:, -SCALE_STEPS:, at : at + CHUNK])) for at in starts]
    scale, low, high = (np.concatenate(arrays, axis=-1) for arrays in zip(*parts, strict=True))
    return ResidualScales(scale, low, high)


def scales_of(usage: Floats) -> tuple[Floats, Floats, Floats]:
    """Scale, low and high of a chunk of nodes."""
    steps = range(0, usage.shape[1], SCALE_STRIDE)
    low, high = (quantile(at(usage, steps), share) for share in (0.005, 0.995))
    usual = [quantile(np.abs(residual(usage, steps, kind)), SCALE_QUANTILE) for kind in KINDS[:-1]]
    scale = np.maximum(np.stack([*usual, (high - low) / 4]), np.float32(FLOOR))
    return np.asarray(scale), low, high


def residual_features(usage: Floats, scales: ResidualScales) -> Floats:
    """float32 [node, len(FEATURES)] at the last step of `usage`, float32 [metric, step, node] at 5 minutes
    with the newest step last and up to a week before it. NaN where history is too short or missing.
    IndexError without a single step."""
    if not usage.shape[1]:
        raise IndexError("no step")
    return np.asarray(features_at(usage, range(usage.shape[1] - 1, usage.shape[1]), scales)[0])


def residual_history(usage: Floats) -> Floats:
    """float32 [step, node, len(FEATURES)]: `residual_features` at every step of a recording, with scales of
    the week before the day of that step. Days are counted from step 0."""
    whole = np.full((usage.shape[1], usage.shape[2], len(FEATURES)), np.nan, dtype=np.float32)
    for day in range(DAY, usage.shape[1], DAY):
        scales = residual_scales(usage[:, :day])
        window = usage[:, max(0, day - SCALE_STEPS) : day + DAY]
        steps = range(min(day, SCALE_STEPS), window.shape[1])
        whole[day : day + DAY] = features_at(window, steps, scales)
    return whole


def features_at(usage: Floats, steps: range, scales: ResidualScales) -> Floats:
    """float32 [len(steps), node, len(FEATURES)]."""
    plain = [residual(usage, steps, kind) for kind in KINDS[:-1]]
    both = [*plain, outside(at(usage, steps), scales.low, scales.high)]
    odd = np.stack([np.log1p(np.abs(r) / s[:, None]) for r, s in zip(both, scales.scale, strict=True)])
    found = [column for plane in odd for column in aggregate(plane)]
    each = mean_of_finite(odd)
    return np.stack([*found, *(top_mean(each, share) for share in TOPS.values())], axis=-1)


def outside(values: Floats, low: Floats, high: Floats) -> Floats:
    """float32 [metric, step, node]: how far a value is below or above its range; 0 within."""
    below, above = low[:, None] - values, values - high[:, None]
    return np.asarray(np.maximum(np.maximum(below, above), np.float32(0)))


def residual(usage: Floats, steps: range, kind: str) -> Floats:
    """float32 [metric, len(steps), node]: one kind of residual, in the metric's unit."""
    if kind in SPREAD_LAGS:
        return np.asarray(lagged(usage, steps, SPREAD_LAGS[kind]).std(axis=0))
    return np.asarray(at(usage, steps) - median(lagged(usage, steps, LAGS[kind]), MIN_LAGS[kind]))


def at(usage: Floats, steps: range) -> Floats:
    """float32 [metric, len(steps), node]: the values at these steps, a view."""
    return usage[:, steps.start : steps.stop : steps.step]


def lagged(usage: Floats, steps: range, lags: Steps) -> Floats:
    """float32 [lag, metric, len(steps), node]: the values so many steps back, NaN before the first step."""
    planes = np.full((len(lags), usage.shape[0], len(steps), usage.shape[2]), np.nan, dtype=np.float32)
    for plane, lag in zip(planes, lags.tolist(), strict=True):
        early = len(range(steps.start, min(steps.stop, lag), steps.step))
        first, past = steps.start + early * steps.step - lag, max(steps.stop - lag, 0)  # a slice counts -1 from the end
        plane[:, early:] = at(usage, range(first, past, steps.step))
    return planes


def quantile(values: Floats, share: float) -> Floats:
    """The `share` quantile over axis 1 without the NaNs, by the nearest rank; NaN with too few values."""
    ordered = np.sort(values, axis=1)
    count = np.isfinite(ordered).sum(axis=1, keepdims=True)
    rank = np.clip(np.rint(share * (count - 1)).astype(np.intp), 0, None)
    found = np.take_along_axis(ordered, rank, 1)
    return np.where(count < MIN_SCALE_POINTS, np.float32(np.nan), found)[:, 0]


def aggregate(odd: Floats) -> tuple[Floats, Floats, Floats]:
    """Max, mean of the top 8 % and share above 1 scale, over axis 0 without the NaNs; NaN where all are."""
    known = np.isfinite(odd).sum(axis=0)
    above = (odd > np.float32(np.log(2.0))).sum(axis=0)
    share = np.where(known > 0, above / np.maximum(known, 1), np.nan).astype(np.float32)
    return top_mean(odd, TOPS["max"]), top_mean(odd, TOPS["top8pct"]), share


def top_mean(values: Floats, share: float) -> Floats:
    """Mean of the largest values over axis 0 without the NaNs: so many as `share` of the axis, at least one."""
    top = max(1, math.ceil(share * len(values)))
    return mean_of_finite(-np.sort(-values, axis=0)[:top])


def mean_of_finite(values: Floats) -> Floats:
    """Mean over axis 0 without the NaNs; NaN where all are."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    total = np.where(known, values, np.float32(0)).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
