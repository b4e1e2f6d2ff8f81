"""Medians over planes against numpy's, column by column."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from berth.features.medians import exchanges, median, medians_of_others, sort_planes

Floats = NDArray[np.float32]


def drawn(planes: int, missing: float, seed: int) -> Floats:
    """float32 [planes, 60] with equal values among them, and every second place with gaps."""
    rng = np.random.default_rng(seed)
    values: Floats = rng.integers(-6, 6, (planes, 60)).astype(np.float32)
    values[:, ::2][rng.random((planes, 30)) < missing] = np.nan
    return values


def plain(values: Floats, least: int) -> list[float]:
    """numpy's median of what is there of each column, NaN where that is too little."""
    known = [column[~np.isnan(column)] for column in values.T]
    return [float(np.median(column)) if len(column) >= max(least, 1) else np.nan for column in known]


@pytest.mark.parametrize("planes", range(1, 13))
def test_the_network_sorts_every_order(planes: int) -> None:
    """One that sorts all rows of zeros and ones sorts everything (Knuth, vol. 3, 5.3.4, theorem Z)."""
    every = (np.arange(2**planes) >> np.arange(planes)[:, None] & 1).astype(np.float32)
    assert np.array_equal(np.stack(sort_planes(every.copy())), np.sort(every, axis=0))


def test_the_network_of_a_day_is_short() -> None:
    assert len(exchanges(24)) < 24 * 23 / 4


@given(planes=st.integers(1, 25), missing=st.floats(0, 1), least=st.integers(1, 25), seed=st.integers(0, 999))
def test_a_median_is_numpy_s(planes: int, missing: float, least: int, seed: int) -> None:
    values, least = drawn(planes, missing, seed), min(least, planes)
    assert median(values.copy(), least).tolist() == pytest.approx(plain(values, least), nan_ok=True, abs=0)


@given(half=st.integers(2, 5), missing=st.floats(0, 1), seed=st.integers(0, 999))
def test_a_median_of_the_others_leaves_out_one(half: int, missing: float, seed: int) -> None:
    values = drawn(2 * half + 1, missing, seed)
    for plane, found in enumerate(medians_of_others(values)):
        others = np.delete(values, plane, axis=0)
        assert found.tolist() == pytest.approx(plain(others, half), nan_ok=True, abs=0), plane
