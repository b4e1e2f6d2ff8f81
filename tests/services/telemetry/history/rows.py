"""Rows of usage for tests of history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.telemetry.history.kinds import METRICS, USAGE

START = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
"""Half an hour and an hour before midnight."""
EVERY_S = 30


def usage_rows(nodes: Sequence[str], values: Mapping[str, NDArray[np.float32]], start: datetime = START) -> pa.Table:
    """values: of each metric that is told, float32 [step, node], NaN for null; a step each EVERY_S."""
    steps = len(next(iter(values.values())))
    at = np.datetime64(int(start.timestamp() * 1000), "ms") + np.arange(steps) * np.timedelta64(EVERY_S * 1000, "ms")
    columns: dict[str, pa.Array] = {
        "at": pa.array(np.repeat(at, len(nodes)), pa.timestamp("ms", tz="UTC")),
        "node": pa.array(list(nodes) * steps),
    }
    for metric in METRICS:
        told = values.get(metric, np.full((steps, len(nodes)), np.nan, dtype=np.float32)).reshape(-1)
        columns[metric] = pa.array(told, pa.float32(), from_pandas=True)
        columns[f"{metric}_from"] = pa.array([None if np.isnan(one) else f"{metric}-series" for one in told])
    for metric in ("cpu", "memory"):
        columns[f"{metric}_capacity"] = pa.array(np.full(steps * len(nodes), 64.0, dtype=np.float32))
    return pa.table(columns).select(USAGE.schema.names).cast(USAGE.schema)


def constant(value: float, steps: int, nodes: int = 2) -> dict[str, NDArray[np.float32]]:
    """The same of CPU all the time."""
    return {"cpu": np.full((steps, nodes), value, dtype=np.float32)}
