"""Settings of the placement scorer: section `placement_scorer`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from berth.settings import settings_config
from services.serving.settings import ModelServiceSettings, Port


class PlacementScorerSettings(ModelServiceSettings):
    """The model server of the placement scorer."""

    section: ClassVar[str] = "placement_scorer"
    model_config = settings_config("placement_scorer")

    http_port: Port = 8082
    grpc_port: Port = 8092
    artifact: Path = Field(Path(__file__).parent / "artifact", description="folder of the model's files and card.json")
