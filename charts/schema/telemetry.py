"""Values of chart `telemetry`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from charts.schema.pieces import (
    Access,
    Addresses,
    ApiServer,
    Image,
    Kubernetes,
    Metrics,
    Policy,
    Port,
    RedisTls,
    Values,
    Workload,
)


class SecretSetting(Values):
    """A setting that is a secret."""

    setting: Literal["redis_url", "prometheus.password", "loki.password"]
    secret: Annotated[str, Field(min_length=1)]
    key: Annotated[str, Field(min_length=1)]


class Volume(Values):
    """Of the past."""

    size: Annotated[str, Field(pattern="^[0-9]+(Mi|Gi|Ti)$")] = "25Gi"
    storage_class: str = ""
    access_mode: Literal["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"] = "ReadWriteOnce"
    keep: bool = True


class History(Values):
    """Where the past is kept."""

    store: Literal["volume", "url", "none"] = "volume"
    volume: Volume = Volume()
    keep_days: Annotated[int, Field(ge=1, le=3650)] = 35


class TelemetryPolicy(Policy):
    """Whom it asks."""

    prometheus_port: Port = 9090
    api_server: ApiServer = ApiServer()
    outside: list[Addresses] = []


class TelemetryValues(Workload):
    """All of them."""

    replicas: Annotated[int, Field(ge=1, le=5)] = 1
    image: Image = Image(repository="berth-telemetry")
    settings: Kubernetes = Field({}, description="section of the settings file")
    from_secrets: list[SecretSetting] = []
    redis_url: str = ""
    redis_tls: RedisTls = RedisTls()
    history: History = History()
    access: Access = Access()
    network_policy: TelemetryPolicy = TelemetryPolicy()
    metrics: Metrics = Metrics()
