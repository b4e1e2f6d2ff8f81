"""Rows of usage for tests of history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.telemetry.history.notes import Notes, rows_of

START = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
"""An hour and a half before midnight."""
EVERY_S = 30


def usage_rows(
    nodes: Sequence[str], values: NDArray[np.float32], start: datetime = START, told_by: str = "series"
) -> pa.Table:
    """CPU, float32 [step, node], a step each EVERY_S; NaN is not told."""
    first = int(start.timestamp())
    told = [(first + EVERY_S * step, row, np.flatnonzero(~np.isnan(row)).tolist()) for step, row in enumerate(values)]
    return rows_of(
        [Notes(at, "cpu", [nodes[i] for i in known], [told_by] * len(known), row[known]) for at, row, known in told]
    )


def constant(value: float, steps: int, nodes: int = 2) -> NDArray[np.float32]:
    """The same all the time."""
    return np.full((steps, nodes), value, dtype=np.float32)
