"""Incidents and signals on disk, below history's root."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.telemetry.history.files import Files
from services.telemetry.history.incidents import Incident, incident_rows, incidents_in, moment
from services.telemetry.history.kinds import INCIDENTS, SIGNALS
from services.telemetry.history.store import HistoryStore
from services.telemetry.history.tidying import Tidying
from services.telemetry.settings import HistorySettings

DAYS_TIDIED = 8
"""An incident may be told of, and written, days after it happened."""


class Journal:
    """Of one root. Blocking: called from a worker thread. Raises HistoryError."""

    def __init__(self, settings: HistorySettings) -> None:
        self.settings = settings
        files = Files(settings.url)
        self.incidents, self.signals = HistoryStore(files, INCIDENTS), HistoryStore(files, SIGNALS)
        self.tidying = Tidying(settings, [self.incidents, self.signals], days=DAYS_TIDIED)
        self.mine = secrets.token_hex(3)

    def write_incidents(self, incidents: Sequence[Incident]) -> None:
        """Each in the hour in which it began; one that is there already becomes one with it when it is read."""
        if incidents:
            self.incidents.write(incident_rows(incidents), f"live-{time.time_ns() // 1_000_000}-{self.mine}")

    def write_signals(self, rows: pa.Table) -> None:
        """Rows of one moment, or none."""
        if rows.num_rows:
            at = int(rows["at"][0].as_py().timestamp())
            self.signals.write(rows, f"live-{at}-{self.mine}")

    def since(self, start: float, now: float, node: str = "") -> list[Incident]:
        """Incidents of the days from `start` on, unix seconds, that had not ended by then. node: of one alone."""
        first, found = moment(start).date(), list[Incident]()
        for day in self.incidents.days():
            if first <= day <= moment(now).date():
                rows = self.incidents.read(day)
                found += incidents_in(rows.filter(pc.equal(rows["node"], node)) if node else rows)
        return [one for one in found if one.until is None or one.until >= start]

    def tidy(self, now: datetime) -> None:
        """Once an hour: see `Tidying`."""
        self.tidying.tidy(now)


def signal_rows(values: Mapping[str, Mapping[str, float]], at: float) -> pa.Table:
    """Rows of SIGNALS. values: by signal and node."""
    nodes = [node for of_nodes in values.values() for node in of_nodes]
    names = [signal for signal, of_nodes in values.items() for _ in of_nodes]
    columns = {
        "at": pa.array(np.full(len(nodes), int(at * 1000)).astype("datetime64[ms]"), SIGNALS.schema.field("at").type),
        "node": pa.array(nodes, pa.string()),
        "signal": pa.array(names, pa.string()),
        "value": pa.array([v for of_nodes in values.values() for v in of_nodes.values()], pa.float32()),
    }
    return pa.table(columns).cast(SIGNALS.schema)
