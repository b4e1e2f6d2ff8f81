"""One metric of all nodes, hour by hour: gaps, duplicates, impossible values, changed labels, unchanged stretches."""

from __future__ import annotations

import numpy as np

from services.telemetry.history.findings import Fault, Finding
from services.telemetry.history.told import NEVER, Before, Codes, Floats, Ints, Mask, Told, runs, shifted

ALIKE = 3
"""Stretches at least this part of another's length are of its kind."""
USUAL = 3
"""A sensor with so many others of its kind is like that: idle, or coarse."""
Stretch = tuple[int, int, int]
"""Node, first and last step."""


class Sensors:
    """nodes and tellers: the numbers of all metrics. stuck_steps: from how many unchanged steps on a sensor may be
    stuck."""

    def __init__(self, metric: str, nodes: Codes, tellers: Codes, step_s: int, stuck_steps: int) -> None:
        self.metric, self.nodes, self.tellers = metric, nodes, tellers
        self.step_s, self.stuck_steps = step_s, stuck_steps
        self.before = Before()
        self.alone = np.zeros(0, dtype=np.int64)
        self.first = np.zeros(0, dtype=np.int64)
        self.known = np.zeros(0, dtype=np.int64)
        self.found: list[Finding] = []
        self.stretches: list[Ints] = []

    def grow(self, nodes: int) -> None:
        """Room for so many nodes."""
        more = max(0, nodes - len(self.first))
        self.first = np.concatenate([self.first, np.full(more, NEVER)])
        self.known = np.concatenate([self.known, np.zeros(more, dtype=np.int64)])
        self.before.grow(nodes)
        self.alone = np.concatenate([self.alone, np.full(more, NEVER)])

    def feed(self, rows: Told, limit: Floats) -> None:
        """The next hour. limit: float32 [node], the largest value that can be."""
        if not len(rows):
            return
        self.grow(len(limit))
        possible = (rows.value >= 0.0) & (rows.value <= limit[rows.node])
        self._enter("duplicate", runs(rows, rows.twice))
        self._enter("out-of-range", runs(rows, ~possible))
        self._gaps(rows)
        self._churn(rows.only(~rows.twice))
        self._unchanged(rows, possible)
        self._remember(rows, possible)

    def _enter(self, fault: Fault, found: list[Stretch], details: str = "") -> None:
        names = self.nodes.names() if found else []
        for node, first, last in found:
            self.found.append(
                Finding(names[node], self.metric, fault, first * self.step_s, last * self.step_s, details)
            )

    def _gaps(self, rows: Told) -> None:
        earlier = self.before.steps(rows)
        after = (earlier != NEVER) & (rows.step > earlier + 1)
        found = np.stack([rows.node[after], earlier[after] + 1, rows.step[after] - 1], axis=1)
        self._enter("gap", [(node, first, last) for node, first, last in found.tolist()])

    def _churn(self, rows: Told) -> None:
        """Only where one series tells: in between, two may."""
        if not len(rows):
            return
        earlier = shifted(rows, rows.teller, self.alone)
        changed = np.flatnonzero((earlier != NEVER) & (earlier != rows.teller))
        names = self.tellers.names() if len(changed) else []
        for row in changed.tolist():
            place = (int(rows.node[row]), int(rows.step[row]), int(rows.step[row]))
            self._enter("label-churn", [place], f"{names[earlier[row]]} -> {names[rows.teller[row]]}")
        last = rows.last_of_node
        self.alone[rows.node[last]] = rows.teller[last]

    def _unchanged(self, rows: Told, possible: Mask) -> None:
        """Enter the stretches that have ended, and since when the last ones are. An impossible value is no stretch."""
        earlier = self.before.steps(rows)
        goes_on = (self.before.values(rows) == rows.value) & (rows.step == earlier + 1) & possible
        first, last = rows.first_of_node, rows.last_of_node
        since = np.where(goes_on, NEVER, rows.step)
        since[first & goes_on] = self.before.since[rows.node[first & goes_on]]
        starts = since[np.maximum.accumulate(np.where(first | ~goes_on, np.arange(len(rows)), 0))]
        ended = ~goes_on & ~first
        self._stretch(rows.node[ended], starts[np.flatnonzero(ended) - 1], earlier[ended])
        broken = first & ~goes_on & (earlier != NEVER)
        self._stretch(rows.node[broken], self.before.since[rows.node[broken]], earlier[broken])
        self.before.since[rows.node[last]] = starts[last]

    def _stretch(self, node: Ints, first: Ints, last: Ints) -> None:
        """Of some use: those that a stuck sensor may be compared with."""
        long = (last - first + 1) * ALIKE >= self.stuck_steps
        if long.any():
            self.stretches.append(np.stack([node[long], first[long], last[long]], axis=1))

    def _remember(self, rows: Told, possible: Mask) -> None:
        first, last = rows.first_of_node, rows.last_of_node
        new = first & (self.first[rows.node] == NEVER)
        self.first[rows.node[new]] = rows.step[new]
        self.before.step[rows.node[last]], self.before.value[rows.node[last]] = rows.step[last], rows.value[last]
        self.known += np.bincount(rows.node[possible], minlength=len(self.known))

    def close(self) -> None:
        """No hour follows: the last stretches end, and those that are unusual are findings."""
        there = np.flatnonzero(self.before.step != NEVER)
        self._stretch(there, self.before.since[there], self.before.step[there])
        if self.stretches:
            self._enter("stuck", unusual(np.concatenate(self.stretches), self.stuck_steps))


def unusual(stretches: Ints, stuck_steps: int) -> list[Stretch]:
    """Stretches at least so long whose node has fewer than USUAL others of their kind. stretches: [number, 3]."""
    length = stretches[:, 2] - stretches[:, 1] + 1
    order = np.lexsort((length, stretches[:, 0]))
    stretches, length = stretches[order], length[order]
    ends = np.searchsorted(stretches[:, 0], stretches[:, 0], side="right")
    found = []
    for row in np.flatnonzero(length >= stuck_steps).tolist():
        start = int(np.searchsorted(stretches[:, 0], stretches[row, 0]))
        alike = start + int(np.searchsorted(length[start : ends[row]], length[row] / ALIKE))
        if int(ends[row]) - alike - 1 < USUAL:
            node, first, last = stretches[row].tolist()
            found.append((node, first, last))
    return found
