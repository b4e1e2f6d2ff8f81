"""The history columns against a plain loop over recorded machines."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from berth.features.history import CHUNK, FEATURES, HISTORY_STEPS, history_features
from berth.recordings.load import STEP_S, Machines, bitbrains

Floats = NDArray[np.float32]
NAMES = [feature.name for feature in FEATURES]


@pytest.fixture(scope="module")
def machines() -> Machines:
    return bitbrains()


def enough(values: Floats, figure: float) -> float:
    return figure if 2 * np.isfinite(values).sum() >= len(values) else math.nan


def average(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return enough(values, float(known.mean())) if len(known) else math.nan


def middle(values: list[float] | Floats) -> float:
    array = np.asarray(values, dtype=np.float32)
    known = array[np.isfinite(array)]
    return enough(array, float(np.median(known))) if len(known) else math.nan


def spread(values: list[float] | Floats) -> float:
    array = np.asarray(values, dtype=np.float32)
    known = array[np.isfinite(array)]
    return enough(array, float(known.std())) if len(known) else math.nan


def naive(values: Floats) -> dict[str, float]:
    """The columns of one metric for one machine, each written out: values float32 [HISTORY_STEPS]."""
    end = len(values)

    def hour_ending(hours_ago: int) -> float:
        return average(values[end - hours_ago * 12 - 12 : end - hours_ago * 12])

    def known(part: Floats) -> Floats:
        found = part[np.isfinite(part)]
        return found if 2 * len(found) >= len(part) else np.array([math.nan], dtype=np.float32)

    hours = [hour_ending(ago) for ago in range(24 * 7)]
    columns = {
        "last_5m": float(values[-1]),
        "mean_30m": average(values[-6:]),
        "mean_1h": hours[0],
        "mean_6h": average(values[-72:]),
        "mean_24h": average(values[-288:]),
        "mean_7d": average(values),
        "std_1h": spread(values[-12:]),
        "std_24h": spread(values[-288:]),
        "std_7d": spread(hours),
        "max_1h": float(known(values[-12:]).max()),
        "max_24h": float(known(values[-288:]).max()),
        "min_24h": float(known(values[-288:]).min()),
        "slope_1h": 2 * (average(values[-6:]) - average(values[-12:-6])),
        "slope_6h": (average(values[-36:]) - average(values[-72:-36])) / 3,
        "lag_1h": hours[1],
        "lag_2h": hours[2],
        "slot_median_now": middle([hours[24 * day] for day in range(1, 7)]),
        "minute_median": middle(values[[end - 1 - 12 * ago for ago in range(24)]]),
        "hour_median": middle(hours[:24]),
    }
    for h in (1, 2, 4):
        columns[f"slot_yesterday_{h}h"] = hours[24 - h]
        columns[f"slot_median_{h}h"] = middle([hours[24 * day - h] for day in range(1, 8)])
    return columns | naive_errors(hours, columns)


def naive_errors(hours: list[float], columns: dict[str, float]) -> dict[str, float]:
    """How far simple forecasts were off, and their blend: hours newest first."""

    def distance(pairs: list[tuple[float, float]]) -> float:
        return average(np.array([abs(one - other) for one, other in pairs], dtype=np.float32))

    errors = {f"change_{h}h": distance(list(zip(hours, hours[h:], strict=False))) for h in (1, 2, 4, 24)}
    others = [[hours[i] for i in range(ago % 24, 168, 24) if i != ago] for ago in range(168)]
    errors["slot_error"] = distance([(hours[ago], middle(others[ago])) for ago in range(168)])
    day_before = [middle(hours[24 * day : 24 * day + 24]) for day in range(1, 7)]
    errors["level_error"] = distance([(hours[ago], day_before[ago // 24]) for ago in range(144)])
    for h in (1, 2, 4):
        parts = [hours[0], columns[f"slot_yesterday_{h}h"], columns[f"slot_median_{h}h"], columns["hour_median"]]
        names = (f"change_{h}h", "change_24h", "slot_error", "level_error")
        weights = [max(errors[name], 1e-4) ** -2 for name in names]
        errors[f"blend_{h}h"] = sum(map(math.prod, zip(parts, weights, strict=True))) / sum(weights)
    return errors


# Steps of the recording: complete, over the 31 h gap of 16 July, just after a month's end, inside a gap.
@pytest.mark.parametrize("step", [4_000, 5_200, 9_100, 4_600])
def test_agrees_with_a_plain_loop(machines: Machines, step: int) -> None:
    usage = machines.usage[:, step + 1 - HISTORY_STEPS : step + 1, :6]
    got = history_features(usage, machines.start + step * STEP_S)
    assert got.shape == (6, len(FEATURES))
    assert got.dtype == np.float32
    for node in range(6):
        for metric, prefix in enumerate(("cpu", "memory")):
            for name, wanted in naive(usage[metric, :, node]).items():
                column = got[node, NAMES.index(f"{prefix}_{name}")]
                assert column == pytest.approx(wanted, rel=2e-4, abs=2e-5, nan_ok=True), (node, prefix, name)


def test_plain_loop_covers_every_column() -> None:
    wanted = {f"{metric}_{name}" for metric in ("cpu", "memory") for name in naive(np.zeros(HISTORY_STEPS, "f4"))}
    assert set(NAMES) == wanted | {"hour_sin", "hour_cos", "weekday_sin", "weekday_cos"}
    assert len(NAMES) == len(set(NAMES))


def test_slot_is_the_hour_that_will_end_then() -> None:
    """A spike between 20 and 19 hours ago is what comes 4 h from now, not 2 or 1."""
    usage = np.full((2, HISTORY_STEPS, 1), 0.1, dtype=np.float32)
    usage[0, HISTORY_STEPS - 21 * 12 : HISTORY_STEPS - 20 * 12] = 0.9
    row = dict(zip(NAMES, history_features(usage, 0)[0], strict=True))
    assert row["cpu_slot_yesterday_4h"] == pytest.approx(0.9)
    assert row["cpu_slot_yesterday_2h"] == pytest.approx(0.1)
    assert row["cpu_slot_yesterday_1h"] == pytest.approx(0.1)


def test_reads_no_future_and_no_other_metric(machines: Machines) -> None:
    usage = machines.usage[:, :5_000].copy()
    step = 3_000
    before = history_features(usage[:, : step + 1], 0)
    usage[:, step + 1 :] = 7.0
    usage[2:] = np.nan
    assert np.array_equal(before, history_features(usage[:, : step + 1], 0), equal_nan=True)
    assert np.array_equal(before, history_features(usage[:, step + 1 - HISTORY_STEPS : step + 1], 0), equal_nan=True)


@settings(max_examples=20)
@given(steps=st.integers(1, 400), missing=st.floats(0, 1), seed=st.integers(0, 999))
def test_a_short_or_broken_history_is_missing_not_zero(steps: int, missing: float, seed: int) -> None:
    """Every known column lies within the range of what was seen; a node's neighbours change nothing."""
    rng = np.random.default_rng(seed)
    usage = rng.uniform(0.5, 0.6, (2, steps, 5)).astype(np.float32)
    usage[rng.random(usage.shape) < missing] = np.nan
    features = history_features(usage, 0)
    alone = history_features(usage[:, :, 2:3], 0)
    assert np.allclose(features[2:3], alone, rtol=1e-4, atol=1e-6, equal_nan=True)
    distances = ("std", "slope", "change", "_error")
    levels = features[:, [i for i, name in enumerate(NAMES[:-4]) if not any(d in name for d in distances)]]
    known = levels[np.isfinite(levels)]
    assert ((known > 0.499) & (known < 0.601)).all()
    if steps < HISTORY_STEPS // 2:
        assert np.isnan(features[:, NAMES.index("cpu_mean_7d")]).all()


