"""The in-process rival: kube-scheduler with Trimaran's TargetLoadPacking, which knows the replayed nodes' load.

The plugin asks a load-watcher (github.com/paypal/load-watcher, `pkg/watcher`) for the CPU utilisation of all nodes when
it starts and each 30 s. Here that answer is made from the snapshot in Redis, so that the rival sees what Berth sees.
"""

from __future__ import annotations

import json
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import isfinite
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
from redis import Redis

from berth.cluster import keys
from berth.cluster.snapshot import NodeSnapshot, decode
from tests.lab.build import Program, built
from tests.lab.scheduler import plain

SETUP = "trimaran-tlp"
PLUGIN = "TargetLoadPacking"
PROGRAM = Program("trimaran", Path(__file__).parent / "trimaran")
LOAD = "cpu_used"
"""Column that is served: share of allocatable, newest 5-minute mean."""
WINDOW_S = 300
UNLIKE = ("NodeResourcesBalancedAllocation", "NodeResourcesFit")
"""Scores that spread where the plugin packs: off, as its README has it (there under the latter's former name)."""


def program() -> Path:
    """The scheduler with the plugin, built where it is not there yet. Raises BuildError."""
    return built(PROGRAM)


class Trimaran:
    """A context manager: serves the load while it is open."""

    def __init__(self, redis: Redis) -> None:
        self.program = program()
        self.server = LoadWatcher(redis)
        self.thread = Thread(target=self.server.serve_forever, name="load-watcher", daemon=True)

    def __enter__(self) -> Trimaran:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10.0)

    def config(self, profile: str) -> dict[str, Any]:
        """KubeSchedulerConfiguration with the plugin at its defaults, under a profile's name."""
        arguments = {
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": f"{PLUGIN}Args",
            "watcherAddress": f"http://127.0.0.1:{self.server.server_port}",
        }
        score = {"enabled": [{"name": PLUGIN}], "disabled": [{"name": name} for name in UNLIKE]}
        made = plain(profile)
        made["profiles"][0] |= {"plugins": {"score": score}, "pluginConfig": [{"name": PLUGIN, "args": arguments}]}
        return made


class LoadWatcher(ThreadingHTTPServer):
    """load-watcher's API on a free port. asked: how often the load was told."""

    daemon_threads = True

    def __init__(self, redis: Redis) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.redis = redis
        self.asked = 0

    def metrics(self) -> bytes:
        """WatcherMetrics as JSON."""
        self.asked += 1
        return json.dumps(watcher_metrics(newest(self.redis))).encode()


class Answer(BaseHTTPRequestHandler):
    """One call."""

    server: LoadWatcher

    def do_GET(self) -> None:
        """The load of all nodes at `/watcher`."""
        known = self.path == "/watcher"
        body = self.server.metrics() if known else b""
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(ConnectionError):  # the scheduler was ended meanwhile
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: standard error belongs to the progress."""


def newest(redis: Redis) -> NodeSnapshot:
    """The snapshot in force. Raises RedisError, SnapshotError."""
    version: Any = redis.get(keys.SNAPSHOT_CURRENT)
    raw: Any = redis.get(keys.snapshot(int(version or 0)))
    return decode(raw or b"")


def watcher_metrics(snapshot: NodeSnapshot) -> dict[str, Any]:
    """load-watcher's answer, percent; a node without a sample is left out. The window ends at the snapshot, so that
    the plugin adds what pods bound later are expected to use."""
    end = snapshot.published_ms // 1000
    percent = 100.0 * snapshot.column(LOAD).astype(np.float64)
    nodes = {
        name: {"metrics": [cpu(value)], "tags": {}, "metadata": {}}
        for name, value in zip(snapshot.nodes, percent.tolist(), strict=True)
        if isfinite(value)
    }
    return {
        "timestamp": end,
        "window": {"duration": "5m", "start": end - WINDOW_S, "end": end},
        "source": "berth",
        "data": {"NodeMetricsMap": nodes},
    }


def cpu(percent: float) -> dict[str, Any]:
    """One metric of a node."""
    return {"name": LOAD, "type": "CPU", "operator": "AVG", "rollup": "5m", "value": round(percent, 4)}
