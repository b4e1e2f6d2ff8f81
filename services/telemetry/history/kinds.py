"""Kinds of rows that history keeps, each with its columns and what tells two rows apart."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class Kind:
    """Rows with the same values of `keys` are one row, told more than once. Every kind has `at`, UTC."""

    name: str
    schema: pa.Schema
    keys: tuple[str, ...]

    @property
    def values(self) -> tuple[str, ...]:
        """Columns that are no keys."""
        return tuple(name for name in self.schema.names if name not in self.keys)


AT = pa.field("at", pa.timestamp("ms", tz="UTC"), nullable=False)

NAME = pa.dictionary(pa.int32(), pa.string())
"""A text of which there are few."""

USAGE = Kind(
    "usage",
    pa.schema(
        [
            AT,
            pa.field("node", NAME, nullable=False),
            pa.field("metric", NAME, nullable=False),
            pa.field("told_by", NAME, nullable=False),
            pa.field("value", pa.float32()),
        ]
    ),
    ("node", "metric", "told_by", "at"),
)
"""Values as they were told: cores, bytes, and bytes a second twice. told_by: the labels of the series. What nobody told
has no row."""
CAPACITY = {"cpu": "cpu_capacity", "memory": "memory_capacity"}
"""Metrics that say what a node has, in cores and bytes, told by the API server every few minutes: the node is there."""

INCIDENTS = Kind(
    "incidents",
    pa.schema(
        [
            AT,
            pa.field("node", pa.string(), nullable=False),
            pa.field("kind", pa.string(), nullable=False),
            pa.field("subject", pa.string(), nullable=False),
            pa.field("until", pa.timestamp("ms", tz="UTC")),
            pa.field("details", pa.string()),
        ]
    ),
    ("node", "kind", "subject", "at"),
)
"""What happened to nodes. Written when it begins and again when it has ended: `until` is null in the first."""

SIGNALS = Kind(
    "signals",
    pa.schema(
        [
            AT,
            pa.field("node", pa.string(), nullable=False),
            pa.field("signal", pa.string(), nullable=False),
            pa.field("value", pa.float32()),
        ]
    ),
    ("node", "signal", "at"),
)
"""Newest values of what is no usage, every 5 minutes; what nobody told has no row."""

BINDINGS = Kind(
    "bindings",
    pa.schema(
        [
            AT,
            pa.field("pod_uid", pa.string(), nullable=False),
            *(pa.field(name, pa.string()) for name in ("pod_namespace", "pod_name", "node")),
            pa.field("decided_at", AT.type),
            *(pa.field(name, pa.string()) for name in ("mode", "neutral_reason", "fallback", "best_node")),
            pa.field("best_score", pa.int32()),
            pa.field("best_total", pa.float64()),
            pa.field("agreed", pa.bool_()),
            pa.field("rank", pa.int32()),
            pa.field("regret", pa.float64()),
            pa.field("regret_at_least", pa.bool_()),
            pa.field("rejected_node", pa.string()),
            pa.field("decision", pa.string()),
            *(pa.field(name, pa.float32()) for name in ("node_cpu", "node_memory", "rejected_cpu", "rejected_memory")),
        ]
    ),
    ("at", "pod_uid"),
)
"""Pods bound `at`, each with the decision that went before: the node it really has, the node that the record put first
with its score and total, whether they are one, the node's rank among those the record keeps (1 is the best), and the
regret: the best total minus its own, or at least that much where the record does not keep it. rejected_node: the best
kept one that the pod does not have. The last four, shares of allocatable, are the mean of the hour after the binding:
a second row says them when it is over. `decision` is the record, JSON."""

KINDS = (USAGE, INCIDENTS, SIGNALS, BINDINGS)
