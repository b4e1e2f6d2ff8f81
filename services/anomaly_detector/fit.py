"""Fit the forests and the map from score to health. Labels serve the threshold alone, on train machines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from berth.features.residuals import DAY, SCALE_STEPS, residual_history
from services.anomaly_detector import data, faults
from services.anomaly_detector.counting import Series, threshold_of
from services.anomaly_detector.forest import average_path_length, to_onnx
from services.anomaly_detector.model import AnomalyDetector, Recipe
from services.serving.contract import Floats

FORESTS, TREES, SAMPLES, SHARE = 4, 16, 256, 0.7
"""Forests, trees of each, rows of each tree, share of the columns each tree sees."""
ROWS = 8_000
"""Training rows of each recording, so that none outweighs the others."""
NODES, STRIDE = 24, 5
"""Bitbrains pseudo-nodes to train on, and the step between rows taken of them."""
CALIBRATION_NODES, CALIBRATION_STEPS = 12, 35 * DAY
"""Pseudo-nodes with injected faults, and the part of July and August, that the threshold is chosen on."""
MAGNITUDE = ("residual_magnitude_max", "residual_magnitude_top8pct", "residual_magnitude_top20pct")
MAGNITUDE_WEIGHT = 0.5
HEALTH = (1.0, 0.97, 0.9, 0.5, 0.0)
"""At the lowest score, the median of normal rows, their 95 % quantile, the threshold, and as far beyond the
threshold as that lies above the 95 % quantile."""


def training_rows(seed: int = 0) -> Floats:
    """float32 [row, column], no NaN: equal parts of the unlabelled halves of asd's and smd's train machines
    and of Bitbrains pseudo-nodes in July and August."""
    parts = [np.concatenate([m.rows[m.labels == -1] for m in data.machines(which, "train")]) for which in data.LABELLED]
    usage = data.pseudo_nodes("train", NODES)
    parts.append(residual_history(usage)[::STRIDE].reshape(-1, len(data.COLUMNS)))
    random = np.random.default_rng(seed)
    return np.concatenate([draw(part[np.isfinite(part).all(axis=1)], random) for part in parts])


def draw(rows: Floats, random: np.random.Generator) -> Floats:
    """At most ROWS rows without repeats."""
    return rows[random.permutation(len(rows))[:ROWS]]


def fit(rows: Floats, seed: int = 0) -> tuple[bytes, Recipe]:
    """ONNX forest and recipe, with the health map still to be set by `calibrate`."""
    from sklearn.ensemble import IsolationForest

    forests = [
        IsolationForest(
            n_estimators=TREES, max_samples=SAMPLES, max_features=SHARE, random_state=1000 * seed + part
        ).fit(rows)
        for part in range(FORESTS)
    ]
    onnx_forest = to_onnx(forests, rows.shape[1]).SerializeToString()
    raw = Recipe(
        columns=data.COLUMNS,
        medians=tuple(np.median(rows, axis=0).tolist()),
        path_length=average_path_length(SAMPLES),
        forest=(0.0, 1.0),
        magnitude=(0.0, 1.0),
        magnitude_columns=MAGNITUDE,
        magnitude_weight=0.0,
        scores=(0.0, 1.0),
        health=(1.0, 0.0),
    )
    isolation = AnomalyDetector(onnx_forest, raw).scores(rows)
    magnitude = rows[:, [data.COLUMNS.index(name) for name in MAGNITUDE]].mean(axis=1, dtype=np.float64)
    return onnx_forest, replace(
        raw,
        forest=(float(isolation.mean()), float(isolation.std())),
        magnitude=(float(magnitude.mean()), float(magnitude.std())),
        magnitude_weight=MAGNITUDE_WEIGHT,
    )


def calibrate(onnx_forest: bytes, recipe: Recipe, rows: Floats) -> Recipe:
    """The recipe with its health map: 0.5 at the one threshold chosen on the labelled halves of the train
    machines and on faults injected into train pseudo-nodes; higher knots at quantiles of the rows' scores."""
    detector = AnomalyDetector(onnx_forest, recipe)
    groups = [series(detector, which, "train") for which in data.LABELLED]
    threshold = threshold_of([*groups, injected_series(detector)])
    scores = detector.scores(rows)
    median, high = np.quantile(scores, [0.5, 0.95])
    knots = (scores.min(), median, high, threshold, 2 * threshold - high)
    return replace(recipe, scores=tuple(float(knot) for knot in knots), health=HEALTH)


def injected_series(detector: AnomalyDetector) -> list[Series]:
    """Scores and labels of train pseudo-nodes with injected faults, from the second week of July on."""
    usage, labels = faults.inject(
        data.pseudo_nodes("train", CALIBRATION_NODES, seed=1)[:, :CALIBRATION_STEPS], SCALE_STEPS, seed=1
    )
    scores = node_scores(detector, usage)
    kept = faults.of_kind(labels)[SCALE_STEPS:]
    return [(scores[SCALE_STEPS:, n], kept[:, n]) for n in range(usage.shape[2])]


def node_scores(detector: AnomalyDetector, usage: Floats) -> Floats:
    """float32 [step, node] of usage [metric, step, node]."""
    rows = residual_history(usage)
    return detector.scores(rows.reshape(-1, rows.shape[2])).reshape(rows.shape[:2]).astype(np.float32)


def series(detector: AnomalyDetector, which: str, part: data.Part) -> list[Series]:
    """Scores and labels of the labelled halves of one recording's machines."""
    found = []
    for machine in data.machines(which, part):
        labelled = machine.labels >= 0
        scores = detector.scores(machine.rows[labelled]).astype(np.float32)
        found.append((scores, machine.labels[labelled]))
    return found
