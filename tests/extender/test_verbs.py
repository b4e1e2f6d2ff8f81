"""What happens beside an answer."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from prometheus_client import CollectorRegistry

from extender.metrics import Metrics
from extender.records import Recorder
from extender.settings import ExtenderSettings
from extender.state import State
from extender.verbs import Verbs
from extender.wire import Arguments, decode
from tests.calls import arguments, pod

NAMES = ["n1", "n2", "n3"]


@pytest.fixture
def verbs() -> Verbs:
    """Over a state that knows no snapshot."""
    settings, metrics = ExtenderSettings(), Metrics(CollectorRegistry())
    state = State(settings, metrics)
    return Verbs(state, Recorder(settings.records, state.store, metrics))


def asked(uid: str = "a") -> Arguments:
    return decode(arguments(pod(uid), NAMES))


async def test_filter_s_decision_is_kept_for_prioritize_and_recorded_once(verbs: Verbs) -> None:
    assert json.loads(verbs.filter_at_once(asked()) or b"")["NodeNames"] == NAMES
    assert verbs.decider.recorder.queue.empty()  # the answer came first
    assert len(json.loads(await verbs.prioritize(asked()))) == len(NAMES)
    await verbs.decider.recorder.accounted()
    assert verbs.decider.recorder.queue.qsize() == 1
    assert verbs.decider.recorder.queue.get_nowait()().verb == "filter"


async def test_without_scores_other_nodes_than_filter_s_are_answered_by_their_own_names(verbs: Verbs) -> None:
    verbs.filter_at_once(asked())
    await asyncio.sleep(0)
    answered = verbs.prioritize_at_once(decode(arguments(pod("a"), ["n4", "n5", "n6"])))
    assert [one["Host"] for one in json.loads(answered or b"")] == ["n4", "n5", "n6"]


async def test_a_defect_beside_an_answer_is_a_neutral_decision_logged_counted_once_and_recorded(
    verbs: Verbs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(uid: str) -> None:
        raise ValueError(uid)

    monkeypatch.setattr(verbs.state, "withdraw", broken)
    with caplog.at_level(logging.ERROR):
        assert json.loads(verbs.filter_at_once(asked()) or b"")["Error"] == ""
        answered = json.loads(await asyncio.wait_for(verbs.prioritize(asked()), 5.0))
    assert answered == [{"Host": name, "Score": 0} for name in NAMES]
    assert "no decision for a pod" in caplog.text
    assert verbs.state.metrics.registry.get_sample_value("berth_defects_total", {"where": "decision"}) == 1.0
    await verbs.decider.recorder.accounted()
    assert not verbs.decider.recorder.coming
    recorded = verbs.decider.recorder.queue.get_nowait()()
    assert (recorded.neutral_reason, recorded.fallback) == ("defect", "neutral")
    assert recorded.reason.startswith("Berth itself failed")
