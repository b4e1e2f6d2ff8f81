"""Fitting is repeatable, and its seed matters."""

from __future__ import annotations

import numpy as np

from services.anomaly_detector import data, fit
from services.anomaly_detector.model import AnomalyDetector


def test_two_fits_are_one() -> None:
    rows = np.abs(np.random.default_rng(0).normal(size=(600, len(data.COLUMNS)))).astype(np.float32)
    (forest, recipe), again, other = fit.fit(rows), fit.fit(rows), fit.fit(rows, seed=1)
    assert (forest, recipe) == again
    assert forest != other[0]
    scores = AnomalyDetector(forest, recipe).scores(rows)
    assert abs(scores.mean()) < 0.01, "a sum of z-scores over the rows they were taken from"
    assert AnomalyDetector(forest, recipe).scores(rows[:1] + 5)[0] > scores.max()
