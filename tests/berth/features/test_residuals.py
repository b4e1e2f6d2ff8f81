"""Residual columns against a naive reference, on recorded usage."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from numpy.typing import NDArray

from berth.features import residuals
from berth.features.residuals import (
    DAY,
    FEATURES,
    FLOOR,
    SCALE_STEPS,
    ResidualScales,
    residual_features,
    residual_history,
    residual_scales,
)
from berth.recordings import load

Floats = NDArray[np.float32]
NAMES = [feature.name for feature in FEATURES]


@pytest.fixture(scope="module")
def usage() -> Floats:
    """float32 [4, 9 days and a bit, 5]: Bitbrains machines, with the gap of 16 July at its end."""
    return np.ascontiguousarray(load.bitbrains().usage[:, 6 * DAY : 15 * DAY + 100, :60:12])


@pytest.fixture(scope="module")
def window(usage: Floats) -> Floats:
    """A week and ten steps, nothing later."""
    return usage[:, : SCALE_STEPS + 10]


@pytest.fixture(scope="module")
def scales(usage: Floats) -> ResidualScales:
    """Of the first week."""
    return residual_scales(usage[:, :SCALE_STEPS])


def lags_of(kind: str) -> list[int]:
    """The published windows, written out once more."""
    return {
        "difference": [1],
        "median_30m": [1, 2, 3, 4, 5, 6],
        "median_2h": [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23],
        "median_6h": [1, 7, 13, 19, 25, 31, 37, 43, 49, 55, 61, 67],
        "same_time": [288, 576, 864, 1152, 1440, 1728],
    }[kind]


def naive_residual(series: list[float], step: int, kind: str) -> float:
    """One kind of residual of one metric of one node at one step; needs all values."""

    def back(lags: list[int]) -> list[float]:
        return [series[step - lag] for lag in lags if step >= lag]

    if kind == "spread_30m":
        return float(np.std(back([0, 1, 2, 3, 4, 5])))
    if kind == "spread_2h":
        return float(np.std(back(list(range(0, 24, 2)))))
    return series[step] - float(np.median(back(lags_of(kind))))


def naive_row(usage: Floats, scales: ResidualScales, node: int) -> list[float]:
    """The columns of one node at the last step, one value at a time."""
    step, metrics = usage.shape[1] - 1, usage.shape[0]
    series = [usage[m, :, node].tolist() for m in range(metrics)]
    row: list[float] = []
    odd: list[list[float]] = []
    for index, kind in enumerate(residuals.KINDS):
        if kind == "range":
            low, high = scales.low[:, node], scales.high[:, node]
            found = [max(low[m] - series[m][step], series[m][step] - high[m], 0.0) for m in range(metrics)]
        else:
            found = [abs(naive_residual(series[m], step, kind)) for m in range(metrics)]
        logs = [math.log1p(found[m] / scales.scale[index, m, node]) for m in range(metrics)]
        odd.append(logs)
        row += [max(logs), max(logs), sum(v > math.log(2) for v in logs) / metrics]
    each = sorted(np.mean(odd, axis=0))
    return [*row, each[-1], each[-1], each[-1]]


def test_columns_equal_a_naive_reference(window: Floats, scales: ResidualScales) -> None:
    assert np.isfinite(window[:, -1728 - DAY :]).all(), "the reference knows no missing values"
    found = residual_features(window, scales)
    expected = [naive_row(window, scales, node) for node in range(window.shape[2])]
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_scales_are_high_quantiles_of_the_weeks_own_residuals(usage: Floats, scales: ResidualScales) -> None:
    series = usage[0, :SCALE_STEPS, 1].tolist()
    for kind in ("difference", "median_2h", "spread_30m"):
        found = sorted(abs(naive_residual(series, step, kind)) for step in range(24, SCALE_STEPS, 3))
        scale = scales.scale[residuals.KINDS.index(kind), 0, 1]
        assert scale >= np.float32(FLOOR)
        assert scale == pytest.approx(max(found[round(0.99 * (len(found) - 1))], FLOOR), rel=0.1)


def test_history_equals_what_is_served_step_by_step(usage: Floats) -> None:
    whole = residual_history(usage)
    for step in (DAY, 3 * DAY + 17, SCALE_STEPS, SCALE_STEPS + 5, 9 * DAY - 1, 9 * DAY + 99):
        served = residual_features(
            usage[:, max(0, step + 1 - SCALE_STEPS) : step + 1], residual_scales(usage[:, : step - step % DAY])
        )
        np.testing.assert_array_equal(whole[step], served)
    assert np.isnan(whole[:DAY]).all(), "no day of history, no scales, no columns"


def test_the_future_does_not_matter(usage: Floats) -> None:
    changed = usage.copy()
    changed[:, 8 * DAY + 50 :] = 0.7
    before, after = residual_history(usage), residual_history(changed)
    np.testing.assert_array_equal(before[: 8 * DAY + 50], after[: 8 * DAY + 50])
    assert not np.array_equal(before[8 * DAY + 50 :], after[8 * DAY + 50 :], equal_nan=True)


def test_nodes_do_not_touch_each_other(window: Floats, scales: ResidualScales) -> None:
    broken = window.copy()
    broken[:, -6:, 2] += 0.6
    before, after = residual_features(window, scales), residual_features(broken, scales)
    others = [0, 1, 3, 4]
    np.testing.assert_array_equal(before[others], after[others])
    assert (after[2, NAMES.index("residual_magnitude_max")] > before[2, NAMES.index("residual_magnitude_max")]).all()


@pytest.mark.parametrize("metrics", [1, 4, 19, 38])
def test_columns_do_not_depend_on_the_number_of_metrics(metrics: int) -> None:
    random = np.random.default_rng(metrics)
    usage = random.random((metrics, SCALE_STEPS, 3), dtype=np.float32)
    found = residual_features(usage, residual_scales(usage))
    assert found.shape == (3, len(FEATURES))
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


def test_missing_values_are_left_out_not_taken_for_zero(window: Floats, scales: ResidualScales) -> None:
    holes = window.copy()
    holes[3, :, 0] = np.nan  # one metric never known: the columns are those of the other three
    holes[:, -1, 1] = np.nan  # nothing known now
    holes[:, -5:-2, 3] = np.nan  # a short gap: medians stand on what is left, the 30 min spread does not
    found = residual_features(holes, residual_scales(holes[:, :SCALE_STEPS]))
    three = residual_features(window[:3], residual_scales(window[:3, :SCALE_STEPS]))
    shares = [name for name in NAMES if not name.endswith(("top8pct", "top20pct"))]
    np.testing.assert_array_equal(
        found[0, [NAMES.index(n) for n in shares]], three[0, [NAMES.index(n) for n in shares]]
    )
    assert np.isnan(found[1]).all()
    assert np.isnan(found[3, NAMES.index("residual_spread_30m_max")])
    assert np.isfinite(found[3, [NAMES.index(f"residual_median_{w}_max") for w in ("30m", "2h", "6h")]]).all()
    np.testing.assert_array_equal(found[[2, 4]], residual_features(window, scales)[[2, 4]])


@pytest.mark.parametrize("steps", [1, 12, DAY - 3])
def test_short_history_gives_nan(usage: Floats, steps: int) -> None:
    short = usage[:, :steps]
    assert np.isnan(residual_features(short, residual_scales(short))).all()


def test_a_constant_metric_does_not_blow_up() -> None:
    usage = np.full((4, SCALE_STEPS, 2), 0.3, dtype=np.float32)
    scales = residual_scales(usage)
    assert (scales.scale == np.float32(FLOOR)).all()
    np.testing.assert_allclose(residual_features(usage, scales), 0.0, atol=1e-5)
    usage[:, -1] += 0.01
    assert residual_features(usage, scales).max() < np.log(2), "a quarter of the floor is not odd"
    usage[:, -1, 1] = 1.0
    moved = residual_features(usage, scales)[1]
    assert np.isfinite(moved).all()
    assert moved.max() < np.log1p(1 / FLOOR)


def test_no_nodes() -> None:
    usage = np.empty((4, SCALE_STEPS, 0), dtype=np.float32)
    assert residual_features(usage, residual_scales(usage)).shape == (0, len(FEATURES))


@pytest.mark.timed
def test_a_snapshot_of_the_openb_cluster_is_cheap() -> None:
    usage = np.random.default_rng(0).random((4, SCALE_STEPS, 1523), dtype=np.float32)
    scales = residual_scales(usage[:, : 2 * DAY])
    spent = []
    for _ in range(3):
        began = time.perf_counter()
        residual_features(usage, scales)
        spent.append(time.perf_counter() - began)
    assert min(spent) < 0.3


@pytest.mark.parametrize("length", range(1, 30))
def test_a_history_shorter_than_its_lags_has_no_scale(usage: Floats, length: int) -> None:
    scales = residual_scales(usage[:, :length])
    assert np.isnan(scales.scale).all()
