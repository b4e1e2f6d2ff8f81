"""A stream of pods with a fault in its middle, and what it cost."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import count, pairwise
from pathlib import Path

from tests.calls import until
from tests.lab.binds import Bind, Binds
from tests.lab.control_plane import ControlPlane
from tests.lab.objects import Object
from tests.lab.scheduler import Scheduler

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "lab-faults.json"
SLOW_S = 0.15
"""A pause between two bindings that no healthy cluster makes here; a call that is given up costs 0.2 s."""
NAMES = count()


@dataclass(frozen=True)
class Run:
    """pods_s: of the first two thirds, with the fault among them. slow_s: from the fault until bindings came at the
    usual pace again. failed_*: calls of the extender that kube-scheduler passed over. *_after: of the last third, after
    recovery."""

    case: str
    pods: int
    pods_s: float
    slow_s: float
    longest_s: float
    failed_filter: int
    failed_prioritize: int
    pods_s_after: float
    failed_after: int


RUNS: list[Run] = []
"""Of the session, for the table at its end."""


@dataclass(frozen=True)
class Fault:
    """How something breaks. met: whether it has struck a call. heal: called when `sick` more pods were bound after
    that. recovered: whether all is well again."""

    strike: Callable[[], object]
    met: Callable[[], object] = lambda: True
    sick: int = 0
    heal: Callable[[], object] = bool
    recovered: Callable[[], object] = lambda: True


@dataclass(frozen=True)
class Stream:
    """Where pods go through. make: a pod by its name."""

    plane: ControlPlane
    scheduler: Scheduler
    make: Callable[[str], Object]

    def run(self, case: str, pods: int, fault: Fault) -> Run:
        """Two thirds of the pods at once with the fault in their middle; the others after recovery. Fails where a pod
        is lost or bound twice."""
        third, before = pods // 3, self.failed()
        with Binds(self.plane) as binds:
            first = self.create(2 * third)
            binds.wait(third)
            fault.strike()
            struck = time.time()
            until(fault.met, 30.0)  # the watch is behind: what it tells now may have been bound before
            binds.wait(min(len(binds.seen) + fault.sick, 2 * third), 120.0)
            fault.heal()
            seen = binds.wait(2 * third, 120.0)
            during = self.failed()
            until(fault.recovered, 30.0)
            second = self.create(third)
            last = binds.wait(3 * third, 120.0)[2 * third :]
            assert binds.node_of.keys() == {*first, *second}
        made = measured(case, seen, struck, last, during - before, self.failed() - during)
        RUNS.append(made)
        return made

    def failed(self) -> Counter[str]:
        """Failed calls of the extender so far, by verb."""
        return Counter(self.scheduler.failed_calls())

    def create(self, pods: int) -> list[str]:
        """New pods."""
        names = [f"stream-{next(NAMES)}" for _ in range(pods)]
        self.plane.create(self.make(name) for name in names)
        return names


def measured(
    case: str, seen: list[Bind], struck: float, last: list[Bind], failed: Counter[str], after: Counter[str]
) -> Run:
    """What the times of the bindings say."""
    times = sorted(bind.at for bind in seen)
    pauses = [(later - earlier, later) for earlier, later in pairwise(times)]
    slow = [later - struck for pause, later in pauses if later > struck and pause > SLOW_S]
    return Run(
        case,
        len(seen) + len(last),
        pace(seen),
        slow_s=max(slow, default=0.0),
        longest_s=max(pause for pause, _ in pauses),
        failed_filter=failed["filter"],
        failed_prioritize=failed["prioritize"],
        pods_s_after=pace(last),
        failed_after=after.total(),
    )


def pace(seen: list[Bind]) -> float:
    """Pods a second."""
    times = [bind.at for bind in seen]
    return (len(times) - 1) / (max(times) - min(times))


def table(runs: list[Run]) -> Iterator[str]:
    """Lines for people."""
    yield f"{'':34} {'':>5} {'':>7} {'slow':>7} {'longest':>7} {'failed calls:':>20}  {'after recovery':>14}"
    yield f"{'case':34} {'pods':>5} {'pods/s':>7} {'for':>7} {'pause':>7} {'by verb':>20}  {'pods/s':>7} {'failed':>6}"
    for run in runs:
        failed = f"{run.failed_filter}, {run.failed_prioritize}"
        yield (
            f"{run.case:34} {run.pods:5} {run.pods_s:7.1f} {run.slow_s:5.1f} s {run.longest_s:5.2f} s {failed:>20}  "
            f"{run.pods_s_after:7.1f} {run.failed_after:6}"
        )


def keep(runs: list[Run], described: dict[str, object]) -> None:
    """Write the long form's runs, and the machine as it was before them, where BERTH_RESULTS is set."""
    long = [asdict(run) for run in runs if run.pods >= 900]
    if long and os.environ.get("BERTH_RESULTS"):
        text = json.dumps({"machine": described, "runs": long}, indent=1)
        RESULTS.write_text(text + "\n", "utf-8")
