"""When a node is left out: only on strong evidence in several snapshots, and never too many at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from extender.settings import Filter

Floats = NDArray[np.float32]
Counts = NDArray[np.int32]
Rows = NDArray[np.int32]

REASON = "Berth: unhealthy or overloaded in several snapshots"


def evidence(health: Floats | None, peak: Floats | None, settings: Filter, nodes: int) -> NDArray[np.bool_]:
    """bool [nodes]: what one snapshot shows against each node. A missing model or value is no evidence."""
    against = np.zeros(nodes, dtype=np.bool_)
    with np.errstate(invalid="ignore"):
        if health is not None:
            against |= health < settings.min_health
        if peak is not None:
            against |= (peak > settings.max_forecast).any(axis=1)
    return against


def repeated(before: Counts, against: NDArray[np.bool_]) -> Counts:
    """int32 [nodes]: snapshots in a row with evidence; one without it starts over."""
    return np.where(against, before + 1, 0).astype(np.int32)


def removed(rows: Rows, badness: Floats, counts: Counts, settings: Filter) -> NDArray[np.intp]:
    """Positions in `rows` to leave out: the worst first, at most `max_share` of them, never all.

    badness: float32 [nodes], larger is worse. Unknown nodes (row -1) stay.
    """
    if not settings.enabled or rows.size < 2:
        return np.empty(0, dtype=np.intp)
    known = rows >= 0
    condemned = np.flatnonzero(known & (counts[rows] >= settings.repeats))
    allowed = min(int(rows.size * settings.max_share), rows.size - 1)
    worst_first = np.argsort(-badness[rows[condemned]], kind="stable")
    return condemned[worst_first[:allowed]]
