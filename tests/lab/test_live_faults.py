"""Telemetry of a live cluster stays true while what it asks, or what it writes to, fails, and comes back by itself."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import numpy as np
import pytest

from tests.calls import until
from tests.lab.control_plane import ControlPlane
from tests.lab.live import CORES, NAMES, close, live
from tests.lab.objects import node
from tests.lab.tampering import Tampering
from tests.prometheus.server import Scraped
from tests.services.telemetry.process import published

pytestmark = pytest.mark.long

SPOILED = {
    "answers 500": "refused",
    "garbage": "unreadable",
    "slow by 2 s": "timeout",
    "slow by 10 s": "timeout",
    "black hole": "timeout",
}
"""What a spoiled answer of Prometheus is called."""
FIVE_MINUTES = 300.0


def test_while_prometheus_is_away_values_age_and_come_back(live_nodes: ControlPlane, exporters: Scraped) -> None:
    with live(live_nodes, exporters, oldest_s=10.0) as running:
        until(lambda: close(running.value(NAMES[2], "cpu_used"), 3.0 / CORES), 30.0)
        exporters.server.stop()
        try:
            until(lambda: "Prometheus does not tell cpu: timeout" in running.degraded(), 20.0)
            assert close(running.value(NAMES[2], "cpu_used"), 3.0 / CORES)  # the last value, not zero
            assert running.state()["cluster"]["usage_age_s"]["cpu"] > 0.0
            until(lambda: np.isnan(running.value(NAMES[2], "cpu_used")), 30.0)  # too old to be one
            assert running.state()["age_s"] < 5.0  # what the API server tells is published all the same
        finally:
            exporters.server.send(signal.SIGCONT)
        until(lambda: close(running.value(NAMES[2], "cpu_used"), 3.0 / CORES), 30.0)
        assert "Prometheus" not in running.degraded()


def test_what_prometheus_says_wrongly_changes_no_value(live_nodes: ControlPlane, exporters: Scraped) -> None:
    with (
        Tampering(exporters.port) as before,
        live(live_nodes, exporters, url=f"http://127.0.0.1:{before.port}") as running,
    ):
        until(lambda: close(running.value(NAMES[2], "cpu_used"), 3.0 / CORES), 30.0)
        for mode, said in SPOILED.items():
            before.turn(mode)
            until(lambda said=said: f"Prometheus does not tell cpu: {said}" in running.degraded(), 20.0)
            version = running.snapshot().version
            until(lambda version=version: running.snapshot().version > version + 3)
            assert close(running.value(NAMES[2], "cpu_used"), 3.0 / CORES), mode
            before.turn("pass")
            until(lambda: "Prometheus" not in running.degraded(), 20.0)


@pytest.mark.parametrize("fault", ["killed and started again", "stopped"])
def test_while_the_api_server_is_away_the_last_copy_is_published(
    live_nodes: ControlPlane, exporters: Scraped, fault: str
) -> None:
    with live(live_nodes, exporters) as running:
        faults: dict[str, Callable[[], object]] = {
            "killed and started again": lambda: live_nodes.restart_api_server(2.0),
            "stopped": lambda: pause(live_nodes, 3.0),
        }
        before = running.snapshot().version
        faults[fault]()
        assert running.snapshot().version > before
        assert running.snapshot().nodes == NAMES
        live_nodes.create([node("later")])
        until(lambda: "later" in running.snapshot().nodes, 60.0)
        until(lambda: "API server" not in running.degraded(), 60.0)


def pause(plane: ControlPlane, seconds: float) -> None:
    """The API server answers nothing for a while."""
    plane.api_server.stop()
    time.sleep(seconds)
    plane.api_server.send(signal.SIGCONT)


@pytest.mark.timeout(600)
def test_five_minutes_without_prometheus(live_nodes: ControlPlane, exporters: Scraped) -> None:
    with live(live_nodes, exporters, oldest_s=240.0) as running:
        until(lambda: close(running.value(NAMES[2], "cpu_used"), 3.0 / CORES), 30.0)
        exporters.server.stop()
        began = time.monotonic()
        try:
            until(lambda: "Prometheus does not tell cpu: timeout" in running.degraded(), 20.0)
            while time.monotonic() < began + FIVE_MINUTES:
                age, value = running.state()["cluster"]["usage_age_s"]["cpu"], running.value(NAMES[2], "cpu_used")
                assert age > 239.0 if np.isnan(value) else close(value, 3.0 / CORES)  # the last one, then none
                assert running.state()["age_s"] < 10.0
                time.sleep(2.0)
            assert np.isnan(running.value(NAMES[2], "cpu_used"))
        finally:
            exporters.server.send(signal.SIGCONT)
        until(lambda: close(running.value(NAMES[2], "cpu_used"), 3.0 / CORES), 60.0)
        until(lambda: "Prometheus" not in running.degraded(), 60.0)


def test_a_watch_that_has_really_expired_lists_again(live_nodes: ControlPlane, exporters: Scraped) -> None:
    with live(live_nodes, exporters) as running:
        process = running.telemetry.process
        process.send_signal(signal.SIGSTOP)
        try:
            live_nodes.restart_api_server()  # ends the watches
            live_nodes.api.delete(f"/api/v1/nodes/{NAMES[1]}")
            live_nodes.create([node(f"meanwhile-{i}") for i in range(20)])
            live_nodes.restart_api_server()  # it remembers no version before its start
        finally:
            process.send_signal(signal.SIGCONT)
        until(lambda: "meanwhile-19" in running.snapshot().nodes, 60.0)
        assert NAMES[1] not in running.snapshot().nodes
        assert running.failures("/api/v1/nodes", "expired") >= 1.0
        until(lambda: "API server" not in running.degraded(), 60.0)


def test_redis_is_lost_and_comes_back_empty(live_nodes: ControlPlane, exporters: Scraped) -> None:
    with live(live_nodes, exporters) as running:
        until(lambda: close(running.value(NAMES[2], "cpu_used"), 3.0 / CORES), 30.0)
        version = running.snapshot().version
        with running.without_redis():
            until(lambda: "Redis does not take snapshots" in running.degraded(), 30.0)
            assert running.state()["age_s"] > 0.0
        until(lambda: (found := published(running.redis)) is not None and found.version > version, 30.0)
        assert close(running.value(NAMES[2], "cpu_used"), 3.0 / CORES)
        until(lambda: "Redis" not in running.degraded(), 30.0)
