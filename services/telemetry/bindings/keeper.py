"""Writes rows of bindings to history: they wait in memory and become a file every minute."""

from __future__ import annotations

import logging
import secrets
import threading
from collections import deque
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from services.telemetry.bindings.verdict import Row
from services.telemetry.history.errors import HistoryError
from services.telemetry.history.files import Files
from services.telemetry.history.kinds import BINDINGS
from services.telemetry.history.store import HistoryStore
from services.telemetry.history.tidying import Tidying
from services.telemetry.metrics import TelemetryMetrics
from services.telemetry.settings import HistorySettings

log = logging.getLogger("berth.telemetry.bindings")

MOST = 20_000
"""Rows that wait for a store that refuses them; the oldest give way."""
MOST_BYTES = 64 * 2**20
"""Of the records in them."""
STANDBY_S = 600.0
"""While another publishes, and writes: rows are kept so long, for the case that it ends before it has written them."""
SETTLED = timedelta(hours=2)
"""The files of an hour are put together so long after its end: its last binding is measured an hour later."""


class Keeper:
    """`keep` and `rows` are called on the event loop, `flush` in a worker thread."""

    def __init__(self, settings: HistorySettings, metrics: TelemetryMetrics, most: int = MOST) -> None:
        self.settings, self.metrics, self.most = settings, metrics, most
        self.store = HistoryStore(Files(settings.url), BINDINGS)
        self.tidying = Tidying(settings, [self.store], SETTLED)
        self.waiting: deque[Row] = deque()
        self.taken: list[Row] = []
        """Being written."""
        self.bytes = 0
        self.lock, self.flushing = threading.Lock(), threading.Lock()
        self.mine, self.number = secrets.token_hex(4), 0
        self.failing = ""

    def keep(self, row: Row) -> None:
        """Enter a row."""
        with self.lock:
            self._enter(row)

    def rows(self) -> list[Row]:
        """Those that are not written yet, oldest first."""
        with self.lock:
            return [*self.taken, *self.waiting]

    def flush(self) -> None:
        """Write what waits, and tidy up once an hour. What cannot be written waits on."""
        with self.flushing:
            try:
                self._write()
                self.tidying.tidy(datetime.now(UTC))
                self.failing = ""
            except HistoryError as error:
                self._failed(error)

    def stand_by(self) -> None:
        """Another writes the same."""
        oldest = datetime.now(UTC) - timedelta(seconds=STANDBY_S)
        with self.lock:
            while self.waiting and self.waiting[0]["at"] < oldest:
                self._give_up()

    def _write(self) -> None:
        """A second attempt has the first's name and more rows: what was written of it is replaced."""
        with self.lock:
            self.taken = list(self.waiting)
            self.waiting.clear()
            self.bytes = 0
        written = False
        try:
            if self.taken:
                self.store.write(table_of(self.taken), f"live-{self.mine}-{self.number:06}")
                self.number += 1
            written = True
        finally:
            self._put_back([] if written else self.taken)

    def _put_back(self, rows: list[Row]) -> None:
        """Nothing is being written any more; these wait again, before those that came meanwhile."""
        with self.lock:
            came, self.taken = list(self.waiting), []
            self.waiting.clear()
            self.bytes = 0
            for row in (*rows, *came):
                self._enter(row)

    def _enter(self, row: Row) -> None:
        """Under the lock."""
        self.waiting.append(row)
        self.bytes += size_of(row)
        while len(self.waiting) > self.most or self.bytes > MOST_BYTES:
            self._give_up()
            self.metrics.binding_losses.labels("row").inc()

    def _give_up(self) -> None:
        self.bytes -= size_of(self.waiting.popleft())

    def _failed(self, error: HistoryError) -> None:
        self.metrics.binding_failures.labels("history", error.reason).inc()
        if self.failing != error.reason:
            log.warning("%s", error)
        self.failing = error.reason


def table_of(rows: list[Row]) -> pa.Table:
    """As rows of BINDINGS; what a row does not say is null."""
    return pa.Table.from_pylist(rows, schema=BINDINGS.schema)


def size_of(row: Row) -> int:
    """About the bytes of its record, which is most of it; a row of loads has none."""
    return len(row.get("decision") or "")
