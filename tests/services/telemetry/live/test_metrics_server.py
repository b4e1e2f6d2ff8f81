"""metrics-server's answers, and those that are none."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

import pytest

from services.telemetry.live.kube_api import KubeApiError
from services.telemetry.live.metrics_server import MetricsServer, samples_in
from services.telemetry.live.source import reader_of
from services.telemetry.metrics import TelemetryMetrics
from services.telemetry.settings import PrometheusSettings, TelemetrySettings

AT = "2026-11-20T10:00:00Z"


def listed(**usage: str) -> bytes:
    item = {"metadata": {"name": "n1"}, "timestamp": AT, "window": "20s", "usage": usage}
    return json.dumps({"kind": "NodeMetricsList", "items": [item]}).encode()


def test_amounts_are_cores_and_bytes() -> None:
    found = samples_in(listed(cpu="250000000n", memory="2Gi"))
    at = datetime.fromisoformat(AT).astimezone(UTC).timestamp()
    assert [(one.labels, one.at, one.value) for one in found["cpu"]] == [({"node": "n1"}, at, 0.25)]
    assert found["memory"][0].value == 2.0**31


def test_what_is_not_told_is_missing_and_what_is_no_amount_is_none() -> None:
    found = samples_in(listed(cpu="lots"))
    assert math.isnan(found["cpu"][0].value)
    assert found["memory"] == []
    assert samples_in(b'{"items":null}') == {"cpu": [], "memory": []}


@pytest.mark.parametrize("body", [b"", b"[]", b'{"items":3}', b"\xff"])
def test_anything_else_is_unreadable(body: bytes) -> None:
    with pytest.raises(KubeApiError) as error:
        samples_in(body)
    reader = MetricsServer(PrometheusSettings(), TelemetryMetrics())
    reader.failed(error.value)
    assert reader.causes.failing == {"cpu": "unreadable", "memory": "unreadable"}


def test_prometheus_comes_first() -> None:
    both = {"metrics_server": True, "prometheus": {"url": "http://127.0.0.1:9090"}}
    assert not isinstance(reader_of(TelemetrySettings.model_validate(both), TelemetryMetrics()), MetricsServer)
    alone = TelemetrySettings.model_validate({"metrics_server": True})
    assert isinstance(reader_of(alone, TelemetryMetrics()), MetricsServer)
    assert reader_of(TelemetrySettings(), TelemetryMetrics()) is None
