"""Older Kubernetes minors: the example configurations, and pods scored through a running Berth.

Each is built once from its own module file in `go/`, before the first test; the lab's other tests run on the newest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.calls import SCORED, Replay
from tests.lab.berth import berth, extender_url, populate
from tests.lab.binds import Bind, Binds
from tests.lab.build import SOURCE, Program, binary, kubernetes_version
from tests.lab.control_plane import ControlPlane
from tests.lab.objects import LAB, RECORDED, pod
from tests.lab.scheduler import EXAMPLES, Config, Scheduler, example

NODES = 200
PODS = 12
MODULES = ("go-1.35.mod", "go-1.34.mod")

pytestmark = [pytest.mark.long, pytest.mark.lab]


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    """One Berth for all of them."""
    with berth(tmp_path_factory.mktemp("berth"), NODES) as running:
        yield running


@pytest.fixture(scope="module", params=MODULES, ids=lambda module: module.removesuffix(".mod"))
def older(
    request: pytest.FixtureRequest, replay: Replay, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, ControlPlane]]:
    """A control plane of an older minor with the replayed nodes, and its version."""
    with ControlPlane(binary(request.param), tmp_path_factory.mktemp("older")) as plane:
        populate(plane, replay)
        yield kubernetes_version(Program("lab", SOURCE, request.param)), plane


@pytest.fixture
def plane(older: tuple[str, ControlPlane]) -> Iterator[ControlPlane]:
    """It alone; pods that a test leaves are gone before the next."""
    yield older[1]
    older[1].delete_pods(f"{LAB}!={RECORDED}")


def schedule(plane: ControlPlane, config: Config, prefix: str) -> Sequence[Bind]:
    """Pods opted in, all bound by a scheduler with this configuration."""
    profile = config["profiles"][0]["schedulerName"]
    meta = {"labels": {"berth.dev/scoring": "true"}}
    plane.create(pod(f"{prefix}-{i}", scheduler=profile, meta=meta) for i in range(PODS))
    with Binds(plane) as binds, Scheduler(plane, config):
        return [bind for bind in binds.wait(NODES + PODS) if bind.scheduler == profile]


def unscored(replay: Replay, binds: Sequence[Bind]) -> list[dict[str, Any]]:
    """Decisions about pods that are without the scores of one of the three models."""
    decisions = [replay.caller.decision(bind.uid) for bind in binds]
    return [one for one in decisions if not {part["outcome"] for part in one["models"]} <= set(SCORED)]


def test_the_version_is_the_older_one(older: tuple[str, ControlPlane]) -> None:
    version, plane = older
    assert plane.api.get("/version")["gitVersion"] == version


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.yaml")))
def test_example_configurations_are_accepted_and_bind(plane: ControlPlane, replay: Replay, name: str) -> None:
    replay.publish()
    binds = schedule(plane, example(name, extender_url(replay)), name)
    assert len(binds) == PODS
    assert not unscored(replay, binds)


@pytest.mark.parametrize("capable", [True, False])
def test_both_forms_of_nodes_are_scored(plane: ControlPlane, replay: Replay, capable: bool) -> None:
    replay.publish()
    config = example("second-scheduler", extender_url(replay))
    config["extenders"][0]["nodeCacheCapable"] = capable
    binds = schedule(plane, config, f"capable-{capable}".lower())
    assert len(binds) == PODS
    assert not unscored(replay, binds)
