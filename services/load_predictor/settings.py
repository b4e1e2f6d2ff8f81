"""Settings of the load predictor: section `load_predictor`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from berth.settings import settings_config
from services.serving.settings import ModelServiceSettings, Port


class LoadPredictorSettings(ModelServiceSettings):
    """The model server of the load predictor."""

    section: ClassVar[str] = "load_predictor"
    model_config = settings_config("load_predictor")

    http_port: Port = 8081
    grpc_port: Port = 8091
    artifact: Path = Field(Path(__file__).parent / "artifact", description="folder of the model's files and card.json")
