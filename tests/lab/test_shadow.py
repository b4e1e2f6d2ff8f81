"""Shadow: every pod is scored and recorded, and goes exactly where it goes without Berth."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.calls import Replay, until
from tests.lab.berth import extender_url
from tests.lab.control_plane import ControlPlane
from tests.lab.objects import Object, pod
from tests.lab.placing import Placed, nodes_of, place_in_turn
from tests.lab.scheduler import Config, Scheduler, example, plain
from tests.lab.ties import without_ties

PODS = 300
COMPARED = 60
"""Pods that are enough to see that active mode does something."""
NODES = 100
HEAVY = 5000
"""Ten times the documented weight beside the plugins of `without_ties`: Berth's best node wins whatever they say."""


def sequence(count: int) -> list[Object]:
    """Pods of 24 sizes."""
    return [pod(f"p-{i}", cpu=f"{100 + 61 * (i % 12)}m", memory=f"{128 + 101 * (i % 8)}Mi") for i in range(count)]


def run(plane: ControlPlane, config: Config, count: int) -> Placed:
    """The same pods in the same order from the same state, by a scheduler of their own; none is left."""
    with Scheduler(plane, config):
        placed = place_in_turn(plane, sequence(count))
    plane.delete_pods("berth.dev/lab!=recorded")
    return placed


def with_berth(replay: Replay) -> Config:
    """The documented second scheduler, without ties."""
    return without_ties(example("second-scheduler", extender_url(replay)), replay.names[:NODES], HEAVY)


@pytest.fixture(scope="module")
def without(control_plane: ControlPlane, recorded: Replay) -> dict[str, str]:
    """Node by pod name without Berth."""
    config = without_ties(plain("berth"), recorded.names[:NODES])
    return nodes_of(run(control_plane, config, PODS))


def records(replay: Replay, placed: Placed) -> list[dict[str, Any]]:
    """The decision of each pod by its uid, in the order of the pods. Waits until all are written."""
    wanted = [bind.uid for bind in placed.values()]

    def kept() -> dict[str, dict[str, Any]]:
        return {one["pod_uid"]: one for one in replay.caller.get("/v1/decisions?limit=1000")}

    until(lambda: set(wanted) <= kept().keys())
    found = kept()
    return [found[uid] for uid in wanted]


def agreement(written: list[dict[str, Any]], placed: Placed) -> Counter[bool]:
    """How often the record's best node is the one where the pod really went."""
    return Counter(one["top"][0]["node"] == bind.node for one, bind in zip(written, placed.values(), strict=True))


def test_the_same_pods_go_to_the_same_nodes_twice_without_berth(
    plane: ControlPlane, recorded: Replay, without: dict[str, str]
) -> None:
    config = without_ties(plain("berth"), recorded.names[:NODES])
    again = nodes_of(run(plane, config, COMPARED))
    assert again == {name: without[name] for name in again}


def test_in_shadow_each_of_300_pods_goes_where_it_goes_without_berth_and_is_recorded(
    plane: ControlPlane, recorded: Replay, without: dict[str, str]
) -> None:
    with recorded.override(mode="shadow"):
        placed = run(plane, with_berth(recorded), PODS)
    assert nodes_of(placed) == without
    written = records(recorded, placed)
    assert Counter((one["mode"], one["neutral_reason"]) for one in written) == {("shadow", "shadow"): PODS}
    fell_back = sum(one["fallback"] not in ("fresh", "cached") for one in written)
    assert fell_back <= PODS // 10, "a busy machine costs single deadlines, not more"
    assert [one["pod_name"] for one in written] == list(placed)
    counted = agreement(written, placed)
    assert counted.total() == PODS
    assert counted[False] > PODS // 4, "Berth would hardly have changed anything: this comparison could not fail"


def test_in_active_mode_the_same_comparison_tells_a_difference(
    plane: ControlPlane, recorded: Replay, without: dict[str, str]
) -> None:
    placed = run(plane, with_berth(recorded), COMPARED)
    nodes = nodes_of(placed)
    moved = [name for name, node in nodes.items() if node != without[name]]
    assert len(moved) > COMPARED // 4
    written = records(recorded, placed)
    assert {one["mode"] for one in written} == {"active"}
    assert agreement(written, placed)[True] == COMPARED
