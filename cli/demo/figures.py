"""The demo's figures, from what was placed and what was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from berth.decisions.record import Decision
from cli.demo.records import is_cold, scored_by_all
from cli.demo.scheduler import Counts, Placed

PERCENTILES = (50, 90, 99)
Figures = dict[str, dict[str, dict[str, float | None]]]


@dataclass(frozen=True)
class Phase:
    """Pods sent under the same circumstances. fallbacks: counted answers by step."""

    title: str
    placed: Sequence[Placed]
    records: dict[str, Decision]
    fallbacks: dict[str, int]

    def record(self, placed: Placed) -> Decision | None:
        """A pod's record."""
        return self.records.get(placed.pod.uid)

    @property
    def scored_share(self) -> float:
        """Pods answered with scores of all three models, of all pods."""
        return share(sum(scored_by_all(self.record(placed)) for placed in self.placed), len(self.placed))

    @property
    def differs_share(self) -> float:
        """Pods that went where kube-scheduler's own scoring would not have sent them."""
        return share(sum(placed.differs for placed in self.placed), len(self.placed))


def share(part: int, whole: int) -> float:
    """0 where there is nothing to divide."""
    return round(part / whole, 4) if whole else 0.0


def latency(phase: Phase) -> Figures:
    """p50, p90, p99 in ms by 'warm' and 'cold' and by verb; None where there was no such pod. Cold: a model had to be
    asked for the pod, mostly as the first of its class. Pods without a record or with one node left are not counted."""
    split: dict[str, list[Placed]] = {"warm": [], "cold": []}
    for placed in phase.placed:
        record = phase.record(placed)
        if record is not None and placed.prioritize_ms is not None:
            split["cold" if is_cold(record) else "warm"].append(placed)
    return {name: verbs(pods) for name, pods in split.items()}


def verbs(pods: Sequence[Placed]) -> dict[str, dict[str, float | None]]:
    """Percentiles of each verb and of their sum."""
    both = np.array([(placed.filter_ms, placed.prioritize_ms or 0.0) for placed in pods]).reshape(-1, 2)
    times = {"filter": both[:, 0], "prioritize": both[:, 1], "sum": both.sum(axis=1)}
    return {
        verb: {f"p{p}": round(float(np.percentile(ms, p)), 3) if ms.size else None for p in PERCENTILES}
        for verb, ms in times.items()
    }


def summary(phases: Sequence[Phase], counts: Counts) -> dict[str, Any]:
    """What `--json` writes. Shares and latency are of the first phase, the part before the first fault; `fallbacks`
    are of the whole run."""
    steps = {step: sum(phase.fallbacks[step] for phase in phases) for step in phases[0].fallbacks}
    return {
        "pods": sum(len(phase.placed) for phase in phases),
        "calls": counts.calls,
        "unanswered": counts.unanswered,
        "non_200": counts.non_200,
        "differs_from_requests_share": phases[0].differs_share,
        "scored_by_all_share": phases[0].scored_share,
        "fallbacks": {step: count for step, count in steps.items() if count},
        "latency_ms": latency(phases[0]),
    }
