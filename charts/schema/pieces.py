"""Values that several charts have. Names are camelCase in a chart; a settings section keeps its own spelling."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Kubernetes = dict[str, Any]
"""An object that the API server knows the fields of, such as `resources`."""
Port = Annotated[int, Field(ge=1, le=65535)]
Digest = Annotated[str, Field(pattern="^(sha256:[0-9a-f]{64})?$")]
Duration = Annotated[str, Field(pattern=r"^([0-9]+(h|m|s|ms))+$")]
Percent = Annotated[int, Field(ge=1, le=100)]


class Values(BaseModel):
    """Unknown names are refused."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class Chart(Values):
    """What Helm itself puts among a chart's values."""

    globals_: Kubernetes = Field({}, alias="global", description="Helm's values for all charts; none are used")
    parts: Kubernetes = Field({}, description="the shared templates' chart, which has no values")
    enabled: bool = Field(True, description="whether chart `mesh` installs it")


class Image(Values):
    """Where a container's image is."""

    repository: str
    tag: str = ""
    digest: Digest = ""
    pull_policy: Annotated[str, Field(pattern="^(Always|IfNotPresent|Never)$")] = "IfNotPresent"


class SecretKey(Values):
    """A key of a Secret; no Secret without a name."""

    name: str = ""
    key: str = "token"


class Access(Values):
    """Who may read from other machines."""

    token_secret: SecretKey = SecretKey()
    token_review: bool = False


class RedisTls(Values):
    """What a Redis over TLS is checked by, and shown; nothing without a Secret."""

    secret: str = ""


class ServiceAccount(Values):
    """Who the pods are."""

    create: bool = True
    name: str = ""
    annotations: dict[str, str] = {}


class PodDisruptionBudget(Values):
    """How many may be missing at once."""

    enabled: bool = True
    max_unavailable: Annotated[int, Field(ge=1)] = 1


class Addresses(Values):
    """What is outside of the cluster."""

    cidr: str
    port: Port


class ApiServer(Values):
    """Where the API server may be."""

    cidrs: list[str] = ["0.0.0.0/0"]
    ports: list[Port] = [443, 6443]


class Policy(Values):
    """Who may talk to whom."""

    enabled: bool = True
    monitoring: Kubernetes = {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}


class Issuer(Values):
    """An issuer of cert-manager."""

    name: str = ""
    kind: Literal["Issuer", "ClusterIssuer"] = "Issuer"


class CertManager(Values):
    """Certificates that renew themselves."""

    enabled: bool = False
    issuer_ref: Issuer = Issuer()
    duration: Duration = "2160h"
    renew_before: Duration = "720h"


class Metrics(Values):
    """Objects of the Prometheus operator."""

    service_monitor: bool = False
    prometheus_rule: bool = False
    interval: Duration = "15s"
    labels: dict[str, str] = {}


class Workload(Chart):
    """A chart with pods."""

    image_pull_secrets: list[Kubernetes] = []
    peers: str = ""
    resources: Kubernetes
    service_account: ServiceAccount = ServiceAccount()
    pod_annotations: dict[str, str] = {}
    pod_labels: dict[str, str] = {}
    priority_class_name: str = "system-cluster-critical"
    node_selector: dict[str, str] = {}
    tolerations: list[Kubernetes] = []
    affinity: Kubernetes = {}
