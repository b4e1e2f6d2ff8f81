"""Settings of the anomaly detector: section `anomaly_detector`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from berth.settings import settings_config
from services.serving.settings import ModelServiceSettings, Port


class AnomalyDetectorSettings(ModelServiceSettings):
    """The model server of the anomaly detector."""

    section: ClassVar[str] = "anomaly_detector"
    model_config = settings_config("anomaly_detector")

    http_port: Port = 8083
    grpc_port: Port = 8093
    artifact: Path = Field(Path(__file__).parent / "artifact", description="folder of the model's files and card.json")
