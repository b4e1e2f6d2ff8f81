"""Holidays. The time of day and of the week are columns of `history`."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from berth.features.feature import Feature

Floats = NDArray[np.float32]


def day(name: str, description: str) -> Feature:
    """A column of this family."""
    return Feature(name, "calendar", "0 or 1", "now", description, "`telemetry.holidays`", missing="0 without holidays")


FEATURES: tuple[Feature, ...] = (
    day("holiday", "this day, in UTC, is a holiday"),
    day("holiday_tomorrow", "the day after this one is a holiday"),
)


def calendar_columns(holidays: Collection[date], at: float, nodes: int) -> Floats:
    """float32 [node, len(FEATURES)], the same for all. at: unix seconds."""
    today = datetime.fromtimestamp(at, tz=UTC).date()
    found = [float(one in holidays) for one in (today, today + timedelta(days=1))]
    return np.tile(np.array(found, dtype=np.float32), (nodes, 1))
