"""What nodes really used in the hour after a binding: read from the snapshot in which that hour has just ended."""

from __future__ import annotations

import heapq
import math
from typing import NamedTuple

from prometheus_client import Counter

from berth.cluster.snapshot import NodeSnapshot
from services.telemetry.bindings.verdict import Row

COLUMNS = {"cpu": "cpu_mean_1h", "memory": "memory_mean_1h"}
"""Snapshot columns, shares of allocatable: the twelve steps of 5 minutes that end with the running one."""
LATE = 1.0 / 6.0
"""Of an hour: a mean that is read later than that is another hour's."""
MOST = 50_000
"""Bindings whose hour is not over; of more the newest are not measured. 20 MB."""


class Awaited(NamedTuple):
    """due: unix seconds of the hour's end; row: of the binding."""

    due: float
    uid: str
    at: object
    node: str
    rejected: str | None


class Loads:
    """hour_s: seconds that an hour of the cluster takes; a recording passes faster. losses: what was given up."""

    def __init__(self, losses: Counter, hour_s: float = 3600.0, most: int = MOST) -> None:
        self.losses, self.hour_s, self.most = losses, hour_s, most
        self.awaited: list[Awaited] = []

    def add(self, row: Row) -> None:
        """A binding whose hour begins."""
        if len(self.awaited) >= self.most:
            self.losses.labels("load").inc()
            return
        due = row["at"].timestamp() + self.hour_s
        heapq.heappush(self.awaited, Awaited(due, row["pod_uid"], row["at"], row["node"], row["rejected_node"]))

    def due(self, snapshot: NodeSnapshot) -> list[Row]:
        """Rows that say the rest of bindings whose hour is over. What the snapshot does not tell is asked of the next,
        until it is too late."""
        now = snapshot.published_ms / 1000.0
        told, later = [], []
        while self.awaited and self.awaited[0].due <= now:
            one = heapq.heappop(self.awaited)
            if now - one.due >= LATE * self.hour_s:
                continue
            row = load_row(one, snapshot)
            if row["node_cpu"] is None and row["node_memory"] is None:
                later.append(one)
            else:
                told.append(row)
        for one in later:
            heapq.heappush(self.awaited, one)
        return told


def load_row(one: Awaited, snapshot: NodeSnapshot) -> Row:
    """The keys of the binding, and the means of both nodes."""
    row: Row = {"at": one.at, "pod_uid": one.uid}
    for metric, column in COLUMNS.items():
        row[f"node_{metric}"] = told_of(snapshot, one.node, column)
        row[f"rejected_{metric}"] = told_of(snapshot, one.rejected, column)
    return row


def told_of(snapshot: NodeSnapshot, node: str | None, column: str) -> float | None:
    """None where the snapshot does not say."""
    if node not in snapshot.row_of or column not in snapshot.features:
        return None
    value = float(snapshot.column(column)[snapshot.row_of[node]])
    return None if math.isnan(value) else value
