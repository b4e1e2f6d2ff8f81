"""A service whose answers a test can compute by hand: `python -m tests.services.serving.tiny_service`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import ClassVar

import numpy as np

from berth.settings import settings_config
from services.serving.contract import Floats
from services.serving.process import main
from services.serving.settings import ModelServiceSettings, Port

NODE_FEATURES = tuple(f"column_{i}" for i in range(60))
POD_FEATURES: tuple[str, ...] = ("seconds", "fails")


SLEEPS_S = (0.4, 0.6, 0.9, 59.5)
"""Wishes that are granted. Bytes that mean nothing are seldom one of them: a service that sleeps fails what follows."""


class TinySettings(ModelServiceSettings):
    """Section `tiny`."""

    section: ClassVar[str] = "tiny"
    model_config = settings_config("tiny")

    http_port: Port = 18081
    grpc_port: Port = 18091
    artifact: Path = Path("artifact")


class TinyModel:
    """Mean of the known values and their number; the pod says how long that takes and whether it fails."""

    name = "tiny"
    version = "v1"
    node_features = NODE_FEATURES
    pod_features = POD_FEATURES
    output = "answer"
    columns: tuple[str, ...] = ("mean", "known")

    def __init__(self) -> None:
        self.computed = 0

    def predict(self, nodes: Floats, pod: Floats | None) -> Floats:
        """mean is NaN for a row without known values."""
        assert pod is not None
        self.computed += 1
        if round(float(pod[0]), 3) in SLEEPS_S:
            time.sleep(float(pod[0]))
        if pod[1] == 1:
            raise ValueError("a secret of the model")
        if pod[1] == 2:
            return np.zeros((1, 7), dtype=np.float32)
        if pod[1] == 3:  # calls computed so far, this one left out
            return np.full((len(nodes), 2), self.computed - 1, dtype=np.float32)
        known = np.isfinite(nodes).sum(axis=1)
        total = np.nansum(nodes, axis=1)
        mean = np.divide(total, known, out=np.full(len(nodes), np.nan), where=known > 0)
        return np.column_stack([mean, known]).astype(np.float32)

    def explain(self, nodes: Floats, pod: Floats | None) -> list[dict[str, float]]:
        """The eight largest known values of each row."""
        order = np.argsort(-np.abs(np.nan_to_num(nodes)), axis=1)[:, :8]
        return [
            {NODE_FEATURES[i]: float(row[i]) for i in best if np.isfinite(row[i])}
            for row, best in zip(nodes, order, strict=True)
        ]


def load(folder: Path) -> TinyModel:
    """Raises ValueError for a folder with a file 'broken'."""
    if (folder / "broken").exists():
        raise ValueError("the weights are broken\nin two lines")
    return TinyModel()


if __name__ == "__main__":
    sys.exit(main(TinySettings, load))
