"""The load predictor: a fitted base of simple forecasts, and XGBoost trees for what it leaves over."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from berth.features.registry import digest
from services.load_predictor.base import INPUTS, OUTPUTS, Base, Scaled, by_output, distances, scaled
from services.load_predictor.trees import xgboost

Floats = NDArray[np.float32]

ARTIFACT = Path(__file__).parent / "artifact"
TREES, BASE, CARD = "model.ubj", "base.json", "card.json"
LARGEST = 2.0
"""Forecasts are clipped to [0, LARGEST] shares of allocatable."""
TOP = 8
"""Inputs that an explanation names."""


class ArtifactError(ValueError):
    """An artifact this code cannot serve; the message says why."""


class LoadPredictor:
    """A `services.serving.contract.TensorModel`: mean of the hour that ends 1, 2 and 4 h from now, share of
    allocatable. Where CPU or memory has no history at all, its level is guessed from the other's; a row
    without either gives NaN."""

    name = "load-predictor"
    node_features = INPUTS
    pod_features: tuple[str, ...] = ()
    output = "forecast"
    columns = OUTPUTS

    def __init__(self, booster: xgboost.Booster, base: Base, version: str) -> None:
        # One thread: a server answers several models on few cores, and 5,000 rows take about 10 ms.
        booster.set_param({"nthread": 1})
        self.booster = booster
        self.base = base
        self.version = version

    def predict(self, nodes: Floats, pod: Floats | None = None) -> Floats:
        """nodes float32 [N, len(node_features)] to float32 [N, len(columns)]."""
        if len(nodes) == 0:
            return np.empty((0, len(self.columns)), dtype=np.float32)
        rows = self.rows(nodes)
        remainder = self.booster.inplace_predict(rows.inputs, missing=np.nan, validate_features=False)
        forecast = (self.base.forecast(rows) + remainder) * by_output(rows.scale)
        return np.asarray(np.clip(forecast, 0.0, LARGEST), dtype=np.float32)

    def explain(self, nodes: Floats, pod: Floats | None = None) -> list[dict[str, float]]:
        """How much each input moved the sum of the six outputs, share of allocatable: its part of the base
        plus its SHAP value in the trees. The last hour's mean stands for the level the base starts from. The
        trees' constant and the clipping belong to no input. Empty for a row that gives NaN."""
        if len(nodes) == 0:
            return []
        moved = self.contributions(self.rows(nodes)).sum(axis=2)
        return [largest(row) for row in moved]

    def contributions(self, rows: Scaled) -> Floats:
        """float32 [row, INPUTS, OUTPUTS], share of allocatable."""
        matrix = xgboost.DMatrix(rows.inputs, missing=np.nan, nthread=1)
        shap = self.booster.predict(matrix, pred_contribs=True, validate_features=False)
        moved = shap[:, :, :-1].transpose(0, 2, 1) + distances(rows)[:, :, None] * self.base.weights
        level = by_output(rows.level) * self.base.level
        for i, output in enumerate(OUTPUTS):
            moved[:, INPUTS.index(f"{output.split('_')[0]}_mean_1h"), i] += level[:, i]
        return np.asarray(moved * by_output(rows.scale)[:, None, :], dtype=np.float32)

    def rows(self, nodes: Floats) -> Scaled:
        """The rows as the base and the trees see them."""
        return scaled(nodes, self.base.memory_to_cpu)


def largest(moved: Floats) -> dict[str, float]:
    """The TOP inputs that moved most, either way; none of a NaN row."""
    order = np.argsort(-np.abs(moved), kind="stable")[:TOP]
    return {INPUTS[i]: float(moved[i]) for i in order if np.isfinite(moved[i]) and moved[i] != 0.0}


def load(folder: Path = ARTIFACT) -> LoadPredictor:
    """The model in `folder`. Raises ArtifactError where it was made for other columns, OSError where a file
    is missing."""
    card = json.loads((folder / CARD).read_text())
    if card["features_digest"] != digest(INPUTS):
        raise ArtifactError(f"{folder.name}: made for other input columns than this code computes")
    version = artifact_version(folder)
    if card["version"] != version:
        raise ArtifactError(f"{folder.name}: card describes version {card['version']}, files are {version}")
    booster = xgboost.Booster()
    booster.load_model(folder / TREES)
    return LoadPredictor(booster, decode_base((folder / BASE).read_text()), version)


def artifact_version(folder: Path) -> str:
    """12 hex digits of the SHA-256 of trees and base."""
    return hashlib.sha256((folder / TREES).read_bytes() + (folder / BASE).read_bytes()).hexdigest()[:12]


def encode_base(base: Base) -> str:
    """The base as JSON, weights by output and input."""
    weights = {
        output: {name: round(float(base.weights[i, j]), 6) for i, name in enumerate(INPUTS) if base.weights[i, j]}
        for j, output in enumerate(OUTPUTS)
    }
    level = {output: round(float(base.level[j]), 6) for j, output in enumerate(OUTPUTS)}
    content = {"memory_to_cpu": round(base.memory_to_cpu, 6), "level": level, "weights": weights}
    return json.dumps(content, indent=1) + "\n"


def decode_base(text: str) -> Base:
    """The inverse of encode_base, to six digits."""
    content = json.loads(text)
    weights = np.zeros((len(INPUTS), len(OUTPUTS)), dtype=np.float32)
    for j, output in enumerate(OUTPUTS):
        for name, weight in content["weights"][output].items():
            weights[INPUTS.index(name), j] = weight
    level = np.array([content["level"][output] for output in OUTPUTS], dtype=np.float32)
    return Base(weights, level, content["memory_to_cpu"])
