"""A burst of like pods must not herd: node load lags by a minute, so what was just placed has to count at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.calls import Replay
from tests.extender.replica import Replica
from tests.lab.berth import balancer, fresh_replicas, url_at
from tests.lab.binds import Binds
from tests.lab.control_plane import ControlPlane
from tests.lab.objects import node, pod
from tests.lab.scheduler import Scheduler, example, scores_alone

PODS, NODES = 500, 200
LIMIT = 2 * PODS // NODES
"""Twice the fair share of a node."""
SWITCHED_OFF = {"INFLIGHT__ENABLED": "false"}


def scored(replicas: list[Replica]) -> list[float]:
    """Pods that each replica has scored, by its own count."""
    return [running.caller.metrics("berth_pods_total").get(("active", "scored"), 0.0) for running in replicas]


@contextmanager
def front(plane: ControlPlane, replicas: list[Replica]) -> Iterator[int]:
    """The port of the one extender, or of a balancer before several."""
    if len(replicas) == 1:
        yield replicas[0].port
        return
    with balancer(plane, [running.port for running in replicas], "--each-request") as (port, _):
        yield port


def most_on_a_node(plane: ControlPlane, replicas: list[Replica], names: list[str]) -> int:
    """Pods on the fullest node after the burst. Every node has room for all, and nothing but Berth scores."""
    plane.create(node(name, cpu="1000", memory="4000Gi", pods=PODS) for name in names)
    with front(plane, replicas) as port:
        config = scores_alone(example("second-scheduler", url_at(port)))
        with Scheduler(plane, config), Binds(plane) as binds:
            plane.create(pod(f"burst-{i}", cpu="1", memory="2Gi") for i in range(PODS))
            binds.wait(PODS)
            placed = Counter(binds.node_of.values())
    print(f"{len(replicas)} replicas: at most {max(placed.values())} pods on a node, {len(placed)} nodes used")
    return max(placed.values())


@pytest.mark.parametrize("replicas", [1, 3])
def test_no_node_gets_more_than_twice_its_share(empty: ControlPlane, recorded: Replay, replicas: int) -> None:
    with fresh_replicas(recorded, replicas) as running:
        assert most_on_a_node(empty, running, recorded.names[:NODES]) <= LIMIT
        assert sum(scored(running)) >= PODS * 0.95
        assert min(scored(running)) >= PODS / replicas * 0.5  # each has really answered


def test_without_the_account_of_pods_in_flight_they_herd(empty: ControlPlane, recorded: Replay) -> None:
    with fresh_replicas(recorded, 1, SWITCHED_OFF) as running:
        assert most_on_a_node(empty, running, recorded.names[:NODES]) > LIMIT
