"""Full clusters, with guards that remove half of the nodes of each call: nothing is bound that does not fit,
nothing waits that fits, and preemption works."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.calls import Replay, until
from tests.extender.replica import Replica
from tests.lab.attached import created
from tests.lab.berth import fresh_replicas, url_at
from tests.lab.binds import Binds
from tests.lab.control_plane import ControlPlane
from tests.lab.objects import Object, node, pod
from tests.lab.scheduler import Scheduler, example, scores_alone

ROOM = 8
"""Pods that fit on a node."""
MORE = 1000
"""Pods beyond those that fit."""
HARSH = {
    "FILTER__ENABLED": "true",
    "FILTER__MIN_HEALTH": "1.0",
    "FILTER__REPEATS": "1",
    "FILTER__MAX_SHARE": "0.5",
}
PRIORITIES = "/apis/scheduling.k8s.io/v1/priorityclasses"
HIGH = (PRIORITIES, {"metadata": {"name": "high"}, "value": 1000})


@pytest.fixture(scope="module")
def harsh(recorded: Replay) -> Iterator[Replica]:
    """An extender whose guards condemn as much as they may."""
    with fresh_replicas(recorded, 1, HARSH) as (running,):
        version = recorded.publish()  # the second snapshot that shows the evidence
        until(lambda: running.caller.get("/v1/state")["snapshot"]["version"] == version)
        yield running


@pytest.fixture(scope="module")
def scheduler(second_plane: ControlPlane, harsh: Replica) -> Iterator[Scheduler]:
    """kube-scheduler that calls it."""
    with Scheduler(second_plane, scores_alone(example("second-scheduler", url_at(harsh.port)))) as running:
        yield running


@pytest.fixture
def names(recorded: Replay) -> list[str]:
    """Of nodes that Berth knows."""
    return recorded.names[:30]


def removed(harsh: Replica) -> float:
    """Nodes that the guards have removed so far."""
    return harsh.caller.metrics("berth_nodes_removed_total").get((), 0.0)


def small(name: str) -> Object:
    """A node with room for a few pods."""
    return node(name, cpu=str(ROOM), memory="64Gi")


@pytest.mark.usefixtures("scheduler")
def test_of_too_many_pods_as_many_are_bound_as_fit(empty: ControlPlane, names: list[str], harsh: Replica) -> None:
    before, first, later = removed(harsh), names[:20], names[20:]
    empty.create(small(name) for name in first)
    with Binds(empty) as binds:
        empty.create(pod(f"many-{i}") for i in range(ROOM * len(first) + MORE))
        binds.wait(ROOM * len(first))
        until(lambda: waiting(empty) == MORE, 60.0, 0.5)
        assert Counter(binds.node_of.values()) == dict.fromkeys(first, ROOM)
        assert removed(harsh) > before
        empty.create(small(name) for name in later)
        binds.wait(ROOM * len(names))
        until(lambda: waiting(empty) == MORE - ROOM * len(later), 60.0, 0.5)
        assert Counter(binds.node_of.values()) == dict.fromkeys(names, ROOM)


def waiting(plane: ControlPlane) -> int:
    """Pods that kube-scheduler has found no node for."""
    return sum(unschedulable(one) for one in plane.api.pods())


def unschedulable(one: Object) -> bool:
    """Whether a pod has no node, and its status says so."""
    said = {condition.get("reason") for condition in one["status"].get("conditions", [])}
    return "nodeName" not in one["spec"] and "Unschedulable" in said


@pytest.mark.usefixtures("scheduler")
def test_the_last_node_with_room_is_never_removed(empty: ControlPlane, names: list[str], harsh: Replica) -> None:
    empty.create(small(name) for name in names)
    empty.create(pod(f"low-{i}-{name}", nodeName=name) for name in names[1:] for i in range(ROOM))
    with created(empty, [HIGH]), Binds(empty) as binds:
        already = len(binds.seen)
        empty.create(pod(f"high-{i}", priorityClassName="high") for i in range(ROOM))
        found = binds.wait(already + ROOM)[already:]
    assert {bind.node for bind in found} == {names[0]}
    assert len(empty.api.pods()) == ROOM * len(names)  # nothing was preempted where there was room


@pytest.mark.usefixtures("scheduler")
def test_a_pod_of_high_priority_preempts_on_a_full_cluster(
    empty: ControlPlane, names: list[str], harsh: Replica
) -> None:
    before = removed(harsh)
    empty.create(small(name) for name in names)
    with created(empty, [HIGH]), Binds(empty) as binds:
        empty.create(pod(f"low-{i}") for i in range(ROOM * len(names)))
        binds.wait(ROOM * len(names))
        assert removed(harsh) > before  # the cluster was filled past the guards
        empty.create(pod(f"high-{i}", priorityClassName="high") for i in range(3))
        binds.wait(ROOM * len(names) + 3)
        left = [one["metadata"]["name"] for one in empty.api.pods()]
        placed = Counter(where for name, where in binds.node_of.items() if name in left)
    assert sum(name.startswith("high") for name in left) == 3
    assert max(placed.values()) <= ROOM
