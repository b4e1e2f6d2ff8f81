"""Keeps history small: hours in one file each, and days that are too old, or too many for the budget, gone."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from services.telemetry.history.files import Files
from services.telemetry.history.kinds import KINDS
from services.telemetry.history.store import HistoryStore
from services.telemetry.settings import HistorySettings

log = logging.getLogger("berth.telemetry.history")

HOUR = timedelta(hours=1)


class Tidying:
    """Of the stores of one writer. settled: after its end, an hour is written to for so long; days: the newest ones,
    which are looked at. Old days of every kind go: one budget holds for all."""

    def __init__(
        self, settings: HistorySettings, stores: Sequence[HistoryStore], settled: timedelta = HOUR, days: int = 3
    ) -> None:
        self.settings, self.stores, self.settled, self.days = settings, stores, settled, days
        self.every = [HistoryStore(Files(settings.url), kind) for kind in KINDS]
        self.done = datetime.min.replace(tzinfo=UTC)

    def tidy(self, now: datetime) -> None:
        """Once an hour. Raises HistoryError."""
        hour = now.replace(minute=0, second=0, microsecond=0)
        if hour <= self.done:
            return
        for store in self.stores:
            for day in store.days()[-self.days :]:
                store.compact(day, hour - self.settled)
        gone = enforce(self.every, self.settings.keep_days, int(self.settings.budget_gib * 2**30), now.date())
        if gone:
            log.info("history: days removed: %s", ", ".join(map(str, gone)))
        self.done = hour


def enforce(stores: Sequence[HistoryStore], keep_days: int, budget_bytes: int, today: date) -> list[date]:
    """Remove days that are too old, then the oldest until the rest fits; today stays. Returns those removed."""
    sizes: dict[date, int] = {}
    for store in stores:
        for day, size in store.sizes().items():
            sizes[day] = sizes.get(day, 0) + size
    total, removed = sum(sizes.values()), []
    for day in sorted(day for day in sizes if day < today):
        if day >= today - timedelta(days=keep_days) and total <= budget_bytes:
            break
        for store in stores:
            store.remove(day)
        total -= sizes[day]
        removed.append(day)
    return removed
