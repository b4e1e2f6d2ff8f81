"""What happened to a node, and as rows of INCIDENTS."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pyarrow as pa

from services.telemetry.history.kinds import INCIDENTS

Key = tuple[str, str, str, float]


class Incident(NamedTuple):
    """at, until: whole unix seconds; until None while it lasts, `at` for what has no length. kind: 'not-ready',
    'pressure', 'saturation', 'eviction' or 'oom-kill'. subject: what of the node: a condition, a metric, a pod, a
    container; '' for the node itself. details: JSON of an object."""

    at: float
    node: str
    kind: str
    subject: str = ""
    until: float | None = None
    details: str = "{}"

    @property
    def key(self) -> Key:
        """Tells it from all others."""
        return (self.node, self.kind, self.subject, self.at)

    @property
    def what(self) -> tuple[str, str, str]:
        """Of which only one can last at a time."""
        return (self.node, self.kind, self.subject)

    def shown(self) -> dict[str, Any]:
        """As JSON for people and scripts."""
        return {
            "at": moment(self.at).isoformat(),
            "node": self.node,
            "kind": self.kind,
            "subject": self.subject,
            "until": None if self.until is None else moment(self.until).isoformat(),
            "details": json.loads(self.details),
        }


def incident_rows(incidents: Sequence[Incident]) -> pa.Table:
    """Rows of INCIDENTS."""
    told = {name: [getattr(one, name) for one in incidents] for name in Incident._fields}
    for name in ("at", "until"):
        told[name] = [None if at is None else moment(at) for at in told[name]]
    return pa.table({name: pa.array(told[name], INCIDENTS.schema.field(name).type) for name in INCIDENTS.schema.names})


def incidents_in(rows: pa.Table) -> list[Incident]:
    """The same back."""
    found = rows.select(list(Incident._fields)).to_pylist()
    return [
        Incident(**{**row, "at": row["at"].timestamp(), "until": row["until"] and row["until"].timestamp()})
        for row in found
    ]


def moment(at: float) -> datetime:
    """Of unix seconds."""
    return datetime.fromtimestamp(at, UTC)