def test_columns_do_not_depend_on_the_chunk_a_node_falls_into(machines: Machines) -> None:
    """Nodes with and without gaps on both sides of a chunk's end, bit for bit."""
    nodes = np.arange(CHUNK + 20) % machines.usage.shape[2]
    usage = machines.usage[:2, 4_000 - HISTORY_STEPS : 4_000, nodes]
    usage[0, 900:960, ::7] = np.nan
    usage[1, -200:, CHUNK - 3 : CHUNK + 3] = np.nan
    in_one_chunk = history_features(usage[:, :, -40:], 0)
    assert np.array_equal(history_features(usage, 0)[-40:], in_one_chunk, equal_nan=True)


def test_nothing_recorded_leaves_only_the_calendar() -> None:
    features = history_features(np.full((2, HISTORY_STEPS, 3), np.nan, dtype=np.float32), 0)
    assert np.isnan(features[:, :-4]).all()
    assert np.isfinite(features[:, -4:]).all()
    assert history_features(np.zeros((4, 0, 2), dtype=np.float32), 0).shape == (2, len(FEATURES))
    assert history_features(np.zeros((4, 10, 0), dtype=np.float32), 0).shape == (0, len(FEATURES))


def test_calendar() -> None:
    monday_noon = int(datetime(2013, 9, 2, 12, tzinfo=UTC).timestamp())
    features = history_features(np.zeros((2, 1, 1), dtype=np.float32), monday_noon)[0, -4:]
    assert features == pytest.approx([0.0, -1.0, math.sin(math.pi / 7), math.cos(math.pi / 7)], abs=1e-6)


@pytest.mark.parametrize("shape", [(2016, 5), (1, 2016, 5)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\[metric, step, node\]"):
        history_features(np.zeros(shape, dtype=np.float32), 0)


def test_cheap_enough_for_every_snapshot() -> None:
    """About 25 ms of the thread's own time for openb's 1,523 nodes."""
    usage = np.random.default_rng(0).random((2, HISTORY_STEPS, 1_523), dtype=np.float32)
    taken = []
    for _ in range(3):
        began = time.thread_time()
        history_features(usage, 0)
        taken.append(time.thread_time() - began)
    assert min(taken) < 0.3
