"""What the detector is compared with. Both are given each machine's own history."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from services.anomaly_detector.counting import Series
from services.anomaly_detector.data import Machine
from services.serving.contract import Floats

HOUR = 12
LEAST_SPREAD = 0.01
"""Of the z-score: a metric that stood still for an hour is not infinitely odd when it moves."""


def raw_forest(history: Floats, values: Floats, seed: int = 0) -> Floats:
    """float32 [step]: score of a sklearn IsolationForest on raw values [step, metric], fitted to the same
    machine's `history`. Missing values stand at the history's median."""
    from sklearn.ensemble import IsolationForest

    middle = np.nanmedian(history, axis=0)
    fitted = IsolationForest(n_estimators=100, random_state=seed).fit(known(history, middle)[::2])
    return np.asarray(-fitted.score_samples(known(values, middle)), dtype=np.float32)


def known(values: Floats, middle: Floats) -> Floats:
    """Missing values replaced."""
    return np.where(np.isfinite(values), values, middle)


def rolling_z(values: Floats) -> Floats:
    """float32 [step]: the largest over the metrics of |x - mean| / std over the hour before; 0 in the first
    hour and where a value is missing."""
    windows = sliding_window_view(values[:-1], HOUR, axis=0)
    z = np.abs(values[HOUR:] - windows.mean(-1)) / np.maximum(windows.std(-1), LEAST_SPREAD)
    scores = np.zeros(len(values), dtype=np.float32)
    scores[HOUR:] = np.nan_to_num(z, nan=0.0).max(axis=1)
    return scores


def series(name: str, machines: list[Machine], seed: int = 0) -> list[Series]:
    """Scores and labels of the labelled halves; the forest is fitted to the unlabelled half."""
    found = []
    for machine in machines:
        labelled = machine.labels >= 0
        if name == "raw_forest":
            scores = raw_forest(machine.values[~labelled], machine.values[labelled], seed)
        else:
            scores = rolling_z(machine.values)[labelled]
        found.append((scores, machine.labels[labelled]))
    return found
