"""Signals from a real Prometheus that scrapes real exporters, and from a server that answers as Loki does."""

from __future__ import annotations

import asyncio
import json
import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest

from services.telemetry.live.copies import Copies
from services.telemetry.live.prometheus import Prometheus, Sample
from services.telemetry.live.reader import NewestAnswer
from services.telemetry.live.signals import ASKED, LINES, SignalReader
from services.telemetry.live.usage import Usage
from services.telemetry.live.vitals import Vitals
from services.telemetry.metrics import TelemetryMetrics
from services.telemetry.settings import LokiSettings, TelemetrySettings
from tests.calls import soon
from tests.lab.objects import node
from tests.prometheus.server import Scraped, scraped

NODES = ("n1", "n2")
SHARES = {"cpu_pressure": 0.4, "memory_pressure": 0.1, "io_pressure": 0.25, "throttling": 0.6}
SOON_S = 40.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    """A node that tells all signals, and one that knows of none."""
    with scraped(tmp_path_factory.mktemp("prometheus"), NODES) as server:
        for name in NODES:
            server.tell(name, cores=8, memory_total=2.0**35, cpu=1.0, **(SHARES if name == "n1" else {}))
        yield server


def settings(url: str, **more: Any) -> TelemetrySettings:
    pace = {"url": url, "interval_s": 0.5, "window_s": 10, "timeout_s": 5.0}
    return TelemetrySettings.model_validate({"prometheus": pace | more.pop("prometheus", {}), **more})


def vitals(given: TelemetrySettings, metrics: TelemetryMetrics | None = None) -> Vitals:
    """Of a publisher that leads."""
    return Vitals(given, metrics or TelemetryMetrics(), lambda: True)


def cluster() -> Copies:
    """The two nodes."""
    copies = Copies(TelemetryMetrics().unreadable)
    copies.nodes.replace([msgspec.Raw(json.dumps(node(name)).encode()) for name in NODES])
    return copies


def entered(found: Vitals, *answers: NewestAnswer) -> dict[str, dict[str, float]]:
    """The newest values with these answers."""
    found.reader.answers.extend(answers)
    found.take(cluster(), Usage())
    return found.newest(time.time())


@pytest.mark.process
@pytest.mark.long
async def test_what_exporters_tell_arrives_as_shares(running: Scraped) -> None:
    found = vitals(settings(running.url))
    api = Prometheus(found.settings.prometheus)
    end = time.monotonic() + SOON_S
    told: dict[str, dict[str, float]] = {}
    while not all(abs(told.get(name, {}).get("n1", 9.0) - share) < 0.02 for name, share in SHARES.items()):
        assert time.monotonic() < end, told
        for turn in range(len(ASKED)):
            await found.reader.turn(turn, api, api)
        assert found.reader.degraded() == []
        told = entered(found)
    await api.close()
    assert all("n2" not in told[name] for name in ASKED)  # missing, not zero
    assert all(age is not None and age < 5.0 for name, age in found.ages().items() if name in ASKED)


@pytest.mark.process
async def test_while_the_server_is_away_the_last_values_age(running: Scraped) -> None:
    found = vitals(settings(running.url, prometheus={"timeout_s": 0.3}))
    api = Prometheus(found.settings.prometheus)
    before = time.time()
    found.reader.answers.append(NewestAnswer("cpu_pressure", [Sample({"node": "n1"}, before, 0.4)], before - 30.0))
    running.server.stop()
    try:
        await found.reader.turn(0, api, api)
    finally:
        running.server.send(signal.SIGCONT)
        await api.close()
    assert found.reader.degraded() == ["Prometheus does not tell cpu_pressure: timeout"]
    assert entered(found)["cpu_pressure"] == {"n1": 0.4}
    assert (found.ages()["cpu_pressure"] or 0.0) >= 30.0


