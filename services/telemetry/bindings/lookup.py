"""Reads rows of bindings from history: of one pod, or a few columns of many. Blocking; raises HistoryError."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from services.telemetry.bindings.keeper import table_of
from services.telemetry.bindings.verdict import Row
from services.telemetry.history.files import File
from services.telemetry.history.kinds import BINDINGS, Kind
from services.telemetry.history.once import once
from services.telemetry.history.store import HistoryStore

log = logging.getLogger("berth.telemetry.bindings")

NAMES = ("pod_uid", "pod_name")
HOUR = timedelta(hours=1)


class Hour:
    """An hour of history and what is read of it. Files that are put together meanwhile are looked for once more."""

    def __init__(self, store: HistoryStore, start: datetime) -> None:
        self.store, self.start = store, start

    def read(self, columns: Sequence[str], where: pc.Expression | None = None) -> pa.Table:
        """Rows as they were written."""
        schema = pa.schema([BINDINGS.schema.field(name) for name in columns])
        for _ in range(2):
            parts = self.store.by_hour(self.start.date()).get(self.start.hour, [])
            tables = [self._part(part, schema, where) for part in parts]
            if None not in tables:
                break
        return pa.concat_tables([schema.empty_table(), *(table for table in tables if table is not None)])

    def _part(self, part: File, schema: pa.Schema, where: pc.Expression | None) -> pa.Table | None:
        try:
            with self.store.files.opened(part.path) as file:
                rows = pq.read_table(file, columns=schema.names, filters=where)
            return rows.select(schema.names).cast(schema)
        except (OSError, pa.ArrowException, KeyError, ValueError) as error:
            log.warning("%s cannot be read: %s", part.path, type(error).__name__)
            return None


def hours_since(store: HistoryStore, since: datetime) -> Iterator[Hour]:
    """Hours that there is anything of, newest first, back to the one that `since` lies in."""
    for day in reversed([day for day in store.days() if day >= since.date()]):
        for hour in sorted(store.by_hour(day), reverse=True):
            start = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
            if start + HOUR > since:
                yield Hour(store, start)


def written_since(store: HistoryStore, since: datetime, most: int) -> list[Row]:
    """The newest bindings of the hours since then, each once, without their records."""
    columns = ("at", "pod_uid", "node", "rejected_node", "node_cpu", "node_memory")
    kind = Kind(BINDINGS.name, pa.schema([BINDINGS.schema.field(name) for name in columns]), BINDINGS.keys)
    found: list[Row] = []
    for hour in hours_since(store, since):
        rows = once(hour.read(columns), kind)
        rows = rows.filter(rows["node"].is_valid())
        found += rows.slice(max(0, rows.num_rows - (most - len(found)))).to_pylist()
    return found


def find(store: HistoryStore, pod: str, since: datetime, waiting: Sequence[Row]) -> Row | None:
    """The newest binding of a pod, by uid or name; None where none is kept. waiting: rows that are not written yet."""
    known = [row for row in waiting if row.get("node") and pod in (row["pod_uid"], row["pod_name"])]
    if known:
        return newest(known, waiting)
    for hour in hours_since(store, since):
        rows = rows_about(hour, pod)
        if any(row["node"] for row in rows):
            return newest(rows, waiting)
    return None


def rows_about(hour: Hour, pod: str) -> list[Row]:
    """Every row of the pods with this uid or name: few columns are read to know whether there are any."""
    names = hour.read(NAMES)
    mask = pc.or_kleene(pc.equal(names["pod_uid"], pod), pc.equal(names["pod_name"], pod))
    uids = pc.unique(names.filter(mask)["pod_uid"]).to_pylist()
    return list(hour.read(BINDINGS.schema.names, pc.field("pod_uid").isin(uids)).to_pylist()) if uids else []


def newest(rows: Sequence[Row], waiting: Sequence[Row]) -> Row:
    """The newest of some rows of which one at least is a binding, with all that is known of it."""
    last = max((row for row in rows if row["node"]), key=lambda row: row["at"])
    uid = last["pod_uid"]
    same = [row for row in (*rows, *waiting) if row["pod_uid"] == uid]
    found: Row = once(table_of(same), BINDINGS).to_pylist()[-1]
    return found
