"""Every line of kube-scheduler's extender protocol, against the running extender (kube-scheduler v1.36:
pkg/scheduler/extender.go, schedule_one.go, extender/v1/types.go)."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from tests.calls import Answer, Caller, Replay, pod, scores_of, until

pytestmark = pytest.mark.mesh

UIDS = (f"trap-{i}" for i in count())
FILTER, PRIORITIZE = "/scheduler/filter", "/scheduler/prioritize"


@pytest.fixture
def names(replay: Replay) -> list[str]:
    return replay.names[:120]


@pytest.fixture(scope="module", autouse=True)
def idle(replay: Replay) -> Iterator[tuple[Caller, float]]:
    """A connection with one call made, and when: idle while the other tests go on."""
    made = Caller(replay.port)
    made.filter(new(), replay.names[:120])
    yield made, time.monotonic()
    made.close()


def new(**more: Any) -> dict[str, Any]:
    return pod(next(UIDS), **more)


def full_nodes(names: list[str]) -> dict[str, Any]:
    items = [
        {"metadata": {"name": n, "labels": {"zone": "ü"}}, "status": {"capacity": {"cpu": "4"}, "x": 1.0}}
        for n in names
    ]
    return {"metadata": {}, "items": items}


def nodes_form(of: object, nodes: object) -> bytes:
    return json.dumps({"Pod": of, "Nodes": nodes, "NodeNames": None}).encode()


def assert_all_kept(answer: Answer, names: list[str]) -> None:
    assert answer.status == 200
    assert answer.json["NodeNames"] == names
    assert not answer.json["FailedNodes"]
    assert not answer.json["Error"]


# HTTP


def test_status_200_json_and_content_length(caller: Caller, names: list[str]) -> None:
    asked = new()
    for answer in (caller.filter(asked, names), caller.prioritize(asked, names)):
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json"
        assert int(answer.headers["content-length"]) == len(answer.body)
        assert "transfer-encoding" not in answer.headers


@pytest.mark.parametrize(("path", "status"), [("/scheduler/filter/", 404), ("/filter", 404), ("/scheduler/bind", 404)])
def test_other_paths_are_not_answered_with_200(caller: Caller, path: str, status: int) -> None:
    answer = caller.call("POST", path, b"{}")
    assert answer.status in (status, 307)


def test_a_verb_is_posted(caller: Caller) -> None:
    assert caller.call("GET", FILTER).status == 405


# JSON


def test_keys_of_filter_s_answer(caller: Caller, names: list[str]) -> None:
    answer = caller.filter(new(), names).json
    assert set(answer) == {"Nodes", "NodeNames", "FailedNodes", "FailedAndUnresolvableNodes", "Error"}
    assert answer["Nodes"] is None
    assert answer["FailedNodes"] == {}


@pytest.mark.parametrize(
    "keys", [("Pod", "Nodes", "NodeNames"), ("pod", "nodes", "nodeNames"), ("POD", "NODES", "NODENAMES")]
)
def test_keys_of_the_arguments_in_any_case(caller: Caller, names: list[str], keys: tuple[str, str, str]) -> None:
    body = json.dumps(dict(zip(keys, (new(), None, names), strict=True))).encode()
    assert_all_kept(caller.call("POST", FILTER, body), names)
    assert set(scores_of(caller.call("POST", PRIORITIZE, body))) == set(names)


def test_score_is_written_as_a_json_integer(caller: Caller, names: list[str]) -> None:
    asked = new(cpu="3100m")
    caller.filter(asked, names)
    answer = caller.prioritize(asked, names)
    assert re.fullmatch(rb'\[(\{"Host":"[^"]+","Score":\d+\},?)+\]', answer.body)
    found = scores_of(answer)
    assert set(found) == set(names)
    assert list(found.values()).count(10) == 1
    assert len(set(found.values())) > 3


def test_nodes_form_gives_full_items_back_unchanged(caller: Caller, names: list[str]) -> None:
    asked, nodes = new(), full_nodes(names)
    answer = caller.call("POST", FILTER, nodes_form(asked, nodes))
    assert answer.status == 200
    assert answer.json["NodeNames"] is None
    assert answer.json["Nodes"] == nodes
    assert b'"x": 1.0' in answer.body  # byte by byte, not decoded and encoded again
    assert set(scores_of(caller.call("POST", PRIORITIZE, nodes_form(asked, nodes)))) == set(names)


def test_both_forms_score_alike(replay: Replay, caller: Caller, names: list[str]) -> None:
    with replay.override(mode="shadow"):  # so that none of them is in flight for the other
        until(lambda: best_in_both_forms(caller, names))


def best_in_both_forms(caller: Caller, names: list[str]) -> bool:
    """Whether two pods that are alike have the same best nodes with the same parts. What other tests' pods in flight
    change is asked again beside the calls: between these two, perhaps."""
    one, other = new(cpu="2"), new(cpu="2")
    caller.filter(one, names)
    by_name = caller.decision(one["metadata"]["uid"])
    caller.call("POST", FILTER, nodes_form(other, full_nodes(names)))
    by_node = caller.decision(other["metadata"]["uid"])
    return bool(by_name["top"]) and by_name["top"] == by_node["top"]


# Traps


@pytest.mark.parametrize("nodes", [1, 2, 99, 100, 500, 1523])
def test_filter_never_answers_without_a_list(replay: Replay, caller: Caller, nodes: int) -> None:
    assert_all_kept(caller.filter(new(), replay.names[:nodes]), replay.names[:nodes])


@pytest.mark.parametrize("form", ["NodeNames", "Nodes"])
def test_an_empty_list_comes_back_as_an_empty_list(caller: Caller, form: str) -> None:
    empty: dict[str, object] = {"NodeNames": [], "Nodes": {"metadata": {}, "items": []}}
    fields = {"Pod": new(), "Nodes": None, "NodeNames": None, form: empty[form]}
    answer = caller.call("POST", FILTER, json.dumps(fields).encode())
    assert answer.status == 200
    assert answer.json[form] == empty[form]
    assert caller.call("POST", PRIORITIZE, json.dumps(fields).encode()).json == []


def test_no_name_that_was_not_sent_and_none_twice(caller: Caller, names: list[str]) -> None:
    sent = [*names, *names[:30], "not-in-the-snapshot"]
    answer = caller.filter(new(), sent).json["NodeNames"]
    assert answer == [*names, "not-in-the-snapshot"]
    assert list(scores_of(caller.prioritize(new(), sent))) == [*names, "not-in-the-snapshot"]


def test_unknown_nodes_are_kept_marked_and_not_avoided(caller: Caller, names: list[str]) -> None:
    asked = new(cpu="1700m")
    sent = [*names, "brand-new-node"]
    assert_all_kept(caller.filter(asked, sent), sent)
    found = scores_of(caller.prioritize(asked, sent))
    assert sorted(found.values())[1] <= found["brand-new-node"] < 10
    assert caller.decision(asked["metadata"]["uid"])["unknown_nodes"] == 1


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("not-opted-in", {"schedulerName": "default-scheduler"}),
        ("not-opted-in", {"meta": {"labels": {"berth.dev/scoring": "false"}}}),
        ("system-critical", {"priority": 2_000_000_000}),
        ("daemonset", {"meta": {"ownerReferences": [{"kind": "DaemonSet", "uid": "d", "controller": True}]}}),
        ("own-namespace", {"meta": {"namespace": "berth-system"}}),
        ("nominated-node", {"status": {"nominatedNodeName": "openb-node-0001"}}),
    ],
)
def test_who_gets_all_nodes_back_at_once_unscored(
    caller: Caller, names: list[str], reason: str, changes: dict[str, Any]
) -> None:
    asked = new(**changes)
    key = ("neutral", reason)
    before = caller.metrics("berth_pods_total").get(key, 0.0), caller.misses(), caller.get("/v1/state")["inflight"]
    assert_all_kept(caller.filter(asked, names), names)
    assert set(scores_of(caller.prioritize(asked, names)).items()) == {(n, 0) for n in names}
    after = caller.metrics("berth_pods_total")[key], caller.misses(), caller.get("/v1/state")["inflight"]
    assert (after[0] - before[0], after[1] - before[1], after[2] - before[2]) == (2, 0, 0)
    assert caller.call("GET", f"/v1/decisions/{asked['metadata']['uid']}").status == 404


def test_the_pod_label_opts_in_under_another_scheduler(caller: Caller, names: list[str]) -> None:
    asked = new(schedulerName="default-scheduler", meta={"labels": {"berth.dev/scoring": "true"}})
    caller.filter(asked, names)
    assert max(scores_of(caller.prioritize(asked, names)).values()) == 10


@pytest.mark.parametrize("mode", ["off", "shadow"])
def test_off_and_shadow_answer_neutrally_and_reserve_nothing(
    replay: Replay, caller: Caller, names: list[str], mode: str
) -> None:
    with replay.override(mode=mode):
        asked = new(cpu="1100m")
        before = caller.get("/v1/state")["inflight"]
        assert_all_kept(caller.filter(asked, names), names)
        assert set(scores_of(caller.prioritize(asked, names)).values()) == {0}
        assert caller.get("/v1/state")["inflight"] <= before
        if mode == "off":
            assert caller.call("GET", f"/v1/decisions/{asked['metadata']['uid']}").status == 404
        else:
            record = caller.decision(asked["metadata"]["uid"])
            assert (record["mode"], record["neutral_reason"], record["top"][0]["score"]) == ("shadow", "shadow", 10)
            assert all(model["outcome"] in ("fresh", "memory", "redis") for model in record["models"])


def test_rollout_picks_by_owner_and_an_owner_stays_in(replay: Replay, caller: Caller, names: list[str]) -> None:
    owners = [f"owner-{i}" for i in range(40)]
    scored: dict[float, set[str]] = {}
    for percent in (0.0, 25.0, 100.0):
        with replay.override(rollout_percent=percent):
            scored[percent] = set()
            for owner in owners:
                alike = set()
                for _ in range(2):
                    meta = {"ownerReferences": [{"kind": "ReplicaSet", "uid": owner, "controller": True}]}
                    alike.add(max(scores_of(caller.prioritize(new(meta=meta), names[:40])).values()) == 10)
                assert len(alike) == 1
                scored[percent] |= {owner} if alike == {True} else set()
    assert not scored[0.0]
    assert scored[100.0] == set(owners)
    assert 3 <= len(scored[25.0]) <= 18


def test_an_error_of_a_call_is_a_200_with_a_reason(caller: Caller, names: list[str]) -> None:
    answer = caller.call("POST", FILTER, json.dumps({"Pod": None, "Nodes": None, "NodeNames": names}).encode())
    assert (answer.status, answer.json["Error"]) == (200, "berth: Pod is missing")
    assert caller.call("POST", PRIORITIZE, json.dumps({"NodeNames": names}).encode()).json == []


def test_five_thousand_full_nodes_are_served(caller: Caller, names: list[str]) -> None:
    filling = {"annotations": {"x": "y" * 5500}}
    items = [{"metadata": {"name": f"big-{i}", **filling}} for i in range(5000)]
    body = nodes_form(new(), {"items": items})
    assert len(body) > 27_000_000
    answer = caller.call("POST", FILTER, body)
    assert answer.status == 200
    assert len(answer.json["Nodes"]["items"]) == 5000


def test_an_idle_connection_is_kept(idle: tuple[Caller, float], names: list[str]) -> None:
    caller, since = idle
    held = caller.connection.sock.getsockname()
    time.sleep(max(0.0, since + 6.0 - time.monotonic()))  # uvicorn's own default is 5 s; above 90 s: test_settings
    answer = caller.filter(new(), names)
    assert answer.status == 200
    assert caller.connection.sock.getsockname() == held
    assert answer.headers.get("connection", "keep-alive") == "keep-alive"
