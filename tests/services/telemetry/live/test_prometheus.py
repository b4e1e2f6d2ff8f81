"""What nodes use, from a real Prometheus that scrapes real exporters."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator

import numpy as np
import pytest

from services.telemetry.live.prometheus import Prometheus, PrometheusError
from services.telemetry.live.reader import NewestAnswer, Reader, SpanAnswer
from services.telemetry.live.usage import METRICS, Usage
from services.telemetry.metrics import TelemetryMetrics
from services.telemetry.settings import PrometheusSettings
from tests.calls import soon
from tests.prometheus.server import Scraped, scraped

pytestmark = pytest.mark.process

NODES = ("n1", "n2", "n3")
NAMES = {name: name for name in NODES}
GIB = 2.0**30
SOON_S = 30.0


@pytest.fixture(scope="module", params=["node", pytest.param("instance", marks=pytest.mark.long)])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    """Three machines: one busy, one idle, one that is not there."""
    with scraped(tmp_path_factory.mktemp("prometheus"), NODES, request.param) as server:
        server.tell("n1", cores=8, memory_total=32 * GIB, cpu=6.0, memory=24 * GIB, disk=5e6, network=2e6)
        server.tell("n2", cores=8, memory_total=32 * GIB, cpu=0.5, memory=2 * GIB)
        yield server


def settings(url: str, **more: object) -> PrometheusSettings:
    return PrometheusSettings.model_validate({"url": url, "interval_s": 0.5, "window_s": 10, "timeout_s": 5.0, **more})


async def read(server: Scraped, usage: Usage) -> None:
    """All metrics once."""
    reader, api = Reader(settings(server.url), TelemetryMetrics()), Prometheus(settings(server.url))
    try:
        for metric in METRICS:
            await reader.newest(api, metric)
    finally:
        await api.close()
    assert reader.failing == {}
    for answer in reader.answers:
        assert isinstance(answer, NewestAnswer)
        usage.take(answer.metric, answer.samples, NAMES, answer.at)


async def test_what_exporters_tell_arrives_in_cores_and_bytes(running: Scraped) -> None:
    told = np.array([[6.0, 0.5], [24 * GIB, 2 * GIB], [5e6, 0.0], [2e6, 0.0]])  # loopback is not counted
    usage, end, found = Usage(), time.monotonic() + SOON_S, np.full((4, 3), np.nan)
    while not np.allclose(found[:, :2], told, rtol=0.03):  # rates settle; a late scrape bends them for some seconds
        assert time.monotonic() < end, found
        await asyncio.sleep(0.5)
        await read(running, usage)
        found = usage.values(NODES, time.time() - 60.0)
    assert np.isnan(found[:, 2]).all()  # missing, not zero


async def test_a_server_that_hangs_refuses_or_is_gone_is_told_apart(running: Scraped) -> None:
    api = Prometheus(settings(running.url, timeout_s=0.5))
    with pytest.raises(PrometheusError) as refused:
        await api.newest("no such ( query")
    assert refused.value.reason == "refused"
    running.server.stop()
    try:
        with pytest.raises(PrometheusError) as hung:
            await api.newest("up")
    finally:
        running.server.send(signal.SIGCONT)
    assert hung.value.reason == "timeout"
    assert len((await api.newest("up")).samples) == len(NODES)
    await api.close()
    nobody = Prometheus(settings("http://127.0.0.1:9"))
    with pytest.raises(PrometheusError) as gone:
        await nobody.newest("up")
    assert gone.value.reason == "unreachable"
    await nobody.close()


async def test_a_span_has_each_step(running: Scraped) -> None:
    api, end = Prometheus(settings(running.url)), time.monotonic() + SOON_S
    while time.monotonic() < end:
        last = int(time.time())
        found = await api.span("node_memory_MemTotal_bytes", range(last - 2, last + 1), 1)
        if len(found) == 2 and all((one.values == 32 * GIB).all() for one in found):
            break
        await asyncio.sleep(0.5)
    await api.close()
    assert {one.labels.get(running.label, "").split(":")[0] for one in found} == {"n1", "n2"}


async def test_a_reader_goes_on_by_itself_when_the_server_is_back(running: Scraped) -> None:
    metrics = TelemetryMetrics()
    reader = Reader(settings(running.url, timeout_s=0.3), metrics)
    task = asyncio.create_task(reader.run())
    try:
        await soon(lambda: len(reader.answers) >= 2 * len(METRICS) and not reader.failing, SOON_S)
        running.server.stop()
        await soon(lambda: list(reader.failing.values()) == ["timeout"] * len(METRICS), SOON_S)
        running.server.send(signal.SIGCONT)
        await soon(lambda: not reader.failing, SOON_S)
    finally:
        running.server.send(signal.SIGCONT)
        task.cancel()
        await asyncio.wait([task])
    counted = metrics.registry.get_sample_value(
        "berth_telemetry_source_failures_total", {"of": "prometheus", "reason": "timeout"}
    )
    assert counted is not None
    assert counted >= len(METRICS)
    assert any(isinstance(answer, SpanAnswer) for answer in reader.answers)


async def test_who_asks_is_told_by_token_or_password_and_never_shown(tmp_path: object) -> None:
    given = settings("http://127.0.0.1:9", username="berth", password="hunter2")
    assert "hunter2" not in repr(given)
    api = Prometheus(given)
    assert api._headers() == {"Authorization": "Basic YmVydGg6aHVudGVyMg=="}
    await api.close()
