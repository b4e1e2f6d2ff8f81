"""History's days: `KIND/day=2026-11-26/HH-NAME.parquet`, HH the hour that its rows are of.

NAME tells what wrote a file: `live-…` a running telemetry, `backfill` Prometheus's past, `whole-…` an hour put
together. A whole names the files that it stands for, so that one that could not be removed after it counts once.
"""

from __future__ import annotations

import contextlib
import io
import logging
import secrets
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from services.telemetry.history.errors import HistoryError
from services.telemetry.history.files import File, Files
from services.telemetry.history.kinds import Kind
from services.telemetry.history.once import once

log = logging.getLogger("berth.telemetry.history")

STANDS_FOR = b"berth.stands_for"


class HistoryStore:
    """One kind of rows below one root. Blocking: called from a worker thread. Raises HistoryError."""

    def __init__(self, files: Files, kind: Kind) -> None:
        self.files, self.kind = files, kind

    def write(self, rows: pa.Table, name: str) -> None:
        """Rows of any hours, a file an hour. The same name again replaces."""
        for hour in hours_of(rows):
            self.put(hour, name, rows_of(rows, hour))

    def put(self, hour: datetime, name: str, rows: pa.Table, stands_for: Sequence[str] = ()) -> None:
        """One hour's file."""
        rows = rows.select(self.kind.schema.names).cast(self.kind.schema)
        rows = rows.replace_schema_metadata({STANDS_FOR: ",".join(stands_for).encode()})
        buffer = io.BytesIO()
        pq.write_table(rows, buffer, compression="zstd")
        self.files.put(f"{self.folder(hour.date())}/{hour:%H}-{name}.parquet", buffer.getvalue())

    def days(self) -> list[date]:
        """Days that there is anything of, oldest first."""
        return [day for name in self.files.folders(self.kind.name) if (day := day_named(name)) is not None]

    def parts(self, day: date) -> list[File]:
        """A day's files without those that a whole one stands for."""
        return [part for parts in self.by_hour(day).values() for part in parts]

    def by_hour(self, day: date) -> dict[int, list[File]]:
        """The same by hour, in order."""
        found: dict[int, list[File]] = {}
        for part in self.files.listed(self.folder(day)):
            if (hour := hour_named(part.name)) is not None:
                found.setdefault(hour, []).append(part)
        return {hour: self.current(parts) for hour, parts in found.items()}

    def current(self, parts: list[File]) -> list[File]:
        """An hour's files without those that a whole one stands for."""
        if len(parts) < 2:
            return parts
        replaced = {name for part in parts for name in self.stands_for(part)}
        return [part for part in parts if part.name not in replaced]

    def names(self, day: date) -> set[str]:
        """What was written for a day, whatever it has become part of."""
        parts = self.parts(day)
        return {part.name for part in parts} | {name for part in parts for name in self.stands_for(part)}

    def stands_for(self, part: File) -> list[str]:
        """Names of the files that a whole one was made of."""
        if "-whole-" not in part.name:
            return []
        try:
            with self.files.opened(part.path) as file:
                said = (pq.read_metadata(file).metadata or {}).get(STANDS_FOR, b"").decode()
        except (OSError, pa.ArrowException):
            return []
        return [name for name in said.split(",") if name]

    def raw(self, day: date, hour: int | None = None) -> pa.Table:
        """Rows as they were written, of a day or of one of its hours. What cannot be read is left out."""
        by_hour = self.by_hour(day)
        parts = [part for one, parts in by_hour.items() if hour in (None, one) for part in parts]
        tables = [rows for part in parts if (rows := self.readable(part)) is not None]
        return pa.concat_tables([self.kind.schema.empty_table(), *tables])

    def read(self, day: date, hour: int | None = None) -> pa.Table:
        """The same with each row once, sorted by keys."""
        return once(self.raw(day, hour), self.kind)

    def readable(self, part: File) -> pa.Table | None:
        """A file's rows; None, with a word in the log, for one that is none of ours."""
        try:
            rows = pq.read_table(pa.BufferReader(self.files.get(part.path)))
            return rows.select(self.kind.schema.names).cast(self.kind.schema)
        except (HistoryError, pa.ArrowException, KeyError, ValueError) as error:
            log.warning("%s cannot be read: %s", part.path, type(error).__name__)
            return None

    def compact(self, day: date, before: datetime) -> int:
        """Put the files of each hour that ended by `before` together. Returns how many files that saved."""
        saved = 0
        for hour, parts in self.by_hour(day).items():
            start = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
            if start + timedelta(hours=1) <= before and len(parts) > 1:
                saved += self.compact_hour(start, parts)
        return saved

    def compact_hour(self, hour: datetime, parts: list[File]) -> int:
        """One hour's. Where one cannot be read, nothing is touched."""
        tables = [rows for part in parts if (rows := self.readable(part)) is not None]
        if len(tables) < len(parts):
            return 0
        names = [part.name for part in parts] + [name for part in parts for name in self.stands_for(part)]
        self.put(hour, f"whole-{secrets.token_hex(4)}", once(pa.concat_tables(tables), self.kind), names)
        for part in parts:
            with contextlib.suppress(HistoryError):
                self.files.remove(part.path)
        return len(parts) - 1

    def sizes(self) -> dict[date, int]:
        """Bytes of each day."""
        return {day: sum(file.size for file in self.files.listed(self.folder(day))) for day in self.days()}

    def remove(self, day: date) -> None:
        """All of a day."""
        self.files.remove(self.folder(day))

    def folder(self, day: date) -> str:
        """A day's."""
        return f"{self.kind.name}/day={day.isoformat()}"


def hours_of(rows: pa.Table) -> list[datetime]:
    """Hours that the rows are of, oldest first."""
    found = pc.unique(pc.floor_temporal(rows["at"], unit="hour")).to_pylist()
    return sorted(at for at in found if at is not None)


def rows_of(rows: pa.Table, hour: datetime) -> pa.Table:
    """Those of one hour."""
    return rows.filter(pc.equal(pc.floor_temporal(rows["at"], unit="hour"), pa.scalar(hour, rows["at"].type)))


def hour_named(name: str) -> int | None:
    """The hour of `07-live-…`; None for a file that is none of ours."""
    head, _, rest = name.partition("-")
    return int(head) if rest and len(head) == 2 and head.isdecimal() and int(head) < 24 else None


def day_named(folder: str) -> date | None:
    """The day of `day=2026-11-26`; None for any other folder."""
    try:
        return date.fromisoformat(folder.removeprefix("day=")) if folder.startswith("day=") else None
    except ValueError:
        return None
