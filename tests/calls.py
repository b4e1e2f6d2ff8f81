"""A client that calls the extender as kube-scheduler does: HTTP/1.1 keep-alive, one connection, one call at a time."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import redis
from prometheus_client.parser import text_string_to_metric_families

from berth.cluster import keys
from cli.supervisor import Mesh

JSON = {"Content-Type": "application/json"}
MODELS = ("load-predictor", "placement-scorer", "anomaly-detector")
SCORED = ("fresh", "memory", "redis")
"""Outcomes of a model whose scores are of the newest snapshot."""


def variable(model: str, field: str) -> str:
    """Of a model's setting in the extender, without the extender's prefix."""
    return f"MODELS__{model.upper().replace('-', '_')}__{field}"


@dataclass(frozen=True)
class Answer:
    """took_ms: from sending the first byte to having read the last."""

    status: int
    body: bytes
    headers: dict[str, str]
    took_ms: float

    @property
    def json(self) -> Any:
        """The decoded body."""
        return json.loads(self.body)


def pod(uid: str, cpu: object = "1", memory: object = "1Gi", **more: Any) -> dict[str, Any]:
    """A pod as the API server shows it, opted in. more: spec fields, and `meta` and `status` for the rest."""
    meta = {"name": f"name-{uid}", "namespace": "default", "uid": uid, **more.pop("meta", {})}
    status = {"phase": "Pending", "qosClass": "Burstable", **more.pop("status", {})}
    asks = {"cpu": cpu, "memory": memory, **more.pop("requests", {})}
    container = {"name": "c", "image": "i", "resources": {"requests": asks}}
    spec = {"schedulerName": "berth", "containers": [container], "priority": 0, **more}
    return {"metadata": meta, "spec": spec, "status": status}


def arguments(of: object, names: Sequence[str]) -> bytes:
    """ExtenderArgs with `nodeCacheCapable: true`."""
    return json.dumps({"Pod": of, "Nodes": None, "NodeNames": list(names)}).encode()


class Caller:
    """One keep-alive connection to an extender. context: of TLS, for an extender that speaks it."""

    def __init__(self, port: int, timeout_s: float = 30.0, context: ssl.SSLContext | None = None) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
        if context is not None:
            self.connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=timeout_s, context=context)

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """Any call."""
        started = time.perf_counter()
        self.connection.request(method, path, body, JSON if headers is None else headers)
        reply = self.connection.getresponse()
        raw = reply.read()
        took_ms = (time.perf_counter() - started) * 1000.0
        return Answer(reply.status, raw, {k.lower(): v for k, v in reply.getheaders()}, took_ms)

    def filter(self, of: object, names: Sequence[str]) -> Answer:
        """The filter verb, names form."""
        return self.call("POST", "/scheduler/filter", arguments(of, names))

    def prioritize(self, of: object, names: Sequence[str]) -> Answer:
        """The prioritize verb, names form."""
        return self.call("POST", "/scheduler/prioritize", arguments(of, names))

    def get(self, path: str) -> Any:
        """The JSON of a view; 200 is expected."""
        answer = self.call("GET", path)
        assert answer.status == 200, (path, answer.status)
        return answer.json

    def decision(self, uid: str) -> dict[str, Any]:
        """The record of a pod, which is written off the request path: waited for."""
        found = until(lambda: (a := self.call("GET", f"/v1/decisions/{uid}")).status == 200 and a.json)
        assert isinstance(found, dict)
        return found

    def metrics(self, name: str) -> dict[tuple[str, ...], float]:
        """Samples of one metric by their label values, in the order of the label names."""
        text = self.call("GET", "/metrics").body.decode()
        found = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name:
                    found[tuple(sample.labels[k] for k in sorted(sample.labels))] = sample.value
        return found

    def misses(self) -> float:
        """How often the placement scorer was asked for all nodes."""
        return self.metrics("berth_cache_total").get(("miss", "placement-scorer"), 0.0)

    def close(self) -> None:
        """End the connection."""
        self.connection.close()


def scores_of(answer: Answer) -> dict[str, int]:
    """Host to score of a prioritize answer; each host once, each score a JSON integer from 0 to 10."""
    entries = answer.json
    assert all(entry.keys() == {"Host", "Score"} for entry in entries)
    assert all(type(entry["Score"]) is int and 0 <= entry["Score"] <= 10 for entry in entries)
    found = {entry["Host"]: entry["Score"] for entry in entries}
    assert len(found) == len(entries)
    return found


def until(check: Any, timeout_s: float = 15.0, pause_s: float = 0.05) -> Any:
    """The first true value of `check`. Fails after `timeout_s`."""
    end = time.monotonic() + timeout_s
    while not (value := check()):
        assert time.monotonic() < end, f"not within {timeout_s} s"
        time.sleep(pause_s)
    return value


async def soon(holds: Callable[[], object], timeout_s: float = 20.0) -> None:
    """The same on an event loop that has other work."""
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, f"not within {timeout_s} s"
        await asyncio.sleep(0.05)


def version_of(caller: Caller) -> int:
    """The snapshot that an extender uses, 0 for none."""
    return int((caller.get("/v1/state")["snapshot"] or {"version": 0})["version"])


class Replay:
    """A running mesh with the switches that tests turn: snapshots, loads, faults, the override."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.caller = Caller(self.port)
        self.redis = redis.Redis.from_url(mesh.redis_url, socket_timeout=5.0)
        self.nodes: list[dict[str, Any]] = self.telemetry("GET", "/replay/nodes")
        self.names = [node["name"] for node in self.nodes]
        self.row_of = {name: row for row, name in enumerate(self.names)}

    @property
    def port(self) -> int:
        """HTTP port of the extender."""
        return self.mesh.processes["extender"].http or 0

    def telemetry(self, method: str, path: str, body: object = None) -> Any:
        """A call to telemetry's replay control; 200 is expected."""
        connection = http.client.HTTPConnection("127.0.0.1", self.mesh.processes["telemetry"].http, timeout=30.0)
        connection.request(method, path, None if body is None else json.dumps(body), JSON)
        reply = connection.getresponse()
        raw = reply.read()
        connection.close()
        assert reply.status == 200, (path, reply.status, raw)
        return json.loads(raw)

    def publish(self, steps: int = 0) -> int:
        """Publish a snapshot; returns when the extender uses it."""
        version: int = self.telemetry("POST", "/replay/publish", {"steps": steps})["version"]
        until(lambda: self.version() >= version)
        return version

    def version(self) -> int:
        """The version that the extender uses, 0 without one."""
        return version_of(self.caller)

    @contextmanager
    def override(self, **fields: object) -> Iterator[None]:
        """Another mode, rollout share or weights, for a while; what was there comes back also where a test fails."""
        before, stored = self.caller.get("/v1/state"), self.redis.get(keys.OVERRIDE)
        self.redis.set(keys.OVERRIDE, json.dumps(fields))
        try:
            until(lambda: all(self.caller.get("/v1/state")[name] == value for name, value in fields.items()))
            yield
        finally:
            if stored is None:
                self.redis.delete(keys.OVERRIDE)
            else:
                self.redis.set(keys.OVERRIDE, stored)
            until(lambda: all(self.caller.get("/v1/state")[name] == before[name] for name in fields))

    def close(self) -> None:
        """End the connections."""
        self.caller.close()
        self.redis.close()
