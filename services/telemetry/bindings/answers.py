"""Questions about bindings, answered off the event loop, one at a time: a search may read every file."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from services.telemetry.bindings.agreement import agreement
from services.telemetry.bindings.following import Following
from services.telemetry.bindings.lookup import find, newest
from services.telemetry.bindings.verdict import Row
from services.telemetry.source import Source

S = TypeVar("S", bound=Source)


class Answers(Generic[S]):
    """Over what is followed and what is on disk."""

    def __init__(self, following: Following[S], keep_days: int) -> None:
        self.following, self.keep_hours = following, 24 * keep_days
        self.turn = asyncio.Lock()

    async def binding(self, pod: str, hours: int | None = None) -> dict[str, Any] | None:
        """The newest of a pod, by uid or name, that was bound in the last hours (None: as long as history is kept);
        None without one. Raises HistoryError."""
        waiting = self.following.keeper.rows()
        row = newest(unfinished, waiting) if (unfinished := self.following.join.find(pod)) else None
        if row is None:
            async with self.turn:
                since = ago(min(hours or self.keep_hours, self.keep_hours))
                row = await asyncio.to_thread(find, self.following.keeper.store, pod, since, waiting)
        return None if row is None else as_json(row)

    async def agreement(self, hours: int) -> dict[str, Any]:
        """Of pods bound in the last hours. Raises HistoryError."""
        async with self.turn:
            store, waiting = self.following.keeper.store, self.following.keeper.rows()
            found = await asyncio.to_thread(agreement, store, ago(hours), waiting)
        return {"hours": hours} | found


def ago(hours: int) -> datetime:
    """That moment."""
    return datetime.now(UTC) - timedelta(hours=hours)


def as_json(row: Row) -> dict[str, Any]:
    """Times as RFC 3339 with milliseconds, the record as an object."""
    found = {name: rfc_3339(value) if isinstance(value, datetime) else value for name, value in row.items()}
    return found | {"decision": json.loads(row["decision"])}


def rfc_3339(moment: datetime) -> str:
    """UTC, as the API server writes times."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
