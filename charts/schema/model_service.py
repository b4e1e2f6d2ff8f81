"""Values of chart `model-service`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from charts.schema.pieces import (
    Access,
    Addresses,
    ApiServer,
    CertManager,
    Image,
    Kubernetes,
    Metrics,
    Percent,
    PodDisruptionBudget,
    Policy,
    Values,
    Workload,
)

Replicas = Annotated[int, Field(ge=1, le=100)]


class Artifact(Values):
    """Which model is served."""

    storage_uri: Annotated[str, Field(pattern=r"^([a-z][a-z0-9+.-]*://.+)?$")] = ""
    digest: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")] = ""
    initializer: str = "kserve/storage-initializer:v0.20.0"


class Tls(Values):
    """Of the gRPC door."""

    enabled: bool = False
    secret: str = ""
    cert_manager: CertManager = CertManager()


class Autoscaling(Values):
    """Between two and ten."""

    min_replicas: Replicas = 2
    max_replicas: Replicas = 10
    cpu_percent: Percent = 60


class Kserve(Values):
    """What KServe alone has."""

    canary_traffic_percent: Annotated[int, Field(ge=0, le=100)] | None = None


class Gpu(Values):
    """Devices of a replica."""

    count: Annotated[int, Field(ge=0, le=16)] = 0
    resource: str = "nvidia.com/gpu"


class ModelPolicy(Policy):
    """Who may call it, and where its files are."""

    storage: list[Addresses] = []
    api_server: ApiServer = ApiServer()


class ModelValues(Workload):
    """All of them. The three services have the same settings, with ports of their own."""

    model: Literal["load-predictor", "placement-scorer", "anomaly-detector"] = "load-predictor"
    mode: Literal["deployment", "raw", "serverless"] = "deployment"
    image: Image = Image(repository="")
    settings: Kubernetes = Field({}, description="section of the settings file")
    artifact: Artifact = Artifact()
    access: Access = Access()
    tls: Tls = Tls()
    autoscaling: Autoscaling = Autoscaling()
    kserve: Kserve = Kserve()
    gpu: Gpu = Gpu()
    pod_disruption_budget: PodDisruptionBudget = PodDisruptionBudget()
    network_policy: ModelPolicy = ModelPolicy()
    metrics: Metrics = Metrics()
