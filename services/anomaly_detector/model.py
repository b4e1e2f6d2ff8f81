"""The served anomaly detector: an isolation forest ensemble plus the magnitude of residuals, as health.

score = z(2^(-depth / c)) + weight x z(magnitude): how few cuts isolate the row, and how far its oddest metrics
are from what is usual. A piecewise linear map, fixed in training, turns the score into health.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.serving.contract import Floats

FOREST, CARD = "forest.onnx", "card.json"
EXPLAINED = 8


@dataclass(frozen=True)
class Recipe:
    """What turns a forest's depth into health; the part `model` of card.json.

    columns: node features, in order. medians: stands for a missing value of each. path_length: c of the
    forest's sample size. forest, magnitude: mean and standard deviation over the training rows.
    magnitude_columns: averaged. scores, health: knots of the map, scores rising and health falling.
    """

    columns: tuple[str, ...]
    medians: tuple[float, ...]
    path_length: float
    forest: tuple[float, float]
    magnitude: tuple[float, float]
    magnitude_columns: tuple[str, ...]
    magnitude_weight: float
    scores: tuple[float, ...]
    health: tuple[float, ...]

    @staticmethod
    def of(fields: dict[str, Any]) -> Recipe:
        """From JSON, where tuples are lists."""
        immutable: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
        return Recipe(**immutable)


class AnomalyDetector:
    """A `services.serving.contract.TensorModel`: residual columns to `health` [N, 1], 1 is healthy."""

    name = "anomaly-detector"
    pod_features: tuple[str, ...] = ()
    output = "health"
    columns: tuple[str, ...] = ("health",)

    def __init__(self, forest: bytes, recipe: Recipe) -> None:
        """forest: ONNX, `rows` to `depth`. The version is a digest of all that decides the answer."""
        self.recipe = recipe
        self.node_features = recipe.columns
        told = json.dumps(asdict(recipe), sort_keys=True).encode()
        self.version = hashlib.sha256(forest + told).hexdigest()[:12]
        self._session = session(forest)
        self._medians = np.array(recipe.medians, dtype=np.float32)
        self._magnitude = [recipe.columns.index(name) for name in recipe.magnitude_columns]

    def predict(self, nodes: Floats, pod: Floats | None = None) -> Floats:
        """nodes float32 [N, len(node_features)]; returns health float32 [N, 1] in [0, 1]. A missing value
        counts as the column's median in training; a row with none known gives NaN."""
        scores = self.scores(nodes)
        health = np.interp(scores, self.recipe.scores, self.recipe.health).astype(np.float32)
        health[~np.isfinite(nodes).any(axis=1)] = np.nan
        return health[:, None]

    def scores(self, nodes: Floats) -> NDArray[np.float64]:
        """float64 [N]: the score behind health, higher is odder; a row with none known scores as the medians."""
        recipe = self.recipe
        rows = np.where(np.isfinite(nodes), nodes, self._medians)
        isolation = 2.0 ** (-self.depth(rows) / recipe.path_length)
        magnitude = rows[:, self._magnitude].mean(axis=1, dtype=np.float64)
        odd = (isolation - recipe.forest[0]) / recipe.forest[1]
        far = (magnitude - recipe.magnitude[0]) / recipe.magnitude[1]
        return np.asarray(odd + recipe.magnitude_weight * far)

    def depth(self, rows: Floats) -> NDArray[np.float64]:
        """float64 [N]: mean path length over the trees, of rows without NaN."""
        if not len(rows):
            return np.zeros(0)
        (depth,) = self._session.run(["depth"], {"rows": np.ascontiguousarray(rows, dtype=np.float32)})
        return np.asarray(depth[:, 0], dtype=np.float64)

    def explain(self, nodes: Floats, pod: Floats | None = None) -> list[dict[str, float]]:
        """For each row the at most 8 columns that moved health most: health as it is minus health with that
        column at its training median (negative: the column made the node look worse). Effects of single
        columns; they need not add up. Re-scores every row once a column: meant for few rows."""
        health = self.predict(nodes)
        moved = np.concatenate([health - self.predict(self.without(nodes, c)) for c in range(nodes.shape[1])], 1)
        return [largest(self.node_features, row) for row in moved]

    def without(self, nodes: Floats, column: int) -> Floats:
        """A copy in which one column stands at its median wherever the row is known at all."""
        copy = nodes.copy()
        copy[np.isfinite(nodes).any(axis=1), column] = self._medians[column]
        return copy


def largest(names: tuple[str, ...], moved: Floats) -> dict[str, float]:
    """The columns that moved the answer, largest first; empty for a row without an answer."""
    order = np.argsort(-np.abs(moved), kind="stable")[:EXPLAINED]
    return {names[c]: float(moved[c]) for c in order if np.isfinite(moved[c]) and moved[c] != 0.0}


def session(forest: bytes) -> Any:
    """One thread a session: the server's threads, not the runtime's, share the processor."""
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(forest, options, providers=["CPUExecutionProvider"])


def load(folder: Path) -> AnomalyDetector:
    """The model in an artifact folder. OSError where a file is missing, ValueError or KeyError where it is
    not a card of this model."""
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    return AnomalyDetector((folder / FOREST).read_bytes(), Recipe.of(card["model"]))
