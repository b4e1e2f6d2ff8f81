"""Serves the anomaly detector: `python -m services.anomaly_detector --help`."""

from __future__ import annotations

import sys
from pathlib import Path

from services.anomaly_detector.settings import AnomalyDetectorSettings
from services.serving.contract import TensorModel
from services.serving.process import main


def load_model(folder: Path) -> TensorModel:
    """Imports the model's libraries only when there is something to load."""
    from services.anomaly_detector.model import load

    return load(folder)


if __name__ == "__main__":
    sys.exit(main(AnomalyDetectorSettings, load_model))
