"""What the models say of every node for pods that ask for the same, and the parts combined.

Worked out when a model has spoken, kept up as pods are placed: a decision takes its nodes' totals from one place, and
beside a busy scheduler every place more is one that is not in the processor's caches. A board never changes, it is
replaced: who holds one can tell later what a decision stood on.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from berth.cluster.pods import PodRequest
from extender.combine import combine, shares
from extender.headroom import headroom

if TYPE_CHECKING:
    from extender.scoring import Finding
    from extender.view import ClusterView

Floats = NDArray[np.float32]

HEADROOM = "headroom"
PART_OF = {"load-predictor": HEADROOM, "placement-scorer": "placement", "anomaly-detector": "health"}
KEPT = 16
"""Boards of a view: 40 kB each at 5,000 nodes."""
FEW = 16
"""Rows that are worked out one by one; of more all are."""


class Board(msgspec.Struct, frozen=True):
    """parts: float32 [nodes] each, NaN where a model says nothing. totals: float32 [nodes], the parts with weight
    combined; None where a value is missing or no part has weight."""

    parts: Mapping[str, Floats]
    totals: Floats | None

    def at(self, row: int) -> dict[str, float]:
        """Each part of one row."""
        return {name: part.item(row) for name, part in self.parts.items()}


class Basis(msgspec.Struct, frozen=True):
    """What a board was worked out from. asked: CPU cores and memory GiB that the pod is expected to use."""

    asked: tuple[float, float]
    findings: Sequence[Finding]
    values: Sequence[Floats]
    weights: Mapping[str, float]

    def same(self, other: Basis) -> bool:
        """Whether nothing has changed: arrays are replaced, never written to."""
        pairs = zip(self.values, other.values, strict=True)
        return self.weights is other.weights and all(ours is theirs for ours, theirs in pairs)


class Boards:
    """The newest boards of one view."""

    def __init__(self) -> None:
        self.kept: OrderedDict[tuple[object, ...], tuple[Basis, Board, set[int]]] = OrderedDict()

    def touch(self, row: int) -> None:
        """What pods in flight use of a row has changed."""
        for _, _, stale in self.kept.values():
            stale.add(row)

    def board(
        self, view: ClusterView, pod: PodRequest, findings: Sequence[Finding], weights: Mapping[str, float]
    ) -> Board:
        """The board for pods like this one, as things are now."""
        share = view.usage_of_request
        given = [finding.scores for finding in findings if finding.scores is not None]
        basis = Basis((pod.cpu * share, pod.memory * share), findings, [one.values for one in given], weights)
        key = (pod.cpu, pod.memory, *map(id, given))
        found = self.kept.get(key)
        if found is None or len(found[2]) > FEW or not found[0].same(basis):
            board = worked_out(view, basis)
        elif found[2]:
            board = kept_up(view, basis, found[1], found[2])
        else:
            return found[1]
        self.kept[key] = basis, board, set()
        if len(self.kept) > KEPT:
            self.kept.popitem(last=False)
        return board


def worked_out(view: ClusterView, basis: Basis) -> Board:
    """A board from nothing."""
    parts = parts_of(view.flight, basis)
    whole = all(finding.scores is None or finding.scores.whole for finding in basis.findings)
    return Board(parts, combine(parts, basis.weights) if whole and shares(parts, basis.weights) else None)


def parts_of(flight: Floats, basis: Basis) -> dict[str, Floats]:
    """What the models say: float32 [nodes] each. flight: the view's."""
    parts, asked = {}, np.array(basis.asked, dtype=np.float32)
    for finding in basis.findings:
        if finding.scores is None:
            continue
        if finding.scores.peak is not None:
            part = headroom(finding.scores.peak, asked * flight[:, :2] + flight[:, 2:])
        else:
            part = finding.scores.values[:, 0]
        parts[PART_OF[finding.model]] = part
    return parts


def kept_up(view: ClusterView, basis: Basis, board: Board, rows: set[int]) -> Board:
    """A board with the headroom of a few rows worked out again, in Python's own numbers: for a row or two they take a
    tenth of an array's time."""
    peak = next((f.scores.peak for f in basis.findings if f.scores is not None and f.scores.peak is not None), None)
    if peak is None:
        return board
    left = board.parts[HEADROOM].copy()
    for row in rows:
        unit_cpu, unit_memory, cpu, memory = view.flight[row].tolist()
        peak_cpu, peak_memory = peak[row].tolist()
        load = max(peak_cpu + basis.asked[0] * unit_cpu + cpu, peak_memory + basis.asked[1] * unit_memory + memory)
        left[row] = min(max(1.0 - load, 0.0), 1.0)
    parts = {**board.parts, HEADROOM: left}
    return Board(parts, None if board.totals is None else retotalled(board.totals, parts, basis.weights, rows))


def retotalled(totals: Floats, parts: Mapping[str, Floats], weights: Mapping[str, float], rows: set[int]) -> Floats:
    """Totals with those of a few rows added up again."""
    changed, used = totals.copy(), shares(parts, weights)
    for row in rows:
        changed[row] = sum(share * parts[name].item(row) for name, share in used.items())
    return changed
