"""The runs of the latency benchmark: which case, under which load, on which mesh. `latency` says what they mean."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.client import Run, Times, drive
from benchmarks.mesh import Mesh, running, scored_share

CASES = ("warm", "cold", "new-snapshot", "model-stalled", "redis-down")
STOPPED = {"model-stalled": "placement-scorer", "redis-down": "valkey"}
NEW_CLASSES = ("cold", "model-stalled", "redis-down")
VERBS = ("filter", "prioritize", "sum")
WARM_UP = 30
"""Pods sent before a run: the first ones find connections closed and classes unknown."""
PAUSED_S = 600.0
"""Telemetry's own interval: longer than a run, so that snapshots come when the case says."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is measured. rates: pods a second beside the closed loop. calls, seconds: a run ends at the first of them.
    every_s: between the two snapshots of new-snapshot. lead_s: before the first of them, and after the last."""

    nodes: tuple[int, ...]
    rates: tuple[float, ...]
    cases: tuple[str, ...]
    calls: int
    seconds: float
    every_s: float
    lead_s: float = 2.0

    @property
    def loads(self) -> tuple[float | None, ...]:
        """Closed loop first."""
        return (None, *self.rates)

    @property
    def runs(self) -> int:
        """How many runs there will be."""
        return len(self.nodes) * len(self.cases) * len(self.loads)


@dataclass(frozen=True)
class Row:
    """One line of the results."""

    case: str
    nodes: int
    rate: float | None
    verb: str
    calls: int
    non_200: int
    scored_share: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    p999_ms: float


def measure(plan: Plan, tell: Tell) -> list[Row]:
    """All runs of a plan, each size on a mesh of its own."""
    rows = []
    for nodes in plan.nodes:
        tell(f"{nodes} nodes: starting the mesh")
        with (
            tempfile.TemporaryDirectory(prefix="berth-latency-") as folder,
            fresh_client() as client,
            running(nodes, PAUSED_S, Path(folder)) as mesh,
        ):
            bench = Bench(mesh, client, plan)
            for case, rate in itertools.product(plan.cases, plan.loads):
                rows += bench.run(case, rate)
                tell(f"{nodes} nodes, {case}, {'closed loop' if rate is None else f'{rate:g}/s'}")
    return rows


@contextlib.contextmanager
def fresh_client() -> Iterator[ProcessPoolExecutor]:
    """One new interpreter for the client."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


class Bench:
    """Runs against one mesh. New classes go on from run to run, so that none is met twice."""

    def __init__(self, mesh: Mesh, client: ProcessPoolExecutor, plan: Plan) -> None:
        self.mesh, self.client, self.plan = mesh, client, plan
        self.names = tuple(mesh.nodes())
        self.number = 0
        self.next_class = 1000

    def run(self, case: str, rate: float | None) -> list[Row]:
        """One case under one load."""
        self.drive("warm", None, WARM_UP, 10.0)
        self.mesh.fresh_snapshot()
        if case == "new-snapshot":
            seconds = self.plan.every_s + 2.0 * self.plan.lead_s
            return self.measured(case, rate, 0, seconds, self.publishing())
        disturbed = self.mesh.stopped(STOPPED[case]) if case in STOPPED else contextlib.nullcontext()
        return self.measured(case, rate, self.plan.calls, self.plan.seconds, disturbed)

    def measured(
        self, case: str, rate: float | None, calls: int, seconds: float, around: contextlib.AbstractContextManager[None]
    ) -> list[Row]:
        """Rows of one run inside `around`."""
        before = self.mesh.steps()
        with around:
            times = self.drive(case, rate, calls, seconds)
            after = self.mesh.steps()
        return rows_of(case, len(self.names), rate, times, scored_share(before, after, len(times.sum)))

    def drive(self, case: str, rate: float | None, calls: int, seconds: float) -> Times:
        """Let the client send pods."""
        self.number += 1
        name, new = f"run{self.number}", case in NEW_CLASSES
        run = Run(self.mesh.port(), self.names, name, rate, calls, seconds, new, self.next_class, self.number)
        times = self.client.submit(drive, run).result()
        self.next_class += len(times.sum) if new else 0
        return times

    @contextlib.contextmanager
    def publishing(self) -> Iterator[None]:
        """Two snapshots, `every_s` apart, the first after `lead_s`."""
        first = self.plan.lead_s
        timers = [threading.Timer(after, self.mesh.publish) for after in (first, first + self.plan.every_s)]
        for timer in timers:
            timer.start()
        try:
            yield
        finally:
            for timer in timers:
                timer.join()


def rows_of(case: str, nodes: int, rate: float | None, times: Times, share: float) -> list[Row]:
    """A row for each verb."""
    rows = []
    for verb in VERBS:
        values = getattr(times, verb)
        p50, p90, p99, p999 = (round(float(p), 3) for p in np.percentile(values, (50, 90, 99, 99.9)))
        rows.append(Row(case, nodes, rate, verb, len(values), times.non_200[verb], share, p50, p90, p99, p999))
    return rows
