"""Serves the placement scorer: `python -m services.placement_scorer --help`."""

from __future__ import annotations

import sys
from pathlib import Path

from services.placement_scorer.settings import PlacementScorerSettings
from services.serving.contract import TensorModel
from services.serving.process import main


def load_model(folder: Path) -> TensorModel:
    """Imports the model's libraries only when there is something to load."""
    from services.placement_scorer.model import load

    return load(folder)


if __name__ == "__main__":
    sys.exit(main(PlacementScorerSettings, load_model))
