"""The pods of a demo, phase by phase, against one mesh."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Self

from berth.decisions.record import Decision
from berth.recordings.load import OpenbPod, openb_pods
from cli.demo.client import Client
from cli.demo.cluster import local_cluster
from cli.demo.figures import Phase
from cli.demo.records import decisions, fallbacks
from cli.demo.scheduler import Placed, Scheduler
from cli.endpoint import get_json
from cli.progress import Report, reporting

if TYPE_CHECKING:
    from rich.console import Console

READ_EVERY = 400
"""Pods between two looks at the records, which are kept for the last 1,000."""


@dataclass
class Run:
    """A scheduler on its way through the trace's default list. Pods follow one another through all phases."""

    extender: str
    scheduler: Scheduler
    trace: Iterator[OpenbPod]
    out: Console

    @classmethod
    def of(cls, extender: str, telemetry: str, out: Console) -> Self:
        """Takes the cluster's state from telemetry; both by their base URLs. Raises UnreachableError."""
        cluster = local_cluster(get_json(f"{telemetry}/replay/nodes", 30.0))
        scheduler = Scheduler(cluster, Client(extender), Client(telemetry, 30.0))
        return cls(extender, scheduler, iter(openb_pods("default")), out)

    def phase(self, title: str, pods: int) -> Phase:
        """Sends `pods` pods that fit somewhere, then reads what was recorded. Raises UnreachableError."""
        before = fallbacks(self.extender)
        placed: list[Placed] = []
        records: dict[str, Decision] = {}
        arriving = self.scheduler.run(self.trace)
        with reporting(self.out) as report:
            while batch := list(self._batch(arriving, title, len(placed), pods, report)):
                placed += batch
                records |= decisions(self.extender, {one.pod.uid for one in batch})
        after = fallbacks(self.extender)
        return Phase(title, placed, records, {step: count - before.get(step, 0) for step, count in after.items()})

    def _batch(self, arriving: Iterator[Placed], title: str, done: int, pods: int, report: Report) -> Iterator[Placed]:
        for placed in islice(arriving, min(READ_EVERY, pods - done)):
            done += 1
            report(title, done / pods)
            yield placed
