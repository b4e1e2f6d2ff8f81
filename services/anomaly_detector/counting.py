"""The rule by which alarms are counted.

An alarm is a run of flagged points, gaps under 15 minutes merged. Precision: alarms that touch an anomalous
segment / alarms. Segment precision: segments hit / (segments hit + false alarms), which many alarms inside one
long segment do not inflate. Recall: segments hit / segments. False-positive rate: flagged / all normal points.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.serving.contract import Floats

MERGED_GAP = 2
"""Unflagged steps of 5 minutes inside one alarm: gaps under 15 minutes."""

Flags = NDArray[np.bool_]
Series = tuple[Floats, NDArray[np.int8]]
"""Scores, higher is odder, and labels of one machine: 1 anomalous, 0 normal, -1 not counted."""


@dataclass(frozen=True)
class Count:
    """Counts over machines; `+` adds them."""

    alarms: int = 0
    true_alarms: int = 0
    segments: int = 0
    hit: int = 0
    normal: int = 0
    flagged: int = 0

    def __add__(self, other: Count) -> Count:
        mine, theirs = vars(self), vars(other)
        return Count(**{name: mine[name] + theirs[name] for name in mine})

    def ratios(self) -> dict[str, float]:
        """The ratios of the rule; 0 where nothing was counted."""
        false_alarms = self.alarms - self.true_alarms
        return {
            "precision": self.true_alarms / max(self.alarms, 1),
            "segment_precision": self.hit / max(self.hit + false_alarms, 1),
            "recall": self.hit / max(self.segments, 1),
            "false_positive_rate": self.flagged / max(self.normal, 1),
        }


def runs(flags: Flags, gap: int = 0) -> list[tuple[int, int]]:
    """(start, end) of runs of true, end exclusive; runs at most `gap` steps apart are one."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    found: list[tuple[int, int]] = []
    for start, end in zip(edges[0::2].tolist(), edges[1::2].tolist(), strict=True):
        if found and start - found[-1][1] <= gap:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def count(flags: Flags, labels: NDArray[np.int8]) -> Count:
    """The counts of one machine's consecutive points; what is flagged where labels are -1 counts neither way."""
    normal, anomalous = labels == 0, labels == 1
    alarms, segments = runs(flags & (labels >= 0), MERGED_GAP), runs(anomalous)
    true_alarms = sum(any(a < d and c < b for c, d in segments) for a, b in alarms)
    hit = sum(any(a < d and c < b for a, b in alarms) for c, d in segments)
    return Count(len(alarms), true_alarms, len(segments), hit, int(normal.sum()), int((flags & normal).sum()))


def count_all(series: Iterable[Series], threshold: float) -> Count:
    """Counts over several machines at one threshold."""
    return sum((count(scores > threshold, labels) for scores, labels in series), Count())


def threshold_of(groups: list[list[Series]]) -> float:
    """One threshold for all machines of all groups: of those that flag 0.05 to 2 % of the normal points, the
    one with the best mean over the groups of F1 of segment precision and recall."""
    normal = np.concatenate([scores[labels == 0] for group in groups for scores, labels in group])
    candidates = np.quantile(normal, 1 - np.geomspace(0.0005, 0.02, 25))
    return float(max(candidates, key=lambda t: np.mean([f1(count_all(group, t)) for group in groups])))


def f1(counted: Count) -> float:
    """Harmonic mean of segment precision and recall."""
    ratios = counted.ratios()
    precision, recall = ratios["segment_precision"], ratios["recall"]
    return 2 * precision * recall / max(precision + recall, 1e-9)
