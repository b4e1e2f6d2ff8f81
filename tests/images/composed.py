"""docker-compose.yml as a running project on free ports."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

from cli.endpoint import get_json, post_json
from cli.ports import free_ports
from tests.calls import MODELS, until
from tests.images.engine import Engine, compose_command, output

ROOT = Path(__file__).parents[2]
PROJECT = "berth-test"
SERVICES = ("redis", "telemetry", *MODELS, "extender", "prometheus")
PORTS = ("BERTH_PORT", "BERTH_GRPC_PORT", "BERTH_TELEMETRY_PORT", "BERTH_PROMETHEUS_PORT", "BERTH_ALERTMANAGER_PORT")
HTTP = {"load-predictor": 8081, "placement-scorer": 8082, "anomaly-detector": 8083}
PATIENCE_S = 90.0


class Composed:
    """The project. variables: what docker-compose.yml is told; file: what `make images` has written for it."""

    def __init__(self, engine: Engine, file: Path, **variables: str) -> None:
        self.engine = engine
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        told = {name: str(port) for name, port in self.ports.items()} | variables
        self.environment = engine.environment | told
        self.command = [*compose_command(), "--project-name", PROJECT, "--env-file", str(file)]
        self.url = f"http://127.0.0.1:{self.ports['BERTH_PORT']}"
        self.telemetry = f"http://127.0.0.1:{self.ports['BERTH_TELEMETRY_PORT']}"
        self.prometheus = f"http://127.0.0.1:{self.ports['BERTH_PROMETHEUS_PORT']}"
        self.names: list[str] = []

    def compose(self, *arguments: str, timeout: float = 240.0) -> str:
        """A command of compose. Raises CommandError."""
        file = ("--file", str(ROOT / "docker-compose.yml"))
        return output([*self.command, *file, *arguments], self.environment, timeout)

    def up(self, *arguments: str) -> None:
        """Starts what is not there; returns when all of it is well."""
        self.compose("up", "--detach", "--no-build", *arguments)
        until(self.well, PATIENCE_S, 0.5)
        self.names = [node["name"] for node in get_json(f"{self.telemetry}/replay/nodes", 30.0)]

    def scale(self, replicas: int) -> None:
        """So many of each model, all of them well."""
        self.up("--no-recreate", *(word for model in MODELS for word in ("--scale", f"{model}={replicas}")))

    def well(self) -> bool:
        """Every container healthy, and the extender with nothing missing."""
        return all(map(self.healthy, self.containers())) and self.in_order()

    def in_order(self) -> bool:
        """Extender and telemetry say that nothing is missing."""
        return not any(get_json(f"{one}/v1/state")["degraded"] for one in (self.url, self.telemetry))

    def containers(self, service: str | None = None) -> list[str]:
        """Ids, of a service or of all, those that have ended too."""
        labels = [f"project={PROJECT}"] + ([f"service={service}"] if service else [])
        filters = [word for label in labels for word in ("--filter", f"label=com.docker.compose.{label}")]
        return self.engine.docker("ps", "--all", "--quiet", "--no-trunc", *filters).split()

    def inspect(self, container: str) -> dict[str, Any]:
        """What the engine knows of it."""
        found: dict[str, Any] = json.loads(self.engine.docker("inspect", container))[0]
        return found

    def healthy(self, container: str) -> bool:
        """Running, and well by its own check."""
        state = self.inspect(container)["State"]
        return bool(state["Running"]) and state["Health"]["Status"] == "healthy"

    def calls(self, model: str) -> dict[str, float]:
        """Calls that each running replica of a model has counted."""
        return {one: self.counted(one, HTTP[model]) for one in self.containers(model) if self.healthy(one)}

    def counted(self, container: str, port: int) -> float:
        """Model calls of every outcome, from the replica's own metrics."""
        networks = self.inspect(container)["NetworkSettings"]["Networks"]
        address = next(iter(networks.values()))["IPAddress"]
        with urllib.request.urlopen(f"http://{address}:{port}/metrics", timeout=5.0) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith("berth_model_calls_total"))

    def publish(self) -> None:
        """A new snapshot, which every model is asked for; returns when the extender uses it."""
        version = post_json(f"{self.telemetry}/replay/publish", {"steps": 1}, 30.0)["version"]
        until(lambda: get_json(f"{self.url}/v1/state")["snapshot"]["version"] >= version)

    def close(self) -> None:
        """Takes all of it away."""
        self.compose("down", "--volumes", "--timeout", "10")
