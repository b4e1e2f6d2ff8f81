"""The extender's settings. Every field has a unit, a range and a default; `berth config --schema` prints them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic.config import JsonDict

from berth.access import Access
from berth.settings import Group, ProcessSettings, settings_config
from berth.tls import whole

Mode = Literal["off", "shadow", "active"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]

RESTART: JsonDict = {"restart": True}
"""Marks a field that takes effect at the next start only."""


class Server(Group):
    """Where the extender listens."""

    host: str = Field("127.0.0.1", description="address to bind, HTTP and gRPC", json_schema_extra=RESTART)
    port: int = Field(8888, ge=1, le=65535, description="HTTP port", json_schema_extra=RESTART)
    grpc_port: int = Field(8889, ge=1, le=65535, description="gRPC port", json_schema_extra=RESTART)
    health_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="plain HTTP port, /healthz and /readyz alone, for a kubelet, which shows no certificate; 0: none",
        json_schema_extra=RESTART,
    )
    body_limit_mib: int = Field(64, ge=1, le=256, description="largest request body, MiB; over it: 413")
    keep_alive_s: int = Field(
        120,
        ge=91,
        le=3600,
        description="idle connection kept, s; above kube-scheduler's 90",
        json_schema_extra=RESTART,
    )
    tls_cert: str = Field(
        "",
        description="PEM file: certificate chain, HTTP and gRPC; empty: no TLS; renewed files are taken while running",
        json_schema_extra=RESTART,
    )
    tls_key: str = Field("", description="PEM file: its private key, unencrypted", json_schema_extra=RESTART)
    tls_client_ca: str = Field(
        "",
        description="PEM file: authorities of callers, who then must show a certificate; empty: anyone may call",
        json_schema_extra=RESTART,
    )
    drain_s: float = Field(
        3.0,
        ge=0.0,
        le=60.0,
        description="after SIGTERM, time for callers to move to other replicas, s; 0 without any",
        json_schema_extra=RESTART,
    )

    @model_validator(mode="after")
    def whole_tls(self) -> Self:
        """Nothing of TLS is set alone."""
        whole(self)
        return self


class ModelEndpoint(Group):
    """One model service."""

    target: str = Field(
        description="gRPC target; a headless Service is `dns:///name:port`",
        min_length=1,
        json_schema_extra=RESTART,
    )
    timeout_ms: float = Field(50.0, ge=1.0, le=1000.0, description="deadline of a call while a pod waits, ms")
    enabled: bool = Field(True, description="false leaves the model out of every score")


class Models(Group):
    """The three model services and how failures are met."""

    load_predictor: ModelEndpoint = Field(
        ModelEndpoint(target="127.0.0.1:8091"), description="forecasts of CPU and memory"
    )
    placement_scorer: ModelEndpoint = Field(
        ModelEndpoint(target="127.0.0.1:8092"), description="value of this pod on that node"
    )
    anomaly_detector: ModelEndpoint = Field(ModelEndpoint(target="127.0.0.1:8093"), description="health of nodes")
    tls_ca: str = Field(
        "",
        description="PEM file: authorities of the models, which are then called over TLS; empty: plain gRPC",
        json_schema_extra=RESTART,
    )
    tls_cert: str = Field(
        "", description="PEM file: certificate that models are shown, renewed while running", json_schema_extra=RESTART
    )
    tls_key: str = Field("", description="PEM file: its private key, unencrypted", json_schema_extra=RESTART)
    budget_ms: float = Field(70.0, ge=5.0, le=1000.0, description="all model calls of one pod together, ms")
    ahead_ms: float = Field(
        1000.0,
        ge=10.0,
        le=10000.0,
        description="deadline of a call made before a pod asks (new snapshot), ms",
    )
    breaker_failures: int = Field(5, ge=1, le=100, description="failures in a row that open a model's breaker")
    breaker_probe_s: float = Field(0.1, ge=0.05, le=60.0, description="first pause before an open breaker is probed, s")
    breaker_probe_max_s: float = Field(5.0, ge=0.1, le=600.0, description="longest pause between probes, s")

    @model_validator(mode="before")
    @classmethod
    def keep_targets(cls, given: object) -> object:
        """Who sets a model's timeout keeps its target."""
        if not isinstance(given, dict):
            return given
        own = {name: field.default for name, field in cls.model_fields.items()}
        models = [name for name in own if isinstance(own[name], ModelEndpoint) and isinstance(given.get(name), dict)]
        return given | {name: {"target": own[name].target, **given[name]} for name in models}

    @model_validator(mode="after")
    def whole_tls(self) -> Self:
        """Certificate and key go together, and only over TLS."""
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError("tls_cert and tls_key must be set together")
        if self.tls_cert and not self.tls_ca:
            raise ValueError("tls_ca must be set with tls_cert")
        return self


class Weights(Group):
    """Parts of a node's total. They are renormalised over the models that answered."""

    headroom: float = Field(0.3, ge=0.0, le=1.0, description="forecast headroom")
    placement: float = Field(0.4, ge=0.0, le=1.0, description="placement value")
    health: float = Field(0.3, ge=0.0, le=1.0, description="health")

    @model_validator(mode="after")
    def some_weight(self) -> Self:
        """At least one part must count."""
        if self.headroom + self.placement + self.health <= 0.0:
            raise ValueError("at least one weight must be above 0")
        return self


class Scoring(Group):
    """How parts become integers from 0 to 10."""

    weights: Weights = Field(Weights(), description="parts of the total")
    min_spread: Share = Field(0.02, description="totals closer together than this are answered neutrally")
    usage_of_request: float = Field(
        0.5,
        ge=0.0,
        le=2.0,
        description="share of its request a pod is expected to use until telemetry sees it",
    )
    classes: int = Field(256, ge=1, le=10000, description="pod classes whose placement values are kept in memory")
    ahead_classes: int = Field(8, ge=0, le=64, description="newest pod classes scored ahead on a new snapshot")


