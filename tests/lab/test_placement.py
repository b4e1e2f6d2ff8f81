"""Where Berth sends a pod, beside where the default scheduler sends it; and the pods that it leaves alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.calls import Replay, until
from tests.lab.berth import extender_url
from tests.lab.binds import Binds
from tests.lab.control_plane import ControlPlane
from tests.lab.objects import Object, pod
from tests.lab.placing import Placed, nodes_of, place_in_turn
from tests.lab.scheduler import Config, Scheduler, example, plain
from tests.lab.ties import without_ties

NODES = 100
HEAVY = 5000
"""Ten times the documented weight beside the plugins of `without_ties`: Berth's best node wins whatever they say."""
DOCUMENTED = 0
"""The documented weight, in proportion to the plugins."""
UNSCORED = "berth.dev/lab!=recorded"


def run(plane: ControlPlane, config: Config, pods: list[Object]) -> Placed:
    """Pods in their order by a scheduler of their own; none is left."""
    with Scheduler(plane, config):
        placed = place_in_turn(plane, pods)
    plane.delete_pods(UNSCORED)
    return placed


def alone(replay: Replay, name: str) -> Config:
    """kube-scheduler without Berth."""
    return without_ties(plain(name), replay.names[:NODES])


def beside(replay: Replay, kind: str, weight: int = HEAVY) -> Config:
    """A documented configuration, without ties."""
    return without_ties(example(kind, extender_url(replay)), replay.names[:NODES], weight)


@contextmanager
def loads(replay: Replay, of: dict[str, tuple[float, float] | None]) -> Iterator[None]:
    """CPU and memory of nodes held at these shares of allocatable for an hour and on."""
    for node, load in of.items():
        cpu, memory = load or (None, None)
        replay.telemetry("POST", "/replay/load", {"node": node, "cpu": cpu, "memory": memory})
    replay.publish(steps=12)
    try:
        yield
    finally:
        for node in of:
            replay.telemetry("POST", "/replay/load", {"node": node, "cpu": None, "memory": None})
        replay.publish(steps=12)


def recorded_of(replay: Replay, uid: str) -> bool:
    """Whether a decision is kept for a pod."""
    return replay.caller.call("GET", f"/v1/decisions/{uid}").status == 200


def test_each_pod_goes_to_the_best_node_of_its_record(plane: ControlPlane, recorded: Replay) -> None:
    pods = [pod(f"best-{i}", cpu=f"{(i + 1) * 250}m", memory=f"{i + 1}Gi") for i in range(12)]
    usual = nodes_of(run(plane, alone(recorded, "berth"), pods))
    placed = run(plane, beside(recorded, "second-scheduler"), pods)
    best = {name: recorded.caller.decision(bind.uid)["top"][0]["node"] for name, bind in placed.items()}
    assert nodes_of(placed) == best
    assert sum(best[name] != usual[name] for name in best) >= len(pods) // 2


def test_at_the_documented_weight_a_pod_leaves_the_default_scheduler_s_choice_once_that_runs_hot(
    plane: ControlPlane, recorded: Replay
) -> None:
    """What the default scheduler sees, requests, stays the same all the time."""
    one = [pod("hot", cpu="500m", memory="1Gi")]
    usual = nodes_of(run(plane, alone(recorded, "berth"), one))["hot"]
    with loads(recorded, {usual: (0.97, 0.97)}):
        still = nodes_of(run(plane, alone(recorded, "berth"), one))["hot"]
        placed = run(plane, beside(recorded, "second-scheduler", DOCUMENTED), one)["hot"]
    assert still == usual
    assert placed.node != usual
    top = recorded.caller.decision(placed.uid)["top"]
    assert usual not in [node["node"] for node in top]


def test_a_pod_that_did_not_opt_in_goes_where_it_goes_without_berth(plane: ControlPlane, recorded: Replay) -> None:
    pods = [pod(f"silent-{i}", cpu=f"{(i % 7 + 1) * 100}m", scheduler="default-scheduler") for i in range(30)]
    usual = nodes_of(run(plane, alone(recorded, "default-scheduler"), pods))
    before = neutral(recorded, "not-opted-in")
    placed = run(plane, beside(recorded, "default-scheduler"), pods)
    assert nodes_of(placed) == usual
    assert neutral(recorded, "not-opted-in") == before + 2 * len(pods)  # filter and prioritize
    assert not [name for name, bind in placed.items() if recorded_of(recorded, bind.uid)]


def test_opting_in_by_label_moves_the_same_pods(plane: ControlPlane, recorded: Replay) -> None:
    """The comparison above can fail."""
    labels = {"labels": {"berth.dev/scoring": "true"}}
    pods = [pod(f"asks-{i}", cpu=f"{i + 1}00m", scheduler="default-scheduler", meta=labels) for i in range(7)]
    usual = nodes_of(run(plane, alone(recorded, "default-scheduler"), pods))
    assert nodes_of(run(plane, beside(recorded, "default-scheduler"), pods)) != usual


def daemon_set(names: list[str]) -> Object:
    """A DaemonSet on some nodes, whose pods name Berth's scheduler."""
    labels = {"app": "daemon"}
    template: dict[str, Any] = pod("unused", cpu="10m", memory="16Mi")
    terms = {"key": "kubernetes.io/hostname", "operator": "In", "values": names}
    required = {"nodeSelectorTerms": [{"matchExpressions": [terms]}]}
    template["spec"].pop("terminationGracePeriodSeconds")
    template["spec"]["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "daemon", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": template["spec"]},
        },
    }


def test_a_daemon_set_s_pods_are_bound_each_to_its_node_and_not_scored(plane: ControlPlane, recorded: Replay) -> None:
    names = recorded.names[:8]
    path = "/apis/apps/v1/namespaces/default/daemonsets"
    before = neutral(recorded, "daemonset")
    with Scheduler(plane, example("second-scheduler", extender_url(recorded))), Binds(plane) as binds:
        plane.api.create(path, daemon_set(names))
        try:
            until(lambda: len(of_daemon(binds)) >= len(names), 30.0)
        finally:
            plane.api.delete(f"{path}/daemon")
    assert sorted(bind.node for bind in of_daemon(binds)) == sorted(names)
    assert neutral(recorded, "daemonset") >= before + len(names)
    assert not [bind for bind in of_daemon(binds) if recorded_of(recorded, bind.uid)]


def of_daemon(binds: Binds) -> list[Any]:
    """Bindings of the DaemonSet's pods."""
    return [bind for bind in binds.seen if bind.name.startswith("daemon-")]


def neutral(replay: Replay, reason: str) -> float:
    """Answers that were neutral for a reason."""
    return replay.caller.metrics("berth_pods_total").get(("neutral", reason), 0.0)


@pytest.mark.parametrize("priority", ["system-node-critical", "system-cluster-critical"])
def test_a_system_critical_pod_is_bound_and_not_scored(plane: ControlPlane, recorded: Replay, priority: str) -> None:
    meta = {"namespace": "kube-system"}
    pods = [pod(f"critical-{i}", cpu=f"{i + 1}00m", meta=meta, priorityClassName=priority) for i in range(10)]
    usual = nodes_of(run(plane, alone(recorded, "berth"), pods))
    before = neutral(recorded, "system-critical")
    placed = run(plane, beside(recorded, "second-scheduler"), pods)
    assert nodes_of(placed) == usual
    assert neutral(recorded, "system-critical") == before + 2 * len(pods)  # filter and prioritize
    assert not [name for name, bind in placed.items() if recorded_of(recorded, bind.uid)]
