"""The kubelet's door, beside one that asks for certificates."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from cli.ports import free_ports
from tests.calls import Caller, Replay, until
from tests.extender.certificates import Certificates
from tests.extender.replica import replica

pytestmark = pytest.mark.mesh


def test_a_kubelet_without_a_certificate_is_told_of_health_and_of_nothing_else(replay: Replay, tmp_path: Path) -> None:
    certificates = Certificates(tmp_path).make()
    (port,) = free_ports(1)
    shown = {"CERT": "server", "KEY": "server-key", "CLIENT_CA": "ca"}
    settings = {f"SERVER__TLS_{field}": str(certificates.of("ours", what)) for field, what in shown.items()}
    settings |= {"SERVER__HEALTH_PORT": str(port), "SERVER__DRAIN_S": "2"}
    with replica(replay.mesh, settings, context=certificates.context("ours")) as running:
        kubelet = Caller(port)
        assert kubelet.get("/healthz") == {"status": "ok"}
        assert kubelet.get("/readyz")["status"] == "ok"
        for path in ("/metrics", "/v1/state", "/v1/decisions", "/openapi.json", "/scheduler/filter"):
            assert kubelet.call("GET", path).status == 404
        left = running.caller.metrics("berth_certificate_expires_timestamp_seconds")[()]
        assert left > 1.7e9
        running.process.send_signal(signal.SIGTERM)
        until(lambda: kubelet.call("GET", "/readyz").status == 503, 5.0)
        kubelet.close()


def test_without_a_port_there_is_no_such_door(replay: Replay) -> None:
    with replica(replay.mesh, {}) as running:
        assert running.caller.get("/healthz") == {"status": "ok"}
        assert running.caller.metrics("berth_certificate_expires_timestamp_seconds")[()] == 0.0