class Snapshots(Group):
    """How old a snapshot may be."""

    fresh_s: float = Field(60.0, ge=1.0, le=3600.0, description="age up to which a snapshot is fresh, s")
    expired_s: float = Field(600.0, ge=2.0, le=86400.0, description="age from which a snapshot is not used, s")
    poll_s: float = Field(2.0, ge=0.1, le=60.0, description="look for a new snapshot at least this often, s")

    @model_validator(mode="after")
    def in_order(self) -> Self:
        """Fresh comes before expired."""
        if self.fresh_s >= self.expired_s:
            raise ValueError("fresh_s must be below expired_s")
        return self


class Redis(Group):
    """The shared store."""

    url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"),
        description="redis://, rediss:// or unix:// URL; `berth up` starts an embedded Valkey and sets this",
        json_schema_extra=RESTART,
    )
    timeout_ms: float = Field(8.0, ge=1.0, le=1000.0, description="longest wait for a look-up while a pod waits, ms")
    scores_ttl_s: int = Field(900, ge=10, le=86400, description="life of shared scores, s")


class InFlight(Group):
    """Pods placed but not yet seen by telemetry."""

    enabled: bool = Field(True, description="count them; false invites herds")
    expire_s: float = Field(60.0, ge=1.0, le=3600.0, description="life of a tentative placement, s")
    spread: float = Field(
        0.25,
        ge=0.0,
        le=1.0,
        description="part of the call's spread that each in-flight pod costs its node (no GPU)",
    )
    refresh_ms: float = Field(
        500.0, ge=0.0, le=1000.0, description="changes gathered before the placement scorer is asked again, ms"
    )
    limit: int = Field(20000, ge=100, le=1000000, description="tentative placements kept")


class OptIn(Group):
    """Which pods Berth scores. All others get every node back, score 0."""

    scheduler_names: tuple[str, ...] = Field(("berth",), description="values of spec.schedulerName")
    namespaces: tuple[str, ...] = Field((), description="namespaces of which every pod is opted in")
    label: str = Field("berth.dev/scoring", description="pod label: 'true' opts in, 'false' opts out", min_length=1)
    own_namespaces: tuple[str, ...] = Field(("berth-system",), description="Berth's own namespaces, never scored")


class Filter(Group):
    """When `/scheduler/filter` removes a node."""

    enabled: bool = Field(False, description="false: every node stays")
    min_health: Share = Field(0.1, description="health below this is evidence against a node")
    max_forecast: float = Field(1.2, ge=0.5, le=10.0, description="forecast CPU or memory above this is evidence")
    repeats: int = Field(3, ge=1, le=100, description="snapshots in a row that must show it")
    max_share: float = Field(0.1, ge=0.0, le=0.5, description="largest share of a call's nodes that may be removed")


class Records(Group):
    """Decision records."""

    log: str = Field("-", description="JSON lines: '-' for standard output, '' for none, or a file")
    queue: int = Field(500, ge=10, le=1000000, description="records waiting to be made and written; more are dropped")
    stream_length: int = Field(20000, ge=100, le=10000000, description="records kept in the Redis stream, about")
    recent: int = Field(1000, ge=10, le=100000, description="records kept in memory for /v1/decisions")
    top: int = Field(5, ge=1, le=100, description="best nodes kept in a record")


class Watchdog(Group):
    """Ends the process when its event loop stands still: a refused connection is passed at once."""

    stall_s: float = Field(3.0, ge=0.0, le=60.0, description="longest standstill, s; 0 switches it off")


class Retreat(Group):
    """Going back to shadow by itself."""

    enabled: bool = Field(False, description="judge the last window and retreat")
    window: int = Field(500, ge=20, le=100000, description="scored calls judged together")
    max_fallback_share: Share = Field(0.5, description="share of calls that fell back")
    max_p99_ms: float = Field(90.0, ge=1.0, le=10000.0, description="p99 of a verb, ms")
    max_flat_share: Share = Field(0.95, description="share of calls whose totals were too close to matter")


class ExtenderSettings(ProcessSettings):
    """Settings of `python -m extender`, section `extender`."""

    section = "extender"
    model_config = settings_config("extender")

    mode: Mode = Field("active", description="off: neutral; shadow: scored, recorded, neutral; active: scored")
    rollout_percent: float = Field(100.0, ge=0.0, le=100.0, description="share of owners that are scored, %")
    server: Server = Field(Server(), description="where to listen")
    access: Access = Field(Access(), description="who may read state, decisions and metrics")
    models: Models = Field(Models(), description="model services")
    scoring: Scoring = Field(Scoring(), description="totals and integers")
    snapshot: Snapshots = Field(Snapshots(), description="node snapshots")
    redis: Redis = Field(Redis(), description="shared store")
    inflight: InFlight = Field(InFlight(), description="tentative placements")
    opt_in: OptIn = Field(OptIn(), description="whose pods are scored")
    filter: Filter = Field(Filter(), description="removal of nodes")
    records: Records = Field(Records(), description="decision records")
    watchdog: Watchdog = Field(Watchdog(), description="standstill of the event loop")
    retreat: Retreat = Field(Retreat(), description="going back to shadow")
    replica: str = Field("", description="name, another after each start; empty: host name and a random part")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level logged")

    @field_validator("mode", mode="before")
    @classmethod
    def unquoted_off(cls, given: object) -> object:
        """YAML reads an unquoted `off` as false: whoever writes it in a hurry means it."""
        return "off" if given is False else given
