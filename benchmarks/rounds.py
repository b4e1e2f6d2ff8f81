"""One round of the throughput benchmark: pods wait, kube-scheduler starts, bindings are watched."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from benchmarks import rival
from benchmarks.mesh import running, scored_share
from benchmarks.setups import PROFILE, Setup, Stage
from tests.lab.binds import Bind, Binds
from tests.lab.build import binary
from tests.lab.control_plane import AS_RELEASED, ControlPlane
from tests.lab.objects import pod, recorded_node
from tests.lab.scheduler import Scheduler

PAUSED_S = 600.0
"""Telemetry's own interval: snapshots come when a setup says."""
ROUND_S = 300.0
FIRST_PODS = 1000
"""Bound before the first round of a size: an API server that has just taken thousands of nodes is busy for a while."""
ONE_CORE = "-one-core"

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is measured: every setup once a round, in turn."""

    nodes: tuple[int, ...]
    setups: tuple[str, ...]
    rounds: int
    pods: int
    one_core: bool

    @property
    def steps(self) -> int:
        """How many measurements there will be."""
        return len(self.nodes) * self.rounds * len(self.setups)


@dataclass(frozen=True)
class Row:
    """One line of the results. scored_share and extender_cpu_s are null where no extender, or one without models, is
    asked."""

    nodes: int
    setup: str
    round: int
    pods: int
    scored_share: float | None
    pods_per_s: float
    attempt_p99_ms: float
    extender_cpu_s: float | None


def measure(plan: Plan, folder: Path, tell: Tell) -> Iterator[Row]:
    """Rows as they are measured, each size on a control plane and a mesh of its own."""
    program = binary()
    if rival.SETUP in plan.setups:
        rival.program()  # built before anything is measured
    for nodes in plan.nodes:
        tell(f"{nodes} nodes: starting")
        with ExitStack() as stack:
            mesh = stack.enter_context(running(nodes, PAUSED_S, folder / f"mesh-{nodes}"))
            plane = stack.enter_context(ControlPlane(program, folder / f"plane-{nodes}", environment=AS_RELEASED))
            plane.create(recorded_node(row) for row in mesh.rows())
            stage = Stage(plane, mesh, stack, folder)
            bind_all(stage, stage.setup("default"), FIRST_PODS, "first", plan.one_core)
            for number in range(plan.rounds):
                for name in turned(plan.setups, number):
                    row = one(stage, name, plan, number + 1, nodes)
                    tell(f"{nodes} nodes, round {number + 1}, {row.setup}: {row.pods_per_s:.0f} pods/s")
                    yield row


def turned(setups: Sequence[str], number: int) -> Sequence[str]:
    """Each round starts with another setup, so that none always follows the same one."""
    start = number % len(setups)
    return [*setups[start:], *setups[:start]]


def one(stage: Stage, name: str, plan: Plan, number: int, nodes: int) -> Row:
    """One setup in one round."""
    setup = stage.setup(name)
    with stage.in_mode(setup):
        before = stage.mesh.steps()
        cpu = cpu_s(setup.extender)
        binds, p99 = bind_all(stage, setup, plan.pods, f"r{number}", plan.one_core)
        used = None if cpu is None else round((cpu_s(setup.extender) or 0.0) - cpu, 3)
        share = scored_share(before, stage.mesh.steps(), plan.pods) if setup.mode else None
    label = name + ONE_CORE if plan.one_core else name
    return Row(nodes, label, number, plan.pods, share, round(rate(binds), 2), round(p99, 2), used)


def bind_all(stage: Stage, setup: Setup, pods: int, prefix: str, one_core: bool) -> tuple[list[Bind], float]:
    """The pods exist before kube-scheduler starts. Returns their bindings and the p99 of an attempt, ms."""
    plane = stage.plane
    plane.create(pod(f"{prefix}-{i}", scheduler=PROFILE) for i in range(pods))
    with Binds(plane) as binds:
        scheduler = Scheduler(plane, setup.config, program=setup.program, gates=setup.gates)
        try:
            if one_core:
                hold(stage, setup, scheduler)
            with scheduler:
                seen = binds.wait(pods, ROUND_S)
                p99 = scheduler.attempt_p99_ms()
        finally:
            scheduler.close()
    plane.delete_pods()
    return seen, p99


def rate(binds: Sequence[Bind]) -> float:
    """Pods a second between the 10th and the 90th percentile of the times of binding."""
    at = np.sort([bind.at for bind in binds])
    low, high = int(0.1 * (len(at) - 1)), int(0.9 * (len(at) - 1))
    return float((high - low) / (at[high] - at[low]))


def cpu_s(process: psutil.Process | None) -> float | None:
    """Processor time that a process has used, s."""
    if process is None:
        return None
    times = process.cpu_times()
    return float(times.user + times.system)


def hold(stage: Stage, setup: Setup, scheduler: Scheduler) -> None:
    """Everything that belongs to the extender on the last core, the control plane on the first."""
    cores = sorted(os.sched_getaffinity(0))
    own = [int(part["pid"]) for part in stage.mesh.processes.values() if isinstance(part, dict)]
    own += [setup.extender.pid] if setup.extender else []
    for pid in own:
        pin(pid, cores[-1])
    for pid in [*stage.plane.pids, scheduler.process.pid]:
        pin(pid, cores[0])


def pin(pid: int, core: int) -> None:
    """All threads of a process; those it starts later follow the one that starts them."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(task.name), {core})
