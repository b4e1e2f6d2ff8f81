"""The documented kube-scheduler configurations, each loaded by the real binary and asked for pods."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest

from tests.calls import Replay
from tests.lab.api import ApiError
from tests.lab.berth import extender_url
from tests.lab.control_plane import ControlPlane
from tests.lab.objects import Object, pod
from tests.lab.placing import names_of, place
from tests.lab.process import LabError
from tests.lab.scheduler import EXAMPLES, Config, Scheduler, example, plain

NAMES = sorted(path.stem for path in EXAMPLES.glob("*.yaml"))
PODS = 10


def opted_in(name: str) -> list[Object]:
    """Pods that ask for Berth as this example's comment says."""
    if name.startswith("second"):
        return [pod(f"asks-{i}", cpu=f"{i + 1}00m") for i in range(PODS)]
    labels = {"labels": {"berth.dev/scoring": "true"}}
    return [pod(f"asks-{i}", cpu=f"{i + 1}00m", scheduler="default-scheduler", meta=labels) for i in range(PODS)]


def others() -> list[Object]:
    """Pods that have never heard of Berth."""
    return [pod(f"other-{i}", cpu=f"{i + 1}00m", scheduler="default-scheduler") for i in range(PODS)]


def calls(replay: Replay, verb: str) -> float:
    """Answers of the extender to a verb, status 200."""
    return replay.caller.metrics("berth_answers_total").get(("200", verb), 0.0)


def passed_over(replay: Replay) -> float:
    """Answers that were neutral because the pod did not opt in."""
    return replay.caller.metrics("berth_pods_total").get(("neutral", "not-opted-in"), 0.0)


def known(replay: Replay, uid: str) -> bool:
    """Whether a decision is kept for a pod."""
    return replay.caller.call("GET", f"/v1/decisions/{uid}").status == 200


@contextmanager
def schedulers(plane: ControlPlane, name: str, config: Config) -> Iterator[None]:
    """The example's scheduler as it elects its leader, and for the second-scheduler ones the cluster's own beside."""
    elected = config["leaderElection"]
    namespace, lease = elected.get("resourceNamespace", "kube-system"), elected.get("resourceName", "kube-scheduler")
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{lease}"
    with ExitStack() as running:
        running.callback(plane.api.delete, path)  # the next scheduler need not wait until it runs out
        running.enter_context(Scheduler(plane, config, elect=True))
        if name.startswith("second"):
            running.enter_context(Scheduler(plane, plain()))
        yield
        assert plane.api.get(path)["spec"]["holderIdentity"]


@pytest.fixture(scope="module", autouse=True)
def own_namespace(control_plane: ControlPlane) -> None:
    """Where the second scheduler's lease lives."""
    with suppress(ApiError):  # made before
        control_plane.api.create("/api/v1/namespaces", {"metadata": {"name": "berth-system"}})


@pytest.mark.parametrize("name", NAMES)
def test_an_example_schedules_opted_in_pods_through_berth_and_leaves_the_others(
    plane: ControlPlane, recorded: Replay, name: str
) -> None:
    before = {verb: calls(recorded, verb) for verb in ("filter", "prioritize")}
    neutral = passed_over(recorded)
    asking, silent = opted_in(name), others()
    with schedulers(plane, name, example(name, extender_url(recorded))):
        placed = place(plane, [*asking, *silent])
    made = {verb: calls(recorded, verb) - count for verb, count in before.items()}
    passing = PODS if name.startswith("second") else 2 * PODS
    alone = name.endswith("prioritize-only")
    assert made == {"filter": 0 if alone else passing, "prioritize": passing}
    assert passed_over(recorded) - neutral == (passing - PODS) * (1 if alone else 2)
    for one in names_of(asking):
        written = recorded.caller.decision(placed[one].uid)
        assert (written["verb"], written["mode"]) == ("prioritize" if alone else "filter", "active")
        assert written["top"][0]["score"] == 10
        assert written["neutral_reason"] == ""
    assert not [one for one in names_of(silent) if known(recorded, placed[one].uid)]


def test_there_are_four_examples() -> None:
    assert len(NAMES) == 4


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("prioritiseVerb", "prioritize", "prioritiseVerb"),
        ("nodeCacheCapable", "perhaps", "nodeCacheCapable"),
        ("httpTimeout", "200", "missing unit in duration"),
        ("weight", 0, "weight"),
    ],
)
def test_the_real_binary_refuses_an_example_with_a_broken_field(
    plane: ControlPlane, field: str, value: Any, named: str
) -> None:
    config = example("second-scheduler", "http://127.0.0.1:8888/scheduler")
    config["extenders"][0][field] = value
    assert named in refused(plane, config)


def test_the_real_binary_refuses_a_broken_lease(plane: ControlPlane) -> None:
    config = example("second-scheduler", "http://127.0.0.1:8888/scheduler")
    config["leaderElection"]["resourceNamespaces"] = "berth-system"
    assert "resourceNamespaces" in refused(plane, config)


def refused(plane: ControlPlane, config: Config) -> str:
    """What the binary says of a configuration that it does not start with."""
    with pytest.raises(LabError) as error, Scheduler(plane, config, elect=True):
        pass
    assert "has ended" in str(error.value)
    return str(error.value)
