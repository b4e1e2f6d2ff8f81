"""Scales kept for a day: nodes that come and go, and history that is filled in later."""

from __future__ import annotations

import numpy as np
import pytest

from berth.features.residuals import DAY, SCALE_STEPS, Floats, residual_scales
from berth.features.scales import DayScales, before

NOON = 40 * DAY + DAY // 2
NAMES = ("a", "b", "c")


@pytest.fixture
def usage() -> Floats:
    """A week of three nodes, up to noon."""
    return np.random.default_rng(5).random((2, SCALE_STEPS, 3), dtype=np.float32)


def columns(usage: Floats, *places: int) -> Floats:
    """Some nodes of it."""
    return np.ascontiguousarray(usage[:, :, list(places)])


def test_they_are_of_the_days_before(usage: Floats) -> None:
    made = DayScales().of(usage, NOON, NAMES)
    expected = residual_scales(usage[:, : -DAY // 2 - 1])
    np.testing.assert_array_equal(made.scale, expected.scale)
    np.testing.assert_array_equal(made.high, expected.high)


def test_a_node_that_stays_keeps_its_scales_and_a_new_one_gets_its_own(usage: Floats) -> None:
    scales = DayScales()
    first = scales.of(columns(usage, 0, 1), NOON, ("a", "b"))
    changed = columns(usage, 2, 1)
    changed[:, :, 1] *= 0.5  # what b has done since does not matter before tomorrow
    second = scales.of(changed, NOON + 1, ("c", "b"))
    np.testing.assert_array_equal(second.scale[..., 1], first.scale[..., 1])
    expected = residual_scales(before(columns(usage, 2), DAY // 2 + 1))
    np.testing.assert_array_equal(second.low[..., 0], expected.low[..., 0])
    assert scales.of(changed, NOON + 2, ("c", "b")) is second


def test_a_node_that_goes_is_forgotten(usage: Floats) -> None:
    scales = DayScales()
    first = scales.of(usage, NOON, NAMES)
    second = scales.of(columns(usage, 1), NOON, ("b",))
    np.testing.assert_array_equal(second.scale[..., 0], first.scale[..., 1])
    assert second.scale.shape[-1] == 1


def test_history_that_is_filled_in_and_a_new_day_make_them_again(usage: Floats) -> None:
    scales = DayScales()
    empty = scales.of(np.full_like(usage, np.nan), NOON, NAMES, loaded=0)
    assert np.isnan(empty.low).all()
    filled = scales.of(usage, NOON + 1, NAMES, loaded=1)
    assert not np.isnan(filled.low).any()
    assert scales.of(usage, NOON + 1, NAMES, loaded=1) is filled
    assert scales.of(usage, NOON + DAY, NAMES, loaded=1) is not filled
