"""Decisions, bindings and snapshots for tests of what joins them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from prometheus_client import CollectorRegistry, Counter

from berth.cluster.snapshot import NodeSnapshot
from berth.decisions.record import Decision, ScoredNode, encode
from services.telemetry.bindings.join import Join
from services.telemetry.bindings.verdict import Bound, Row, row_of

AT = 1795000000.0
"""Unix seconds of what is bound here, a full second: the API server tells no parts of one."""
TOTALS = {"a": 0.9, "b": 0.75, "c": 0.5}


def decision(
    uid: str = "u", decided: float = AT, totals: Mapping[str, float] = TOTALS, nodes: int = 50, mode: str = "active"
) -> Decision:
    """Of a pod; totals: the best nodes that the record keeps, best first."""
    top = [ScoredNode(node, total, 10 - rank) for rank, (node, total) in enumerate(totals.items())]
    return Decision(uid, "default", f"name-{uid}", int(decided * 1000.0), "filter", mode, "r", nodes, top=top)


def bound(uid: str = "u", node: str = "a", at: float = AT, namespace: str = "default") -> Bound:
    """A pod bound to a node."""
    return Bound(uid, namespace, f"name-{uid}", node, at)


def row(uid: str = "u", node: str = "a", at: float = AT, **more: object) -> Row:
    """What is kept of it. more: of its decision, or columns."""
    columns = {name: more.pop(name) for name in list(more) if name not in ("totals", "nodes", "mode")}
    made = decision(uid, at, **more)  # type: ignore[arg-type]
    return row_of(bound(uid, node, at), made, encode(made).decode()) | columns


def snapshot(at: float, cpu: Mapping[str, float], memory: float = 0.5, version: int = 1) -> NodeSnapshot:
    """Published `at`, with the mean CPU of the hour before; NaN is missing."""
    matrix = np.array([[value, math.nan if math.isnan(value) else memory] for value in cpu.values()], dtype=np.float32)
    return NodeSnapshot(version, int(at * 1000.0), tuple(cpu), ("cpu_mean_1h", "memory_mean_1h"), matrix)


@dataclass
class Counted:
    """Both counters of a join, and what they say."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self.bindings = Counter("bindings", "of a test", ["outcome"], registry=self.registry)
        self.losses = Counter("losses", "of a test", ["what"], registry=self.registry)

    def join(self, **bounds: int) -> Join:
        """A join that counts here."""
        return Join(self.bindings, self.losses, **bounds)

    def value(self, name: str, label: str) -> float:
        """0 for what was never counted."""
        labels = {"bindings": "outcome", "losses": "what"}
        return self.registry.get_sample_value(f"{name}_total", {labels[name]: label}) or 0.0
