"""Several replicas behind a balancer answer for each other, and are replaced one by one without a failed call."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from cli.ports import free_ports
from cli.supervisor import Mesh
from tests.calls import Replay
from tests.extender.replica import Replica, replica
from tests.lab.berth import balancer, fresh_replicas, url_at
from tests.lab.binds import Binds
from tests.lab.control_plane import ControlPlane
from tests.lab.objects import node, pod
from tests.lab.scheduler import Config, Scheduler, example, patient, scores_alone

DRAIN = {"SERVER__DRAIN_S": "1.0"}
EVERY_S = 0.2
NONE_FAILED = {"filter": 0, "prioritize": 0}


def configured(port: int) -> Config:
    """Berth alone scores."""
    return patient(scores_alone(example("second-scheduler", url_at(port))))


@pytest.fixture
def names(empty: ControlPlane, recorded: Replay) -> list[str]:
    """Of nodes with room for all."""
    empty.create(node(name, cpu="1000", memory="4000Gi", pods=1000) for name in recorded.names[:100])
    return recorded.names[:100]


def answers(running: Replica, verb: str) -> float:
    """Calls of a verb that this replica has answered well."""
    return running.caller.metrics("berth_answers_total").get(("200", verb), 0.0)


@pytest.mark.parametrize("count", [2, 3])
def test_the_verbs_of_one_pod_reach_different_replicas(
    empty: ControlPlane, recorded: Replay, names: list[str], count: int
) -> None:
    pods = 60
    with (
        fresh_replicas(recorded, count) as replicas,
        balancer(empty, [running.port for running in replicas], "--each-request") as (port, process),
        Scheduler(empty, configured(port)) as scheduler,
        Binds(empty) as binds,
    ):
        empty.create(pod(f"spread-{i}") for i in range(pods))
        binds.wait(pods)
        assert scheduler.failed_calls() == NONE_FAILED
        assert "failed" not in process.log.read_text("utf-8")
        for verb in ("filter", "prioritize"):
            assert sum(answers(running, verb) for running in replicas) == pods
        assert sum(scored(running) for running in replicas) == 2 * pods  # prioritize never found filter's memo
        assert all(scored(running) > 0 for running in replicas)
        assert len(set(binds.node_of.values())) > pods / 4  # scores came, and placements were known to the others


def scored(running: Replica) -> float:
    """Calls that this replica has worked scores out for."""
    return running.caller.metrics("berth_pods_total").get(("active", "scored"), 0.0)


class Load:
    """A thread that creates pods at a steady pace until it is stopped."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane, self.created, self.ending = plane, 0, threading.Event()
        self.thread = threading.Thread(target=self.run, name="load", daemon=True)

    def run(self) -> None:
        """Ten pods every now and then."""
        while not self.ending.wait(EVERY_S):
            self.plane.create(pod(f"rolling-{self.created + i}") for i in range(10))
            self.created += 10

    def __enter__(self) -> Load:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        self.thread.join(30.0)


class Rolling:
    """Replicas on ports that stay, each replaced by a new process in turn."""

    def __init__(self, mesh: Mesh, count: int) -> None:
        self.mesh, self.ports = mesh, free_ports(count)
        self.running: list[ExitStack] = [ExitStack() for _ in self.ports]
        self.replicas: list[Replica | None] = [None] * count

    def start(self, i: int) -> None:
        """Returns when it is ready."""
        settings = {**DRAIN, "SERVER__PORT": str(self.ports[i])}
        self.replicas[i] = self.running[i].enter_context(replica(self.mesh, settings))

    def replace(self, i: int) -> None:
        """SIGTERM, and another once it is gone."""
        replaced = self.replicas[i]
        assert replaced is not None
        replaced.process.send_signal(signal.SIGTERM)
        replaced.process.wait(12.0)
        self.running[i].close()
        self.start(i)

    def close(self) -> None:
        """End all."""
        for one in self.running:
            one.close()


@pytest.fixture
def rolling(recorded: Replay) -> Iterator[Rolling]:
    """Two replicas."""
    recorded.publish()
    made = Rolling(recorded.mesh, 2)
    try:
        for i in range(2):
            made.start(i)
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("spread", [pytest.param("connections", marks=pytest.mark.long), "requests"])
def test_a_rolling_restart_fails_no_call(empty: ControlPlane, rolling: Rolling, names: list[str], spread: str) -> None:
    flags = ["--each-request"] if spread == "requests" else []
    with (
        balancer(empty, rolling.ports, *flags) as (port, process),
        Scheduler(empty, configured(port)) as scheduler,
        Binds(empty) as binds,
    ):
        with Load(empty) as load:
            for i in range(2):
                rolling.replace(i)
        binds.wait(load.created)
        assert load.created > 100
        assert scheduler.failed_calls() == NONE_FAILED
        assert "failed" not in process.log.read_text("utf-8")
        assert len(binds.node_of) == load.created
