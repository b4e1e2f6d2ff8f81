"""`berth train anomaly-detector`: recordings to artifact. Deterministic; about two minutes on two cores."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from services.anomaly_detector import card, data, fit
from services.anomaly_detector.evaluate import Progress, evaluate
from services.anomaly_detector.model import CARD, FOREST, AnomalyDetector, Recipe

MODEL_CARD = "MODEL_CARD.md"


def train(out: Path, progress: Progress) -> None:
    """Write forest.onnx, card.json and MODEL_CARD.md into the folder `out`. progress(what, share done)."""
    progress("residuals of the train machines", 0.0)
    rows = fit.training_rows()
    progress("forests and threshold", 0.2)
    forest, recipe = fit.fit(rows)
    recipe = fit.calibrate(forest, recipe, rows)
    told = describe(forest, recipe)
    write(out, forest, told)
    told["measured"] = evaluate(out, lambda what, done: progress(what, 0.4 + 0.6 * done))
    write(out, forest, told)
    (out / MODEL_CARD).write_text(card.render(told), encoding="utf-8")


def write(out: Path, forest: bytes, told: dict[str, Any]) -> None:
    """The two files that make the artifact."""
    out.mkdir(parents=True, exist_ok=True)
    (out / FOREST).write_bytes(forest)
    (out / CARD).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def describe(forest: bytes, recipe: Recipe) -> dict[str, Any]:
    """The card but what is measured."""
    return {
        "name": AnomalyDetector.name,
        "version": AnomalyDetector(forest, recipe).version,
        "model": asdict(recipe),
        "training": {
            "forests": fit.FORESTS,
            "trees_each": fit.TREES,
            "rows_each_tree": fit.SAMPLES,
            "columns_each_tree": fit.SHARE,
            "rows_each_recording": fit.ROWS,
            "seed": 0,
        },
        "split": {which: {part: list(data.names(which)[part]) for part in data.PARTS} for which in data.LABELLED},
    }
