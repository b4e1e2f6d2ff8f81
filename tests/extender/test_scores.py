"""Scores mean something: what happens to a node moves its own parts, the right way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest

from tests.calls import Caller, Replay, pod, scores_of, until

pytestmark = pytest.mark.mesh

UIDS = (f"sense-{i}" for i in count())
AROUND = 40


def parts(replay: Replay, caller: Caller, names: list[str], **asks: Any) -> dict[str, dict[str, Any]]:
    """Every node's parts of a pod's score, none of it in flight."""
    for _ in range(20):
        uid = next(UIDS)
        caller.filter(pod(uid, **asks), names)
        record = caller.decision(uid)
        if record["fallback"] in ("fresh", "cached"):
            return {node["node"]: node for node in record["top"]}
        if record["fallback"] == "aged-snapshot":
            replay.publish()
    raise AssertionError(record["models"])


@pytest.fixture(scope="module")
def calm(replay: Replay) -> Iterator[list[str]]:
    """Nodes without GPU, moderately loaded: room in both directions. Records keep all of them; nothing is reserved,
    and what earlier tests have placed, which nothing here lets expire, lies elsewhere."""
    names = [n["name"] for n in replay.nodes if not n["gpu_free"] and n["cpu_requested"] < 0.6 * n["cpu_allocatable"]]
    replay.publish()
    with replay.override(mode="shadow"):
        told = [parts(replay, replay.caller, names[at : at + AROUND]) for at in range(0, len(names), AROUND)]
        free = [name for some in told for name, part in some.items() if not part["in_flight"]]
        assert len(free) >= AROUND
        yield sorted(free, key=replay.row_of.__getitem__)[:AROUND]


@contextmanager
def disturbed(replay: Replay, what: str, node: str, steps: int, **how: Any) -> Iterator[None]:
    """A node with a set load or a broken health for some 5-minute steps; as recorded again afterwards."""
    replay.telemetry("POST", f"/replay/{what}", {"node": node, **how})
    try:
        replay.publish(steps)
        yield
    finally:
        replay.telemetry("POST", f"/replay/{what}", {"node": node, **dict.fromkeys(how)})
        replay.publish(1)


def test_a_higher_load_lowers_headroom_and_total_of_that_node(replay: Replay, caller: Caller, calm: list[str]) -> None:
    before = parts(replay, caller, calm)
    node = max(calm, key=lambda name: before[name]["headroom"])
    with disturbed(replay, "load", node, 6, cpu=0.97, memory=0.9):
        during = parts(replay, caller, calm)
    assert during[node]["headroom"] < before[node]["headroom"] - 0.2
    assert during[node]["total"] < before[node]["total"]
    assert rank(during, node) > rank(before, node)
    others = [abs(during[n]["headroom"] - before[n]["headroom"]) for n in calm if n != node]
    assert sorted(others)[len(others) // 2] < 0.05


def rank(of: dict[str, dict[str, Any]], node: str) -> int:
    """How many nodes have a higher total."""
    return sum(one["total"] > of[node]["total"] for one in of.values())


def test_a_lower_load_raises_headroom(replay: Replay, caller: Caller, calm: list[str]) -> None:
    busiest = min(parts(replay, caller, calm).values(), key=lambda n: n["headroom"])
    with disturbed(replay, "load", busiest["node"], 6, cpu=0.02, memory=0.02):
        during = parts(replay, caller, calm)
    assert during[busiest["node"]]["headroom"] > busiest["headroom"] + 0.1


@pytest.mark.parametrize("kind", ["memory-leak", "disk-storm"])
def test_broken_health_lowers_that_node_s_health_alone(
    replay: Replay, caller: Caller, calm: list[str], kind: str
) -> None:
    before = parts(replay, caller, calm)
    node = max(calm, key=lambda name: before[name]["health"])
    with disturbed(replay, "fault", node, 6, kind=kind):
        during = parts(replay, caller, calm)
    assert during[node]["health"] < before[node]["health"] - 0.1
    changes = sorted(abs(during[n]["health"] - before[n]["health"]) for n in calm if n != node)
    assert changes[int(0.8 * len(changes))] < 0.1


def test_a_larger_pod_leaves_less_headroom_and_another_placement_value(
    replay: Replay, caller: Caller, calm: list[str]
) -> None:
    small = parts(replay, caller, calm, cpu="1", memory="1Gi")
    large = parts(replay, caller, calm, cpu="12", memory="48Gi")
    assert all(large[n]["headroom"] <= small[n]["headroom"] for n in calm)
    assert sum(large[n]["headroom"] < small[n]["headroom"] for n in calm) > AROUND // 2
    assert sum(abs(large[n]["placement"] - small[n]["placement"]) > 0.01 for n in calm) > 3 * AROUND // 4
    assert all(large[n]["health"] == small[n]["health"] for n in calm)


def test_another_gpu_share_changes_placement_on_nodes_with_gpus(
    replay: Replay, caller: Caller, calm: list[str]
) -> None:
    with_gpu = [n["name"] for n in replay.nodes if len(n["gpu_free"]) >= 2 and max(n["gpu_free"]) == 1.0][:AROUND]
    found = {}
    for milli in (None, 250, 1000):
        meta = {"annotations": {"berth.dev/gpu-milli": str(milli)}} if milli else {}
        gpu = {"nvidia.com/gpu": "1"} if milli else {}
        found[milli] = parts(replay, caller, with_gpu, cpu="2", memory="4Gi", meta=meta, requests=gpu)
    for one, other in ((None, 250), (250, 1000)):
        moved = [abs(found[one][n]["placement"] - found[other][n]["placement"]) for n in with_gpu]
        assert sum(m > 0.005 for m in moved) > AROUND // 4
    assert len({found[1000][n]["placement"] for n in with_gpu}) > 5


def test_a_pod_in_flight_lowers_its_node_for_the_next_of_its_kind(replay: Replay, caller: Caller) -> None:
    names = replay.names[900:1000]
    with replay.override(mode="active"):
        first, second = next(UIDS), next(UIDS)
        caller.filter(pod(first, cpu="4", memory="8Gi"), names)
        scores = scores_of(caller.prioritize(pod(first, cpu="4", memory="8Gi"), names))
        node = max(scores, key=scores.__getitem__)
        until(lambda: caller.get("/v1/state")["inflight"] > 0)
        caller.filter(pod(second, cpu="4", memory="8Gi"), names)
        again = scores_of(caller.prioritize(pod(second, cpu="4", memory="8Gi"), names))
    assert scores[node] == 10
    assert again[node] < 10
