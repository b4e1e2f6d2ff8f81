"""Two kube-schedulers over the same nodes do not see what the other has decided until it is bound: how often that
over-commits a node, and that one kube-scheduler with two profiles never does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import pytest

from tests.calls import Replay
from tests.extender.replica import Replica
from tests.lab.berth import fresh_replicas, url_at
from tests.lab.binds import Bind, Binds
from tests.lab.control_plane import ControlPlane
from tests.lab.objects import node, pod
from tests.lab.scheduler import Config, Scheduler, example, plain

NODES = 100
ROOM = 8
"""Cores of a node; a pod of the burst takes one."""
LEFT = 2
"""Pods that still fit on a node when the burst comes; there are as many pods in it as fit in all."""
NAMES = ("default-scheduler", "berth")


@pytest.fixture
def extender(recorded: Replay) -> Iterator[Replica]:
    """One of this test's own."""
    with fresh_replicas(recorded, 1) as (running,):
        yield running


def together(url: str) -> Config:
    """One kube-scheduler with both profiles."""
    made = example("second-scheduler", url)
    made["profiles"] = [{"schedulerName": name} for name in NAMES]
    return made


def burst(plane: ControlPlane, names: Sequence[str], configs: Sequence[Config]) -> list[Bind]:
    """What is bound of as many pods as fit, half of them for each scheduler, on a nearly full cluster."""
    plane.create(node(name, cpu=str(ROOM), memory="64Gi") for name in names)
    plane.create(pod(f"there-{name}", cpu=str(ROOM - LEFT), nodeName=name) for name in names)
    with ExitStack() as running, Binds(plane) as binds:
        for i, config in enumerate(configs):
            running.enter_context(Scheduler(plane, config, name=f"of-{len(configs)}-{i}"))
        already = len(binds.seen)
        plane.create(pod(f"burst-{i}", scheduler=NAMES[i % 2]) for i in range(NODES * LEFT))
        return binds.wait(already + NODES * LEFT)[already:]


def over_committed(binds: Sequence[Bind]) -> int:
    """Nodes with more bound than they can hold."""
    return sum(count > LEFT for count in Counter(bind.node for bind in binds).values())


def test_two_schedulers_over_commit_and_two_profiles_of_one_never(
    empty: ControlPlane, recorded: Replay, extender: Replica
) -> None:
    url, names = url_at(extender.port), recorded.names[:NODES]
    two = burst(empty, names, [plain(), example("second-scheduler", url)])
    empty.delete_pods()
    empty.delete_nodes()
    one = burst(empty, names, [together(url)])
    print(f"over-committed nodes of {NODES}: two schedulers {over_committed(two)}, two profiles {over_committed(one)}")
    assert {bind.scheduler for bind in two} == set(NAMES)
    assert over_committed(one) == 0
