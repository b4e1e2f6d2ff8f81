"""How often pods are bound where Berth would have put them, and what became of the nodes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from services.telemetry.bindings.keeper import table_of
from services.telemetry.bindings.lookup import HOUR, hours_since
from services.telemetry.bindings.verdict import Row
from services.telemetry.history.kinds import BINDINGS, Kind
from services.telemetry.history.once import once
from services.telemetry.history.store import HistoryStore, hours_of, rows_of

METRICS = ("cpu", "memory")
LOADS = tuple(f"{which}_{metric}" for which in ("node", "rejected") for metric in METRICS)
COLUMNS = ("at", "pod_uid", "node", "mode", "agreed", "regret", "regret_at_least", *LOADS)
COUNTED = Kind("bindings", pa.schema([BINDINGS.schema.field(name) for name in COLUMNS]), BINDINGS.keys)
"""What is summed up: without the records, which are most of a row."""


class Tally:
    """Sums over bindings."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = defaultdict(float)

    def add(self, rows: pa.Table) -> None:
        """Bindings, each once."""
        self.sums["bindings"] += rows.num_rows
        self._add("agreed", rows["agreed"].cast(pa.int64()))
        exact = rows.filter(pc.invert(rows["regret_at_least"]))
        self._add("regret", exact["regret"])
        self._add("regret_or_more", rows["regret"])
        for metric in METRICS:
            both = rows.filter(pc.and_(rows[f"node_{metric}"].is_valid(), rows[f"rejected_{metric}"].is_valid()))
            for which in ("node", "rejected"):
                self._add(f"{which}_{metric}", both[f"{which}_{metric}"])

    def _add(self, name: str, values: pa.ChunkedArray) -> None:
        self.sums[name] += pc.sum(values).as_py() or 0.0
        self.sums[f"{name}_of"] += pc.count(values).as_py()

    def mean(self, name: str) -> float | None:
        """None over nothing."""
        over = self.sums[f"{name}_of"]
        return round(self.sums[name] / over, 6) if over else None

    def answer(self) -> dict[str, Any]:
        """For people and scripts; each mean beside the number of pods that it is over."""
        return {
            "bindings": int(self.sums["bindings"]),
            "scored": int(self.sums["agreed_of"]),
            "agreed": int(self.sums["agreed"]),
            "agreement": self.mean("agreed"),
            "regret": {"mean": self.mean("regret"), "pods": int(self.sums["regret_of"])},
            "regret_at_least": {"mean": self.mean("regret_or_more"), "pods": int(self.sums["regret_or_more_of"])},
            "load": {metric: self.load(metric) for metric in METRICS},
        }

    def load(self, metric: str) -> dict[str, Any]:
        """Means of the hour after, shares of allocatable, over pods of which both nodes' are known."""
        pods = int(self.sums[f"node_{metric}_of"])
        return {"node": self.mean(f"node_{metric}"), "rejected": self.mean(f"rejected_{metric}"), "pods": pods}


def agreement(store: HistoryStore, since: datetime, waiting: Sequence[Row]) -> dict[str, Any]:
    """Of pods bound since then, together and by mode: an hour's rows are in memory at a time. waiting: rows that are
    not written yet. Blocking; raises HistoryError."""
    whole, modes = Tally(), defaultdict[str, Tally](Tally)
    fresh = table_of(list(waiting)).select(COLUMNS)
    hours = {hour.start: hour for hour in hours_since(store, since)}
    for start in sorted({*hours, *(hour for hour in hours_of(fresh) if hour + HOUR > since)}):
        written = [hours[start].read(COLUMNS)] if start in hours else []
        rows = once(pa.concat_tables([*written, rows_of(fresh, start)]), COUNTED)
        rows = rows.filter(pc.and_(rows["node"].is_valid(), pc.greater_equal(rows["at"], since)))
        whole.add(rows)
        for mode in pc.unique(rows["mode"]).to_pylist():
            modes[mode].add(rows.filter(pc.equal(rows["mode"], mode)))
    return whole.answer() | {"modes": {mode: tally.answer() for mode, tally in sorted(modes.items())}}
