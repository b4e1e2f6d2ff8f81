"""Serves the load predictor: `python -m services.load_predictor --help`."""

from __future__ import annotations

import sys
from pathlib import Path

from services.load_predictor.settings import LoadPredictorSettings
from services.serving.contract import TensorModel
from services.serving.process import main


def load_model(folder: Path) -> TensorModel:
    """Imports the model's libraries only when there is something to load."""
    from services.load_predictor.model import load

    return load(folder)


if __name__ == "__main__":
    sys.exit(main(LoadPredictorSettings, load_model))
