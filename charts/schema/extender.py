"""Values of chart `extender`."""

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
    RedisTls,
    Values,
    Workload,
)

Replicas = Annotated[int, Field(ge=1, le=100)]


class SecretSetting(Values):
    """A setting that is a secret."""

    setting: Literal["redis.url"]
    secret: Annotated[str, Field(min_length=1)]
    key: Annotated[str, Field(min_length=1)]


class Autoscaling(Values):
    """More replicas under load."""

    enabled: bool = False
    min_replicas: Replicas = 3
    max_replicas: Replicas = 6
    cpu_percent: Percent = 70


class Service(Values):
    """Where kube-scheduler finds it."""

    type: Literal["ClusterIP", "NodePort"] = "ClusterIP"
    cluster_ip: str = Field("", alias="clusterIP")
    node_port: Annotated[int, Field(ge=0, le=65535)] = 0


class Tls(Values):
    """HTTPS, and gRPC over TLS."""

    enabled: bool = False
    secret: str = ""
    client_auth: bool = True
    models: bool = False
    models_secret: str = ""
    cert_manager: CertManager = CertManager()


class ExtenderPolicy(Policy):
    """Who may call it, and where it may call."""

    schedulers: list[str] = []
    callers: Kubernetes = {}
    redis: list[Addresses] = []
    api_server: ApiServer = ApiServer()


class ExtenderMetrics(Metrics):
    """And a dashboard."""

    dashboard: bool = False
    client_secret: str = ""


class Scheduler(Values):
    """A second kube-scheduler."""

    enabled: bool = False
    name: Annotated[str, Field(min_length=1, max_length=63)] = "berth"
    replicas: Replicas = 2
    image: Image = Image(repository="registry.k8s.io/kube-scheduler")
    weight: Annotated[int, Field(ge=1, le=100)] = 5
    filter: bool = True
    client_secret: str = ""
    resources: Kubernetes


class ExtenderValues(Workload):
    """All of them."""

    replicas: Replicas = 3
    image: Image = Image(repository="berth-extender")
    settings: Kubernetes = Field({}, description="section of the settings file")
    from_secrets: list[SecretSetting] = []
    redis_url: str = ""
    redis_tls: RedisTls = RedisTls()
    autoscaling: Autoscaling = Autoscaling()
    pod_disruption_budget: PodDisruptionBudget = PodDisruptionBudget()
    service: Service = Service()
    access: Access = Access()
    tls: Tls = Tls()
    network_policy: ExtenderPolicy = ExtenderPolicy()
    metrics: ExtenderMetrics = ExtenderMetrics()
    scheduler: Scheduler
