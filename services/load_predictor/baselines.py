"""Simple forecasts to measure against, from the same windows. Each is float32 [row, OUTPUTS]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from berth.features.history import DAYS, HISTORY_STEPS, HORIZONS, HOUR
from services.load_predictor.base import INPUTS, OUTPUTS
from services.load_predictor.windows import Windows

Floats = NDArray[np.float32]

BLENDED = ("last_5m", "minute_median", "hour_median", "slot_median")
"""Of the blend: value now, same minute over a day, median hour of a day, median of the slot on 7 days."""


def columns(windows: Windows, names: Callable[[str, str], str]) -> Floats:
    """For each output the input `names(metric, horizon)`; the last hour's mean where that is missing."""
    picked = []
    for output in OUTPUTS:
        metric, horizon = output.split("_")
        column = windows.features[:, INPUTS.index(names(metric, horizon))]
        instead = windows.features[:, INPUTS.index(f"{metric}_mean_1h")]
        picked.append(np.where(np.isnan(column), instead, column))
    return np.stack(picked, axis=1)


def persistence(windows: Windows) -> Floats:
    """The mean of the last hour stays."""
    return columns(windows, lambda metric, horizon: f"{metric}_mean_1h")


def yesterday(windows: Windows) -> Floats:
    """The same hour, a day earlier."""
    return columns(windows, lambda metric, horizon: f"{metric}_slot_yesterday_{horizon}")


def slot_median(windows: Windows) -> Floats:
    """The median of the same hour on 7 days."""
    return columns(windows, lambda metric, horizon: f"{metric}_slot_median_{horizon}")


def blend(windows: Windows) -> Floats:
    """Last hour's mean and BLENDED, each weighted by 1 / (its mean absolute error on this node over the last
    7 days)², equal weights before there is any. An error counts once its hour has passed."""
    parts = [persistence(windows), *(columns(windows, blended(name)) for name in BLENDED)]
    errors = [np.abs(part - windows.targets) for part in parts]
    result = np.empty_like(windows.targets)
    for node in np.unique(windows.node):
        rows = np.flatnonzero(windows.node == node)
        trailing = np.stack([trailing_error(error[rows], windows.step[rows]) for error in errors])
        weights = 1.0 / np.square(np.maximum(trailing, 1e-4))
        result[rows] = (np.stack([part[rows] for part in parts]) * weights).sum(axis=0) / weights.sum(axis=0)
    return result


def blended(name: str) -> Callable[[str, str], str]:
    """Names of one part of the blend."""
    by_horizon = name == "slot_median"
    return lambda metric, horizon: f"{metric}_{name}_{horizon}" if by_horizon else f"{metric}_{name}"


def trailing_error(errors: Floats, steps: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean error over the last 7 days of what is known at each row: float64 [row, OUTPUTS]; else 1."""
    total = np.vstack([np.zeros(len(OUTPUTS)), np.cumsum(errors, axis=0, dtype=np.float64)])
    first = np.searchsorted(steps, steps - HISTORY_STEPS)
    result = np.ones(errors.shape)
    for i in range(len(OUTPUTS)):
        known = np.searchsorted(steps, steps - HORIZONS[i % len(HORIZONS)] * HOUR, side="right")
        count = np.maximum(known - first, 0)
        some = count > 0
        result[some, i] = (total[known[some], i] - total[first[some], i]) / count[some]
    return result


BASELINES: dict[str, Callable[[Windows], Floats]] = {
    "persistence of the last hour": persistence,
    "same hour yesterday": yesterday,
    f"median of the same hour on {DAYS} days": slot_median,
    "blend by trailing error": blend,
}
