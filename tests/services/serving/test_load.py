"""A slow model: the event loop stays free, the queue is bounded, late calls are not computed."""

from __future__ import annotations

import time
from pathlib import Path

import grpc
import httpx
import numpy as np
import pytest

from tests.services.serving.running import Service, infer_request, output

pytestmark = [pytest.mark.process, pytest.mark.timed]

QUEUE = 4
"""max_queue of the shared service."""


def ask(tiny: Service, seconds: float, what: float = 0.0, timeout: float = 10) -> grpc.Future:
    """A call that computes for `seconds`."""
    pod = np.array([seconds, what], dtype=np.float32)
    return tiny.infer(infer_request(tiny.metadata(), np.ones((1, 60), np.float32), pod), timeout)


def computed(tiny: Service) -> float:
    """Calls the model has computed so far."""
    return float(output(ask(tiny, 0, what=3).result())[0, 0])


def metric(tiny: Service, name: str) -> float:
    """A series of /metrics; 0 where it does not exist yet."""
    lines = tiny.http.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


def test_health_answers_while_the_model_computes(tiny: Service) -> None:
    tiny.http.get("/healthz")
    slow = ask(tiny, 0.6)
    time.sleep(0.05)
    took = []
    while not slow.done():
        for path in ("/healthz", "/readyz", "/v2/health/ready"):
            start = time.perf_counter()
            assert tiny.http.get(path).status_code == 200
            took.append(time.perf_counter() - start)
    assert len(took) > 20
    assert np.quantile(took, 0.9) < 0.05
    assert max(took) < 0.3  # a blocked loop would take as long as the model; a busy machine may take its share


def test_more_calls_than_the_queue_holds_are_refused_at_once(tiny: Service) -> None:
    calls = [ask(tiny, 0.4)]
    time.sleep(0.1)  # it runs
    calls += [ask(tiny, 0) for _ in range(QUEUE)]
    time.sleep(0.1)  # they wait
    start = time.perf_counter()
    error = ask(tiny, 0).exception()
    body = {"instances": [[1] * 60], "pod": [0, 0]}
    refused = tiny.http.post("/v1/models/tiny:predict", json=body)
    assert time.perf_counter() - start < 0.1
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.details() == f"{QUEUE} calls already wait for the model"
    assert refused.status_code == 503
    assert [call.result().model_version for call in calls] == ["v1"] * (QUEUE + 1)
    assert ask(tiny, 0).result().model_version == "v1"


def test_a_call_whose_caller_has_gone_is_not_computed(tiny: Service) -> None:
    counted = 'berth_model_calls_total{outcome="late"}'
    before, late_before = computed(tiny), metric(tiny, counted)
    slow = ask(tiny, 0.4)
    time.sleep(0.05)
    late = [ask(tiny, 0, timeout=0.05) for _ in range(QUEUE)]
    assert [call.exception().code() for call in late] == [grpc.StatusCode.DEADLINE_EXCEEDED] * QUEUE
    again = [ask(tiny, 0, timeout=5) for _ in range(QUEUE - 1)]  # the late ones have left their places
    assert [call.exception() for call in [slow, *again]] == [None] * QUEUE
    assert computed(tiny) - before == 1 + 1 + len(again)
    assert metric(tiny, counted) - late_before == QUEUE


def test_a_caller_that_leaves_a_running_call_does_not_start_the_next_beside_it(tiny: Service) -> None:
    given_up = ask(tiny, 0.4, timeout=0.1)
    assert given_up.exception().code() == grpc.StatusCode.DEADLINE_EXCEEDED
    start = time.perf_counter()
    ask(tiny, 0).result()
    assert time.perf_counter() - start > 0.15


async def test_the_deadline_is_checked_again_when_the_turn_comes() -> None:
    """The caller's deadline can pass before its cancellation arrives."""
    import asyncio

    from services.serving.errors import DeadlinePassedError
    from services.serving.worker import DEADLINE, Worker

    worker = Worker(max_queue=1)
    first = asyncio.create_task(worker.run(lambda: time.sleep(0.05)))
    await asyncio.sleep(0)
    DEADLINE.set(time.monotonic() + 0.01)
    done: list[int] = []
    with pytest.raises(DeadlinePassedError):
        await worker.run(lambda: done.append(1))
    DEADLINE.set(None)
    await first
    assert (done, worker.waiting, worker.busy) == ([], 0, False)
    worker.close()


def test_large_calls_do_not_fault_their_pages_in_each_time(tiny: Service) -> None:
    """By default malloc maps and unmaps each block of a 1.2 MB request: over 1,000 page faults a call."""
    large = infer_request(tiny.metadata(), np.ones((5000, 60), np.float32), np.zeros(2, np.float32))
    for _ in range(5):
        tiny.infer(large).result()
    before = page_faults(tiny)
    for _ in range(10):
        tiny.infer(large).result()
    assert (page_faults(tiny) - before) / 10 < 300


def page_faults(tiny: Service) -> int:
    """Minor page faults of the service so far: field 10 of /proc/PID/stat, the eighth after the name."""
    return int(Path(f"/proc/{tiny.process.pid}/stat").read_text().rpartition(")")[2].split()[7])


def test_health_of_rpc(tiny: Service) -> None:
    """ServerReady, ModelReady, ServerLive: field 1 of each answer is a true bool."""
    for method, body in (("ServerReady", b""), ("ServerLive", b""), ("ModelReady", b"\n\x04tiny")):
        call = tiny.channel.unary_unary(f"/inference.GRPCInferenceService/{method}")
        assert call(body, timeout=5) == b"\x08\x01"
    assert httpx.get(f"http://127.0.0.1:{tiny.http_port}/v2/models/tiny/ready", trust_env=False).json() == {
        "name": "tiny",
        "ready": True,
    }
