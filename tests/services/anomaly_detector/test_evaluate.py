"""The figures of a scorer that is right, and of one that is blind."""

from __future__ import annotations

import numpy as np
import pytest

from berth.features.residuals import DAY
from services.anomaly_detector import baselines, data, faults
from services.anomaly_detector.evaluate import fault_ratios


def test_a_perfect_scorer_and_a_blind_one() -> None:
    _, labels = faults.inject(data.pseudo_nodes("test", 3)[:, : 21 * DAY], 7 * DAY, seed=3)
    blind = np.zeros(labels.shape, dtype=np.float32)
    perfect = (labels > 0).astype(np.float32)
    told = fault_ratios(perfect, labels, blind, 0.5)
    assert {told[name] for name in ("average_precision", "detected", "precision")} == {1.0}
    assert told["false_positive_rate"] == 0.0
    none = fault_ratios(blind, labels, blind, 0.5)
    assert none["detected"] == none["precision"] == 0.0
    assert none["average_precision"] == pytest.approx((labels > 0).sum() / (labels >= 0).sum(), abs=1e-3)


def test_rolling_z_sees_a_jump_at_once_and_nothing_before_it() -> None:
    values = np.full((60, 2), 0.2, dtype=np.float32)
    values[40:, 1] = 0.5
    scores = baselines.rolling_z(values)
    assert scores[:40].max() < 1e-3
    assert scores[40] == pytest.approx(30, rel=1e-3)
