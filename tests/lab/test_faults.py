"""Whatever breaks in a stream of pods, kube-scheduler binds every pod, once, and is soon at its usual pace again."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import pytest

from benchmarks import machine
from cli.backoff import Backoff
from cli.readiness import missing
from cli.supervisor import Mesh
from tests.calls import MODELS, Replay
from tests.lab.berth import berth, extender_url, url_at
from tests.lab.control_plane import ControlPlane
from tests.lab.objects import Object, node, pod
from tests.lab.scheduler import Scheduler, example
from tests.lab.stream import RUNS, Fault, Run, Stream, keep
from tests.lab.tampering import MODES, Tampering

NODES = 200
ENDED_S = 10.0
"""An extender that hangs is gone after this."""
SICK = 0.05
"""Share of the pods that go through a fault which a test heals; at 0.4 s a pod of a hang."""
OPTED_IN = {"berth.dev/scoring": "true"}

pytestmark = pytest.mark.timeout(900)


SHORT, FULL = 150, pytest.param(1000, marks=pytest.mark.long)
ALSO_SHORT = ("slow by 2 s", "black hole", "answers 500", "placement-scorer", "valkey")
"""Of faults that are alike, those that strike in the short form too."""


def lengths(faults: Sequence[str]) -> list[object]:
    """Pairs of fault and pods: each at full length, those of ALSO_SHORT also in the short form."""
    long = [pytest.param(fault, *FULL.values, marks=FULL.marks) for fault in faults]
    return [*((fault, SHORT) for fault in faults if fault in ALSO_SHORT), *long]


@pytest.fixture(params=[SHORT, FULL])
def pods(request: pytest.FixtureRequest) -> int:
    """Pods of a stream."""
    return int(request.param)


@pytest.fixture(scope="module")
def faulty(second_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    """Berth as `berth up` keeps it, for this module to break, over nodes with room for all."""
    described = machine.describe()
    with berth(tmp_path_factory.mktemp("faulty"), NODES, restart=True, prepare=can_hang) as replay:
        second_plane.create(node(name, cpu="1000", memory="4000Gi", pods=1000) for name in replay.names)
        yield replay
        second_plane.delete_pods()
        second_plane.delete_nodes()
    keep(RUNS, described)


def can_hang(mesh: Mesh) -> None:
    """Give the extender a way to hang on command."""
    process = mesh.processes["extender"]
    mesh.processes["extender"] = replace(process, command=(sys.executable, "-P", "-m", "tests.lab.hanging"))


@pytest.fixture(scope="module")
def straight(second_plane: ControlPlane, faulty: Replay) -> Iterator[Stream]:
    """Pods for a kube-scheduler that calls the extender."""
    with Scheduler(second_plane, example("second-scheduler", extender_url(faulty))) as scheduler:
        yield Stream(second_plane, scheduler, pod)


@pytest.fixture(scope="module")
def tampering(faulty: Replay) -> Iterator[Tampering]:
    """What spoils answers."""
    with Tampering(faulty.port) as running:
        yield running


@pytest.fixture(scope="module")
def spoiled(second_plane: ControlPlane, tampering: Tampering) -> Iterator[Stream]:
    """Pods for a kube-scheduler whose extender's answers are spoiled on their way."""
    config = example("second-scheduler", url_at(tampering.port))
    config["profiles"] = [{"schedulerName": "spoiled"}]
    with Scheduler(second_plane, config, name="spoiled") as scheduler:
        yield Stream(second_plane, scheduler, opted_in)


def opted_in(name: str) -> Object:
    """A pod for the other kube-scheduler that Berth scores too."""
    return pod(name, scheduler="spoiled", meta={"labels": OPTED_IN})


@pytest.fixture(autouse=True)
def in_health(second_plane: ControlPlane, faulty: Replay) -> Iterator[None]:
    """Each fault strikes a healthy mesh that lacks nothing, and the pods of the one before are gone."""
    faulty.mesh.backoffs |= {name: Backoff() for name in faulty.mesh.backoffs}  # not slower for what came before
    faulty.mesh.wait_ready()
    faulty.caller.close()
    faulty.publish()
    yield
    second_plane.delete_pods()


def lacks_nothing(faulty: Replay) -> Callable[[], bool]:
    """Whether every process runs and is ready."""
    return lambda: not missing(faulty.mesh.plan.processes)


def barely_failed(failed: int, pods: int) -> bool:
    """Where nothing fails by itself, calls are late now and then on a busy machine: 200 ms are little."""
    return failed <= 0.05 * pods


def test_in_health(faulty: Replay, straight: Stream, pods: int) -> None:
    run = straight.run("in health", pods, Fault(bool))
    assert barely_failed(run.failed_filter + run.failed_prioritize, pods)


def test_the_extender_is_killed(faulty: Replay, straight: Stream, pods: int) -> None:
    kill = partial(faulty.mesh.kill, "extender")
    assert_gone_and_back(straight.run("extender killed", pods, Fault(kill, recovered=lacks_nothing(faulty))))


def test_the_extender_restarts(faulty: Replay, straight: Stream, pods: int) -> None:
    restart = partial(faulty.mesh.restart, "extender")
    assert_gone_and_back(straight.run("extender restarted", pods, Fault(restart, recovered=lacks_nothing(faulty))))


def assert_gone_and_back(run: Run) -> None:
    """Calls failed, at no cost, and do so no longer."""
    assert run.failed_filter > 0  # the fault did strike
    assert run.longest_s < 1.0  # a refused connection costs nothing
    assert barely_failed(run.failed_after, run.pods)


def test_the_extender_is_stopped(faulty: Replay, straight: Stream, pods: int) -> None:
    assert_ended(faulty, straight, "extender stopped (SIGSTOP)", signal.SIGSTOP, pods)


def test_the_extender_s_event_loop_hangs(faulty: Replay, straight: Stream, pods: int) -> None:
    run = assert_ended(faulty, straight, "event loop hangs", signal.SIGUSR1, pods)
    assert run.slow_s < 6.0  # its own watchdog is quicker than who asks from outside


def assert_ended(faulty: Replay, straight: Stream, case: str, number: signal.Signals, pods: int) -> Run:
    """The hung extender is ended in time by whoever has to; until then each pod costs two timeouts."""
    before = faulty.mesh.pid("extender")
    fault = Fault(partial(faulty.mesh.signal, "extender", number), recovered=lacks_nothing(faulty))
    run = straight.run(case, pods, fault)
    assert faulty.mesh.pid("extender") != before
    assert run.slow_s < ENDED_S
    assert_gone_and_back(run)
    return run


@pytest.mark.parametrize(("mode", "pods"), lengths(MODES[1:]), indirect=["pods"])
def test_answers_are_spoiled(tampering: Tampering, spoiled: Stream, mode: str, pods: int) -> None:
    turn = partial(tampering.turn, mode)
    fault = Fault(turn, lambda: tampering.met, int(SICK * pods), partial(tampering.turn, "pass"))
    assert_gone_and_back(spoiled.run(mode, pods, fault))


@pytest.mark.parametrize(("name", "pods"), lengths([*MODELS, "valkey"]), indirect=["pods"])
def test_something_behind_the_extender_is_killed(faulty: Replay, straight: Stream, name: str, pods: int) -> None:
    before = faulty.mesh.pid(name)
    fault = Fault(partial(faulty.mesh.kill, name), recovered=lacks_nothing(faulty))
    run = straight.run(f"{name} killed", pods, fault)
    assert faulty.mesh.pid(name) != before
    assert barely_failed(run.failed_filter + run.failed_prioritize + run.failed_after, pods)
    assert run.longest_s < 1.0
