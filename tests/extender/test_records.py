"""Records are off the request path, and yet none is lost at the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from berth.decisions.record import Decision
from berth.ending import ended
from extender.metrics import Metrics
from extender.records import Recorder
from extender.settings import ExtenderSettings, Records
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
