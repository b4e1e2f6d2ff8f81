"""What is wrong with a history, and how much of it is there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Fault = Literal["gap", "duplicate", "out-of-range", "stuck", "label-churn"]
FAULTS: dict[Fault, str] = {
    "gap": "no value, though the node was there before and after",
    "duplicate": "two series tell one metric of a node at the same time",
    "out-of-range": "below zero, no number, or more than the node has",
    "stuck": "a value that does not change, of a sensor that otherwise does",
    "label-churn": "another series tells the metric from here on",
}


@dataclass(frozen=True, order=True)
class Finding:
    """first, last: unix seconds of the first and the last step that it is about."""

    node: str
    metric: str
    fault: Fault
    first: int
    last: int
    details: str = ""


@dataclass(frozen=True)
class Coverage:
    """Steps with a value that can be, of those between the node's first and last word."""

    node: str
    metric: str
    known: int
    expected: int

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.known / self.expected if self.expected else 0.0


@dataclass(frozen=True)
class Quality:
    """first, last: unix seconds of what was looked at. alerts: coverages below `demanded`."""

    first: int
    last: int
    step_s: int
    demanded: float
    coverage: list[Coverage]
    findings: list[Finding]

    @property
    def alerts(self) -> list[Coverage]:
        """The worst first."""
        return sorted((one for one in self.coverage if one.share < self.demanded), key=lambda one: one.share)


def joined(findings: Iterable[Finding], step_s: int) -> list[Finding]:
    """Sorted; those that touch are one."""
    found: list[Finding] = []
    for one in sorted(findings):
        before = found[-1] if found else None
        if before and same_kind(before, one) and one.first <= before.last + step_s:
            found[-1] = replace(before, last=max(before.last, one.last))
        else:
            found.append(one)
    return found


def same_kind(one: Finding, other: Finding) -> bool:
    """Whether they may be parts of one; each change of labels stands for itself."""
    return one.fault != "label-churn" and (one.node, one.metric, one.fault) == (other.node, other.metric, other.fault)
