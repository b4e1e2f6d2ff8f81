"""What one answer says of a metric, and many of them as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.telemetry.history.kinds import USAGE


class Notes(NamedTuple):
    """Values of one metric at one moment, unix seconds: of each node, told by whom."""

    at: int
    metric: str
    nodes: list[str]
    told_by: list[str]
    values: NDArray[np.float32]


def rows_of(taken: Sequence[Notes]) -> pa.Table:
    """As rows of USAGE."""
    lengths = [len(notes.nodes) for notes in taken]
    at = np.repeat(np.array([notes.at * 1000 for notes in taken], dtype="datetime64[ms]"), lengths)
    columns = {
        "at": pa.array(at, USAGE.schema.field("at").type),
        "node": pa.array([node for notes in taken for node in notes.nodes]),
        "metric": pa.array(np.repeat([notes.metric for notes in taken], lengths)),
        "told_by": pa.array([teller for notes in taken for teller in notes.told_by]),
        "value": pa.array(np.concatenate([notes.values for notes in taken])),
    }
    return pa.table(columns).cast(USAGE.schema)
