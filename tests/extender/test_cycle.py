"""The order of calls in a scheduling cycle, against the running extender (kube-scheduler v1.36: schedule_one.go):
filter then prioritize, one fan-out for both, retries, nominated nodes, bursts."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from tests.calls import Caller, Replay, pod, scores_of

pytestmark = pytest.mark.mesh

UIDS = (f"cycle-{i}" for i in count())


@pytest.fixture
def names(replay: Replay) -> list[str]:
    return replay.names[:120]


def new(**more: Any) -> dict[str, Any]:
    return pod(next(UIDS), **more)


def test_one_fan_out_a_pod_and_prioritize_answers_from_the_memo(caller: Caller, names: list[str]) -> None:
    asked = new(cpu="7770m", memory="13Gi")
    before = caller.misses(), sum(caller.metrics("berth_fallback_total").values())
    caller.filter(asked, names)
    caller.prioritize(asked, names)
    after = caller.misses(), sum(caller.metrics("berth_fallback_total").values())
    assert (after[0] - before[0], after[1] - before[1]) == (1.0, 1.0)
    assert caller.decision(asked["metadata"]["uid"])["verb"] == "filter"


def test_the_answer_that_was_made_ahead_is_what_the_record_says(caller: Caller, names: list[str]) -> None:
    asked = new(cpu="2100m")
    caller.filter(asked, names)
    found = scores_of(caller.prioritize(asked, names))
    assert list(found) == names
    top = caller.decision(asked["metadata"]["uid"])["top"]
    assert len(top) == 50
    assert {node["node"]: node["score"] for node in top} == {node["node"]: found[node["node"]] for node in top}


def test_prioritize_works_without_filter(caller: Caller, names: list[str]) -> None:
    asked = new(cpu="2700m")
    found = scores_of(caller.prioritize(asked, names))
    assert set(found) == set(names)
    assert max(found.values()) == 10
    assert caller.decision(asked["metadata"]["uid"])["verb"] == "prioritize"


def test_without_filter_each_cycle_is_decided_anew(caller: Caller, names: list[str]) -> None:
    asked = new(cpu="2700m")
    before = sum(caller.metrics("berth_fallback_total").values())
    for _ in range(3):
        caller.prioritize(asked, names)
    assert sum(caller.metrics("berth_fallback_total").values()) - before == 3


@pytest.mark.parametrize("change", ["subset", "superset", "reversed", "others"])
def test_prioritize_scores_the_nodes_that_come_whatever_filter_saw(
    replay: Replay, caller: Caller, names: list[str], change: str
) -> None:
    asked = new(cpu="2300m")
    caller.filter(asked, names)
    sent = {
        "subset": names[:60],
        "superset": replay.names[:240],
        "reversed": names[::-1],
        "others": replay.names[400:500],
    }[change]
    found = scores_of(caller.prioritize(asked, sent))
    assert list(found) == sent
    assert max(found.values()) == 10


def test_one_survivor_is_reserved_by_filter_as_prioritize_is_not_called(caller: Caller, names: list[str]) -> None:
    before = caller.get("/v1/state")["inflight"]
    asked = new()
    assert caller.filter(asked, names[:1]).json["NodeNames"] == names[:1]
    assert caller.get("/v1/state")["inflight"] == before + 1
    assert scores_of(caller.prioritize(asked, names[:1])) == {names[0]: 0}


def test_filter_is_idempotent(caller: Caller, names: list[str]) -> None:
    asked = new(cpu="1900m")
    before = caller.get("/v1/state")["inflight"]
    one, other = caller.filter(asked, names), caller.filter(asked, names)
    assert one.body == other.body
    assert caller.get("/v1/state")["inflight"] == before
    first = caller.decision(asked["metadata"]["uid"])
    caller.filter(asked, names)
    assert caller.decision(asked["metadata"]["uid"])["top"] == first["top"]


def test_a_nominated_node_is_asked_alone_then_all_are(caller: Caller, names: list[str]) -> None:
    asked = new(status={"nominatedNodeName": names[5]})
    before = caller.get("/v1/state")["inflight"]
    assert caller.filter(asked, [names[5]]).json["NodeNames"] == [names[5]]
    assert caller.filter(asked, names).json["NodeNames"] == names
    assert set(scores_of(caller.prioritize(asked, names)).values()) == {0}
    assert caller.get("/v1/state")["inflight"] == before


def test_a_retry_puts_no_second_placement_in_flight(caller: Caller, names: list[str]) -> None:
    asked = new(cpu="1300m")
    before = caller.get("/v1/state")["inflight"]
    for _ in range(4):
        caller.filter(asked, names)
        caller.prioritize(asked, names)
    assert caller.get("/v1/state")["inflight"] == before + 1


def test_a_retry_is_not_avoided_by_its_own_earlier_placement(caller: Caller, names: list[str]) -> None:
    asked = new(cpu="6", memory="24Gi")
    found = []
    for _ in range(3):
        caller.filter(asked, names)
        scores = scores_of(caller.prioritize(asked, names))
        found.append(max(scores, key=scores.__getitem__))
    assert len(set(found)) == 1


def test_a_burst_does_not_herd(replay: Replay, caller: Caller, names: list[str]) -> None:
    winners = []
    for _ in range(12):
        asked = new(cpu="3", memory="6Gi")
        caller.filter(asked, names)
        found = scores_of(caller.prioritize(asked, names))
        winners.append(max(found, key=found.__getitem__))
    assert len(set(winners)) >= 6


def test_a_record_is_there_as_soon_as_somebody_asks(replay: Replay, caller: Caller) -> None:
    for _ in range(5):
        asked = new()
        assert caller.prioritize(asked, replay.names[:100]).status == 200
        assert caller.call("GET", f"/v1/decisions/{asked['metadata']['uid']}").status == 200
