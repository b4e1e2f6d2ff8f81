from __future__ import annotations

import numpy as np
import pytest

from extender.headroom import headroom, peaks


def test_the_peak_is_the_highest_of_the_three_horizons_of_each_metric() -> None:
    forecast = np.array([[0.1, 0.5, 0.2, 0.7, 0.6, 0.3], [0.9, 0, 0, 0, 0, 0.1]], dtype=np.float32)
    assert peaks(forecast).ravel().tolist() == pytest.approx([0.5, 0.7, 0.9, 0.1])


def test_headroom_is_what_the_scarcer_of_cpu_and_memory_leaves() -> None:
    peak = np.array([[0.5, 0.2], [0.1, 0.6], [0.9, 0.9], [-0.01, 0.0]], dtype=np.float32)
    added = np.array([[0.1, 0.1], [0.1, 0.1], [0.5, 0.5], [0.0, 0.0]], dtype=np.float32)
    assert headroom(peak, added).tolist() == pytest.approx([0.4, 0.3, 0.0, 1.0])


def test_a_missing_forecast_stays_missing() -> None:
    peak = np.array([[np.nan, 0.2], [0.1, 0.2]], dtype=np.float32)
    found = headroom(peak, np.zeros((2, 2), dtype=np.float32))
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(0.8)