def test_odd_values_are_left_out_and_counted() -> None:
    metrics = TelemetryMetrics()
    found = vitals(settings("http://127.0.0.1:9"), metrics)
    odd = [("n1", float("nan")), ("n1", -0.1), ("n1", 1.2), ("x", 0.5), ("n2", 0.3), ("n2", 1.03)]
    samples = [Sample({"node": name}, 0.0, value) for name, value in odd]
    now = time.time()
    told = entered(found, NewestAnswer("io_pressure", samples, now), NewestAnswer(LINES, samples[2:3], now))
    assert told["io_pressure"] == {"n2": 1.0}  # the larger of two, and no more than all the time
    assert told[LINES] == {"n1": 1.2}
    counted = {
        reason: metrics.registry.get_sample_value(
            "berth_telemetry_samples_left_out_total", {"metric": "io_pressure", "reason": reason}
        )
        for reason in ("out-of-range", "stranger", "duplicate")
    }
    assert counted == {"out-of-range": 3.0, "stranger": 1.0, "duplicate": 1.0}


def test_values_that_are_too_old_are_not_told() -> None:
    found = vitals(settings("http://127.0.0.1:9", prometheus={"oldest_s": 60.0}))
    then = time.time() - 61.0
    assert entered(found, NewestAnswer("throttling", [Sample({"node": "n1"}, then, 0.5)], then))["throttling"] == {}


def test_an_empty_query_is_not_asked() -> None:
    given = settings("http://127.0.0.1:9", prometheus={"signals": {"throttling": "", "io_pressure": ""}})
    assert SignalReader(given, TelemetryMetrics()).signals == ["cpu_pressure", "memory_pressure"]
    assert SignalReader(settings(""), TelemetryMetrics()).signals == []


@contextmanager
def loki(asked: list[tuple[str, dict[str, list[str]], dict[str, str]]]) -> Iterator[str]:
    """A server that answers one query as Loki's documentation shows it. asked: path, form and headers of each."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """A query."""
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            asked.append((self.path, form, dict(self.headers)))
            result = [
                {"metric": {"node": "n1"}, "value": [1588889221, "1267"]},
                {"metric": {"node_name": "n2"}, "value": [1588889221, "0"]},
            ]
            data = {"resultType": "vector", "result": result, "stats": {"summary": {"execTime": 0.01}}}
            body = json.dumps({"status": "success", "data": data}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


async def test_lines_of_error_are_counted_by_loki_in_the_first_turn_of_four() -> None:
    asked: list[tuple[str, dict[str, list[str]], dict[str, str]]] = []
    with loki(asked) as url:
        given = settings("", loki={"url": url + "/", "tenant": "berth", "username": "u", "password": "p"})
        found = vitals(given)
        api = Prometheus(given.loki.endpoint())
        for turn in range(5):
            await found.reader.turn(turn, api, api)
        await api.close()
    assert entered(found)[LINES] == {"n1": 1267.0, "n2": 0.0}
    lines = found.fared(("n1", "n2", "n3"), time.time()).error_lines
    assert lines.tolist() == pytest.approx([1267.0, 0.0, math.nan], nan_ok=True)
    assert len(asked) == 2
    path, form, headers = asked[0]
    assert path == "/loki/api/v1/query"
    assert form["query"] == [given.loki.asked(10)]
    assert "[10s]" in form["query"][0]
    assert headers["X-Scope-OrgID"] == "berth"
    assert headers["Authorization"].startswith("Basic ")


async def test_a_loki_that_is_away_is_named() -> None:
    given = settings("", loki={"url": "http://127.0.0.1:9"})
    found = vitals(given)
    api = Prometheus(given.loki.endpoint())
    await found.reader.turn(0, api, api)
    await api.close()
    assert found.reader.degraded() == ["Loki does not tell error_lines: unreachable"]
    assert "p4ss" not in repr(LokiSettings.model_validate({"password": "p4ss"}).endpoint())


async def test_a_reader_asks_by_itself() -> None:
    asked: list[tuple[str, dict[str, list[str]], dict[str, str]]] = []
    with loki(asked) as url:
        found = vitals(settings("", loki={"url": url}))
        task = asyncio.create_task(found.reader.run())
        try:
            await soon(lambda: found.reader.answers, SOON_S)
        finally:
            task.cancel()
            await asyncio.wait([task])
    assert asked
