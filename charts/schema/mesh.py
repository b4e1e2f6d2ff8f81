"""Values of chart `mesh`: its own; those of a component are checked by the component's chart."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from charts.schema.pieces import Image, Kubernetes, Values


class Redis(Values):
    """The embedded one."""

    enabled: bool = True
    existing_secret: str = ""
    image: Image = Image(repository="valkey/valkey", tag="8.1-alpine")
    max_memory_mib: Annotated[int, Field(ge=32, le=65536)] = 256
    resources: Kubernetes
    network_policy: bool = True


class MeshValues(Values):
    """All of them."""

    globals_: Kubernetes = Field({}, alias="global", description="Helm's values for all charts; none are used")
    parts: Kubernetes = Field({}, description="the shared templates' chart, which has no values")
    extender: Kubernetes = {}
    telemetry: Kubernetes = {}
    load_predictor: Kubernetes = Field({}, alias="load-predictor")
    placement_scorer: Kubernetes = Field({}, alias="placement-scorer")
    anomaly_detector: Kubernetes = Field({}, alias="anomaly-detector")
    redis: Redis
