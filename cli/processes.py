"""The table of processes that make a mesh: what is run, where it listens, what it is told."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cli import embedded
from cli.errors import MeshError
from cli.ports import LOOPBACK, free_ports, is_free
from cli.sections import load_sections
from extender.settings import ExtenderSettings
from services.serving.settings import ModelServiceSettings
from services.telemetry.settings import TelemetrySettings

ROOT = Path(__file__).parents[1]
MODELS = ("load-predictor", "placement-scorer", "anomaly-detector")
VALKEY = "valkey"
VALKEY_PORT = 6379
ENVIRONMENT = {
    # Buffers of a few MB come and go with each call: kept by malloc, not handed back to the kernel each time.
    "MALLOC_MMAP_THRESHOLD_": "33554432",
    "MALLOC_TRIM_THRESHOLD_": "134217728",
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "KSERVE_LOGLEVEL": "WARNING",
    "PYTHONPATH": str(ROOT),
    "PYTHONUNBUFFERED": "1",
}


@dataclass(frozen=True)
class Process:
    """One process of the mesh. http, grpc, redis: its ports on `host`, None where it does not speak that."""

    name: str
    command: tuple[str, ...]
    host: str = LOOPBACK
    http: int | None = None
    grpc: int | None = None
    redis: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where HTTP is spoken."""
        return f"http://{reachable(self.host)}:{self.http}"

    @property
    def ports(self) -> tuple[int, ...]:
        """Every port it listens on."""
        return tuple(port for port in (self.http, self.grpc, self.redis) if port is not None)


@dataclass(frozen=True)
class Wishes:
    """What a mesh is asked to be. None leaves the settings' value; `environment` wins over everything else."""

    config: Path | None = None
    data_dir: Path = Path(".berth")
    auto_ports: bool = False
    redis_url: str | None = None
    nodes: int | None = None
    interval_s: float | None = None
    seed: int | None = None
    kubeconfig: Path | None = None
    prometheus: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """The processes in the order of their start, and the Redis they share."""

    processes: tuple[Process, ...]
    redis_url: str


@dataclass(frozen=True)
class Ports:
    """Where ports come from: the settings, or free ones."""

    free: Iterator[int] | None

    def pick(self, settled: int) -> int:
        """The next free port, or the settled one. Raises MeshError where that is taken."""
        if self.free is not None:
            return next(self.free)
        if not is_free(settled):
            raise MeshError(
                f"port {settled} is taken by another program; give --ports auto, or another port in --config"
            )
        return settled


def plan(wishes: Wishes) -> Plan:
    """Works a mesh out of settings and wishes. Raises InvalidSettings, MeshError, MissingExtraError."""
    loaded = load_sections(wishes.config)
    extender, telemetry = loaded["extender"], loaded["telemetry"]
    assert isinstance(extender, ExtenderSettings)
    assert isinstance(telemetry, TelemetrySettings)
    ports = Ports(iter(free_ports(10)) if wishes.auto_ports else None)
    given = wishes.redis_url or given_redis_url(extender, telemetry)
    valkey = None if given else valkey_process(ports, wishes)
    redis_url = given or f"redis://{LOOPBACK}:{valkey.redis if valkey else VALKEY_PORT}/0"
    models = [model_process(name, loaded[section_of(name)], ports, wishes) for name in MODELS]
    watcher = telemetry_process(telemetry, ports, redis_url, wishes)
    front = extender_process(extender, models, ports, redis_url, wishes)
    return Plan((*([valkey] if valkey else []), watcher, *models, front), redis_url)


def section_of(model: str) -> str:
    """'load-predictor' is 'load_predictor' in settings and module names."""
    return model.replace("-", "_")


def given_redis_url(extender: ExtenderSettings, telemetry: TelemetrySettings) -> str | None:
    """The URL that settings name, None where they leave it open."""
    if "redis" in extender.model_fields_set and "url" in extender.redis.model_fields_set:
        return extender.redis.url.get_secret_value()
    if "redis_url" in telemetry.model_fields_set:
        return telemetry.redis_url.get_secret_value()
    return None


