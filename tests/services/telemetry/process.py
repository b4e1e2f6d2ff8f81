"""Telemetry as a process, asked over HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from redis import Redis

from berth.cluster import keys
from berth.cluster.snapshot import NodeSnapshot, decode


class RunningTelemetry:
    """Starts with the block and ends with it; `status` is the exit status then. prefix: stands before the command."""

    def __init__(
        self,
        redis_url: str,
        port: int,
        interval_s: float,
        settings: Mapping[str, object] = {},
        prefix: Sequence[str] = (),
    ) -> None:
        self.prefix = prefix
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        fields = {
            "redis_url": redis_url,
            "port": port,
            "interval_s": interval_s,
            "nodes": 40,
            "redis_timeout_s": 0.5,
            **settings,
        }
        self.environment = {f"BERTH_TELEMETRY__{name.upper()}": str(value) for name, value in fields.items()}
        self.status: int | None = None

    def __enter__(self) -> RunningTelemetry:
        command = [*self.prefix, sys.executable, "-m", "services.telemetry"]
        self.process = subprocess.Popen(command, env={**os.environ, **self.environment}, stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.status = self.process.wait(timeout=15)

    def ask(self, path: str, body: object = None, raw: bytes | None = None) -> tuple[int, Any]:
        """Status and decoded answer; POST where there is a body."""
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, decoded(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, decoded(error.read())

    def wait_for(self, path: str, status: int, seconds: float = 30.0) -> Any:
        """The answer once it has this status."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                got, answer = self.ask(path)
            except OSError:
                got, answer = 0, None
            if got == status:
                return answer
            time.sleep(0.05)
        raise AssertionError(f"{path} did not answer {status} within {seconds} s")

    def wait_ready(self) -> None:
        """Until the first snapshot is out."""
        self.wait_for("/readyz", 200)


def published(redis: Redis) -> NodeSnapshot | None:
    """The snapshot in use, None before the first."""
    raw = redis.get(keys.snapshot(int(redis.get(keys.SNAPSHOT_CURRENT) or 0)))
    return decode(raw) if isinstance(raw, bytes) else None


def decoded(body: bytes) -> Any:
    """JSON, or text where it is none."""
    try:
        return json.loads(body)
    except ValueError:
        return body.decode()
