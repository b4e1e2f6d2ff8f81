"""How a node has fared: what its conditions, its incidents and its logs tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from berth.features.feature import Feature

Floats = NDArray[np.float32]

WATCHED = "NaN; also while fewer than half of the window has been watched"


def health(name: str, unit: str, window: str, description: str, source: str, missing: str = "NaN") -> Feature:
    """A column of this family."""
    return Feature(name, "health", unit, window, description, source, missing)


FEATURES: tuple[Feature, ...] = (
    health("uptime", "hours", "7 d", "since the node last became ready, 168 at most; 0 while it is not", "conditions"),
    health("incidents_24h", "incidents", "24 h", "that lasted or began in it", "incidents", WATCHED),
    health("incidents_7d", "incidents", "7 d", "that lasted or began in it", "incidents", WATCHED),
    health("not_ready_24h", "share", "24 h", "share of the time in which the node was not ready", "incidents", WATCHED),
    health(
        "stability",
        "hours",
        "7 d",
        "since the last incident ended, 168 at most; 0 while one lasts",
        "incidents",
        WATCHED,
    ),
    health("pressure", "0 or 1", "now", "short of memory, disk or process ids", "conditions"),
    health(
        "error_lines",
        "lines",
        "5 min",
        "log lines of error; 0 where the newest answer tells of none and an earlier one did",
        "logs",
        "NaN; also for a node that no answer has told of",
    ),
)


@dataclass(frozen=True)
class Fared:
    """Each float32 [node], as the columns of FEATURES say."""

    uptime: Floats
    incidents_24h: Floats
    incidents_7d: Floats
    not_ready_24h: Floats
    stability: Floats
    pressure: Floats
    error_lines: Floats

    @classmethod
    def unknown(cls, nodes: int) -> Fared:
        """Nobody tells."""
        return cls(*np.full((len(FEATURES), nodes), np.nan, dtype=np.float32))

    def columns(self) -> Floats:
        """float32 [node, len(FEATURES)]."""
        return np.stack([getattr(self, feature.name) for feature in FEATURES], axis=1)


def reliability(fared: Fared) -> Floats:
    """float32 [node] in [0, 1]: the share of the last day in which the node was ready, divided by 1 + its incidents a
    day over a week. NaN where either is."""
    ready = np.clip(np.float32(1) - fared.not_ready_24h, np.float32(0), np.float32(1))
    return np.asarray(ready / (np.float32(1) + fared.incidents_7d / np.float32(7)), dtype=np.float32)