def valkey_process(ports: Ports, wishes: Wishes) -> Process:
    """The embedded Valkey: on 6379, or on a free port where another Redis has that."""
    port = ports.pick(VALKEY_PORT) if ports.free or is_free(VALKEY_PORT) else free_ports(1)[0]
    command = embedded.arguments(embedded.server_binary(), port, wishes.data_dir.absolute())
    return Process(VALKEY, tuple(command), redis=port)


def model_process(name: str, settings: object, ports: Ports, wishes: Wishes) -> Process:
    """A model service."""
    assert isinstance(settings, ModelServiceSettings)
    http, grpc = ports.pick(settings.http_port), ports.pick(settings.grpc_port)
    prefix = f"BERTH_{section_of(name).upper()}__"
    told = {f"{prefix}HTTP_PORT": str(http), f"{prefix}GRPC_PORT": str(grpc)}
    if "drain_seconds" not in settings.model_fields_set:
        told[f"{prefix}DRAIN_SECONDS"] = "0"  # there is no other replica to move to
    return Process(name, module(f"services.{section_of(name)}", wishes), settings.host, http, grpc, None, told)


HISTORY = "history"
"""Folder of the data folder that a real cluster's past goes to."""


def telemetry_process(settings: TelemetrySettings, ports: Ports, redis_url: str, wishes: Wishes) -> Process:
    """Telemetry, which publishes the replayed cluster, or the real one of a kubeconfig."""
    http = ports.pick(settings.port)
    wished: dict[str, object] = {"NODES": wishes.nodes, "INTERVAL_S": wishes.interval_s, "SEED": wishes.seed}
    if wishes.kubeconfig:
        wished |= {"SOURCE": "cluster", "KUBECONFIG": wishes.kubeconfig.absolute()}
        if not settings.history.url:
            wished |= {"HISTORY__URL": wishes.data_dir.absolute() / HISTORY}
    if wishes.prometheus:
        wished |= {"PROMETHEUS__URL": wishes.prometheus}
    told = {"PORT": http, "REDIS_URL": redis_url, **{key: value for key, value in wished.items() if value is not None}}
    environment = {f"BERTH_TELEMETRY__{key}": str(value) for key, value in told.items()}
    return Process("telemetry", module("services.telemetry", wishes), settings.host, http, environment=environment)


def extender_process(
    settings: ExtenderSettings, models: list[Process], ports: Ports, redis_url: str, wishes: Wishes
) -> Process:
    """The extender, told where the models and Redis of this mesh are."""
    server = settings.server
    http, grpc = ports.pick(server.port), ports.pick(server.grpc_port)
    told = {"SERVER__PORT": str(http), "SERVER__GRPC_PORT": str(grpc), "REDIS__URL": redis_url}
    for model in models:
        told[f"MODELS__{section_of(model.name).upper()}__TARGET"] = f"{reachable(model.host)}:{model.grpc}"
    if "drain_s" not in server.model_fields_set:
        told["SERVER__DRAIN_S"] = "0"  # there is no other replica to move to
    if wishes.kubeconfig and "mode" not in settings.model_fields_set:
        told["MODE"] = "shadow"  # a real cluster: nothing is changed before somebody says so
    told["RECORDS__LOG"] = str(wishes.data_dir.absolute() / "decisions.jsonl")
    environment = {f"BERTH_EXTENDER__{key}": value for key, value in told.items()}
    return Process("extender", module("extender", wishes), server.host, http, grpc, None, environment)


def module(name: str, wishes: Wishes) -> tuple[str, ...]:
    """`python -m NAME`, without the current folder on its path."""
    config = ("--config", str(wishes.config.absolute())) if wishes.config else ()
    return (sys.executable, "-P", "-m", name, *config)


def reachable(host: str) -> str:
    """Where a client finds a server bound to `host`."""
    return LOOPBACK if host in ("0.0.0.0", "::", "") else host
