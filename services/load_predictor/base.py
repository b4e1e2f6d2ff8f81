"""The forecast's base: a weighted sum of simple forecasts, each as its distance from the node's level.

Everything is divided by the node's own scale first (its mean over 7 days, of each metric), so a node with
four times the load gets four times the forecast: the machines trained on run at a tenth of what they own,
a served node does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from berth.features.history import FEATURES, HORIZONS, METRICS

Floats = NDArray[np.float32]

OUTPUTS = tuple(f"{metric}_{h}h" for metric in METRICS for h in HORIZONS)
INPUTS = tuple(feature.name for feature in FEATURES if feature.name.startswith(METRICS))
"""Every history column but the calendar: hours of one cluster's day would not carry over to another's, and
the slots of earlier days hold the rhythm already. On the training machines the calendar gained nothing."""

LEVEL = ("mean_1h", "last_5m", "mean_30m", "lag_1h", "lag_2h", "mean_6h", "mean_24h", "mean_7d")
"""A node's level is the first of these that is known, its scale the last one."""
SMALLEST_SCALE = 0.002
"""Share of allocatable; below it usage is noise, and dividing by it would blow that up."""
LARGEST_INPUT = 1e3
"""Share of allocatable; beyond it, as infinity, an input is no usage and counts as missing."""
SIMPLE = (
    "last_5m", "mean_30m", "lag_1h", "lag_2h", "mean_6h", "mean_24h", "mean_7d", "max_1h",
    "slot_median_now", "hour_median", "minute_median",
)  # fmt: skip
TRUST = 0.5
"""Share of the fitted weights; the rest goes to the node's own blend, so that a node unlike those trained on
is still forecast by what has worked for itself."""
SLOTS = ("slot_yesterday", "slot_median", "blend")
"""Simple forecasts that exist for each horizon."""


@dataclass(frozen=True)
class Scaled:
    """inputs: float32 [row, INPUTS] over the metric's scale, NaN where missing. level, scale: float32
    [row, METRICS], level over scale; NaN in the rows without any input."""

    inputs: Floats
    level: Floats
    scale: Floats


@dataclass(frozen=True)
class Base:
    """weights: float32 [INPUTS, OUTPUTS], 0 where an input is no simple forecast of that output. level:
    float32 [OUTPUTS], what the level itself counts. memory_to_cpu: level of memory over that of CPU, used
    where one of the two has no history at all."""

    weights: Floats
    level: Floats
    memory_to_cpu: float

    def forecast(self, scaled: Scaled) -> Floats:
        """float32 [row, OUTPUTS], over the metric's scale."""
        return distances(scaled) @ self.weights + by_output(scaled.level) * self.level


def scaled(features: Floats, memory_to_cpu: float) -> Scaled:
    """features: float32 [row, INPUTS], share of allocatable."""
    half = len(INPUTS) // len(METRICS)
    features = np.where(np.abs(features) < LARGEST_INPUT, features, np.float32(np.nan))
    planes = features[:, :half], features[:, half:]
    level = np.stack([first_known(plane, LEVEL) for plane in planes], axis=1)
    scale = np.stack([first_known(plane, LEVEL[::-1]) for plane in planes], axis=1)
    for known in (level, scale):
        cpu, memory = known[:, 0].copy(), known[:, 1].copy()
        known[:, 0] = np.where(np.isnan(cpu), memory / np.float32(memory_to_cpu), cpu)
        known[:, 1] = np.where(np.isnan(memory), cpu * np.float32(memory_to_cpu), memory)
    scale = np.maximum(scale, np.float32(SMALLEST_SCALE))
    inputs = np.concatenate([plane / scale[:, [i]] for i, plane in enumerate(planes)], axis=1)
    return Scaled(inputs, level / scale, scale)


def first_known(plane: Floats, names: tuple[str, ...]) -> Floats:
    """The first of the named columns that is no NaN, row by row; plane: one metric's part of INPUTS."""
    prefix = f"{METRICS[0]}_"
    found = np.full(len(plane), np.nan, dtype=np.float32)
    for name in names:
        found = np.where(np.isnan(found), plane[:, INPUTS.index(prefix + name)], found)
    return found


def distances(scaled: Scaled) -> Floats:
    """Inputs as distances from the level; a missing one lies at the level."""
    half = len(INPUTS) // len(METRICS)
    away = scaled.inputs - np.repeat(scaled.level, half, axis=1)
    away[np.isnan(away)] = 0.0
    return away


def by_output(by_metric: Floats) -> Floats:
    """float32 [row, METRICS] repeated to [row, OUTPUTS]."""
    return np.repeat(by_metric, len(HORIZONS), axis=1)


def simple_forecasts(output: str) -> list[str]:
    """The inputs that the base of one output weighs."""
    metric, horizon = output.split("_")
    return [f"{metric}_{name}" for name in (*SIMPLE, *(f"{slot}_{horizon}" for slot in SLOTS))]


def fit(features: Floats, targets: Floats) -> Base:
    """Least absolute deviation, then TRUST of it. features: float32 [row, INPUTS]; targets: float32 [row, OUTPUTS]."""
    half = len(HORIZONS)
    memory_to_cpu = float(targets[:, half:].mean() / targets[:, :half].mean())
    rows = scaled(features, memory_to_cpu)
    away, wanted = distances(rows), targets / by_output(rows.scale)
    weights = np.zeros((len(INPUTS), len(OUTPUTS)), dtype=np.float32)
    level = np.zeros(len(OUTPUTS), dtype=np.float32)
    for i, output in enumerate(OUTPUTS):
        columns = [INPUTS.index(name) for name in simple_forecasts(output)]
        matrix = np.column_stack([away[:, columns], by_output(rows.level)[:, i]])
        solved = least_absolute(matrix.astype(np.float64), wanted[:, i].astype(np.float64))
        weights[columns, i] = TRUST * solved[:-1]
        weights[INPUTS.index(output.replace("_", "_blend_")), i] += 1.0 - TRUST
        level[i] = TRUST * solved[-1] + (1.0 - TRUST)
    return Base(weights, level, memory_to_cpu)


def least_absolute(matrix: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of least absolute deviation by iteratively reweighted least squares, with a slight ridge."""
    weight = np.ones(len(wanted))
    ridge = 1e-3 * len(wanted) * np.eye(matrix.shape[1])
    solved: NDArray[np.float64] = np.zeros(matrix.shape[1])
    for _ in range(20):
        weighted = matrix * weight[:, None]
        solved = np.asarray(np.linalg.solve(matrix.T @ weighted + ridge, weighted.T @ wanted))
        weight = 1.0 / np.maximum(np.abs(wanted - matrix @ solved), 0.02)
    return solved
