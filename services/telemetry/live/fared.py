"""How nodes fare, as columns of a snapshot: of their conditions, the incidents of a week, and lines of error. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from berth.cluster.health import PRESSURES, READY, Condition
from berth.features.node_health import Fared
from services.telemetry.history.incidents import Incident
from services.telemetry.live.usage import Reading

Floats = NDArray[np.float32]

DAY_S, WEEK_S = 86400.0, 7 * 86400.0
NOT_READY = "not-ready"


def fared(
    nodes: Sequence[str],
    incidents: Iterable[Incident],
    told: Sequence[Mapping[str, Condition]],
    lines: Floats,
    watched_since: float,
    now: float,
) -> Fared:
    """incidents: those that lasted or began in the last week; told: newest conditions of each node by type; lines: of
    error, float32 [node]; watched_since: from then on all incidents are known. Of a window that was not watched for
    half of its length incidents are not known."""
    row_of = {name: row for row, name in enumerate(nodes)}
    found = [one for one in incidents if one.node in row_of]
    rows = np.array([row_of[one.node] for one in found], dtype=np.intp)
    began = np.array([one.at for one in found], dtype=np.float64)
    ended = np.array([now if one.until is None else min(one.until, now) for one in found], dtype=np.float64)
    down = np.array([one.kind == NOT_READY for one in found], dtype=np.bool_)
    lately = ended >= now - DAY_S
    away = np.clip(ended - np.maximum(began, now - DAY_S), 0.0, DAY_S) / DAY_S * down
    share = np.bincount(rows, weights=away, minlength=len(nodes))
    watched = now - watched_since
    return Fared(
        uptime=np.array([uptime(of.get(READY), now) for of in told], dtype=np.float32),
        incidents_24h=known(np.bincount(rows[lately], minlength=len(nodes)), watched, DAY_S),
        incidents_7d=known(np.bincount(rows, minlength=len(nodes)), watched, WEEK_S),
        not_ready_24h=known(np.minimum(share, 1.0), watched, DAY_S),
        stability=known(quiet_hours(rows, ended, len(nodes), now), watched, WEEK_S),
        pressure=np.array([pressure(of) for of in told], dtype=np.float32),
        error_lines=lines,
    )


def quiet_hours(rows: NDArray[np.intp], ended: NDArray[np.float64], nodes: int, now: float) -> NDArray[np.float64]:
    """float64 [node]: since the newest end of an incident, 168 at most. rows, ended: the node and the end of each."""
    newest = np.full(nodes, now - WEEK_S)
    np.maximum.at(newest, rows, ended)
    return (now - newest) / 3600.0


def error_lines(nodes: Sequence[str], readings: Mapping[str, Reading], answered: float, since: float) -> Floats:
    """float32 [node]: what the newest answer tells. An answer has no number for a node without such a line: 0, where an
    earlier one had; NaN for a node that none has told of, and everywhere where the newest is older than `since`.
    answered: when it came, unix seconds."""
    if answered < since:
        return np.full(len(nodes), np.nan, dtype=np.float32)
    return np.array([lines_of(readings.get(node), answered) for node in nodes], dtype=np.float32)


def lines_of(reading: Reading | None, answered: float) -> float:
    """Of one node."""
    if reading is None:
        return math.nan
    return reading.value if reading.at >= answered else 0.0


def known(values: NDArray[np.float64] | NDArray[np.intp], watched: float, window: float) -> Floats:
    """float32; NaN where less than half of the window was watched."""
    return values.astype(np.float32) if 2 * watched >= window else np.full(len(values), np.nan, dtype=np.float32)


def uptime(ready: Condition | None, now: float) -> float:
    """Hours, 168 at most; NaN where nobody tells of the node, or since when."""
    if ready is None:
        return math.nan
    if ready.status != "True":
        return 0.0
    return min(max(0.0, now - ready.since), WEEK_S) / 3600.0 if ready.since else math.nan


def pressure(told: Mapping[str, Condition]) -> float:
    """1 under any pressure, 0 under none; NaN where no pressure is told of, or one is unknown and none is there."""
    statuses = [told[kind].status for kind in PRESSURES if kind in told]
    if "True" in statuses:
        return 1.0
    return 0.0 if statuses and statuses.count("False") == len(statuses) else math.nan
