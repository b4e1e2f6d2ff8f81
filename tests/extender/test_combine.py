from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from extender.combine import MAX_SCORE, combine, fill_missing, integers, spread_out

SHARE = st.floats(0.0, 1.0, width=32)
TOTALS = hnp.arrays(np.float32, st.integers(2, 40), elements=SHARE)
THREE = {"headroom": 0.3, "placement": 0.4, "health": 0.3}


def f32(*values: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.array(values, dtype=np.float32)


def test_a_missing_value_is_the_median_of_the_call() -> None:
    assert fill_missing(f32(0.1, np.nan, 0.3, 0.9)).tolist() == pytest.approx([0.1, 0.3, 0.3, 0.9])
    assert fill_missing(f32(np.nan, np.nan)).tolist() == [0.5, 0.5]


def test_weights_are_those_of_the_design() -> None:
    parts = {"headroom": f32(1, 0, 0), "placement": f32(0, 1, 0), "health": f32(0, 0, 1)}
    assert combine(parts, THREE).tolist() == pytest.approx([0.3, 0.4, 0.3])


def test_weights_are_renormalised_over_the_parts_that_are_there() -> None:
    parts = {"headroom": f32(1, 0), "health": f32(1, 0.5)}
    assert combine(parts, THREE).tolist() == pytest.approx([1.0, 0.25])


def test_no_part_is_refused() -> None:
    with pytest.raises(ValueError, match="no part"):
        combine({}, THREE)
    with pytest.raises(ValueError, match="no part"):
        combine({"health": f32(1, 0)}, {"health": 0.0})


@given(TOTALS, st.sets(st.sampled_from(sorted(THREE)), min_size=1))
def test_totals_stay_in_the_unit_interval(part: np.ndarray, names: set[str]) -> None:
    total = combine(dict.fromkeys(names, part), THREE)
    assert total.dtype == np.float32
    assert np.allclose(total, part, atol=1e-6)


@given(TOTALS, st.floats(0.0, 1.0))
def test_integers_keep_the_order_and_have_one_winner(totals: np.ndarray, min_spread: float) -> None:
    found = integers(totals, min_spread)
    assert found.dtype == np.int32
    assert ((found >= 0) & (found <= MAX_SCORE)).all()
    if not found.any():
        assert np.ptp(totals) < max(min_spread, 1e-6) + 1e-7
        return
    assert (found == MAX_SCORE).sum() == 1
    assert int(found.argmax()) == int(totals.argmax())
    order = np.argsort(totals, kind="stable")
    rest = order[order != totals.argmax()]
    assert (np.diff(found[rest]) >= 0).all()


@pytest.mark.parametrize("totals", [f32(), f32(0.7), f32(0.5, 0.51), f32(0.5, np.nan), f32(0.5, 0.5)])
def test_what_does_not_tell_nodes_apart_is_neutral(totals: np.ndarray) -> None:
    assert not integers(totals, 0.02).any()


def test_a_pod_in_flight_costs_part_of_the_spread() -> None:
    assert spread_out(f32(1.0, 0.5), f32(1, 0), 0.25).tolist() == pytest.approx([0.875, 0.5])
    assert spread_out(f32(1.0, 0.5), f32(3, 3), 0.25).tolist() == [1.0, 0.5]
    assert spread_out(f32(1.0, 0.5), f32(9, 0), 0.0).tolist() == [1.0, 0.5]
    assert spread_out(f32(), f32(), 0.25).size == 0


@given(TOTALS, st.integers(0, 39), st.integers(1, 50), st.floats(0.01, 1.0))
def test_more_in_flight_never_helps_a_node(totals: np.ndarray, at: int, pods: int, cost: float) -> None:
    at %= totals.size
    crowd = np.zeros_like(totals)
    crowd[at] = pods
    before, after = spread_out(totals, crowd * 0, cost), spread_out(totals, crowd, cost)
    assert after[at] - before[at] <= 1e-6
    assert np.array_equal(np.delete(after, at), np.delete(before, at))
