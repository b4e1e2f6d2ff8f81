"""One snapshot as the extender works with it: rows changed by pods in flight, and the scores known so far.

Arrays are allocated once a snapshot, not once a pod. Not thread-safe: used on the event loop alone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from berth.cluster.snapshot import NodeSnapshot
from berth.features.capacity import GPU_SLOTS
from extender.board import Boards
from extender.headroom import peaks
from extender.inflight import Change, Placement

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Origin = Literal["fresh", "memory", "redis", "older"]
Key = tuple[str, str]
"""(model, pod class); the class is '' for models that know no pod."""


@dataclass
class NodeScores:
    """One model's scores of all nodes of a snapshot: float32 [nodes, columns]. epochs: the view's clock at which
    each row was asked. origin: where they came from when they were entered."""

    values: Floats
    model_version: str
    snapshot_id: str
    published_ms: int
    origin: Origin
    epochs: Ints
    peak: Floats | None = None

    def __post_init__(self) -> None:
        self.whole = not np.isnan(self.values).any()
        """Whether no value is missing."""

    def update(self, rows: Ints, values: Floats, clock: int) -> None:
        """Enter newer values of some rows, asked at `clock`. Who holds the array of before keeps it as it is."""
        self.values = self.values.copy()
        self.values[rows] = values
        self.epochs[rows] = clock
        self.whole = not np.isnan(self.values).any()


@dataclass
class ClusterView:
    """snapshot, the scores for it, and what pods in flight change.

    matrix: float32 [nodes, features], the snapshot's with requests in flight added. usage: float32 [nodes, 2], share
    of CPU and memory that pods in flight are expected to use. in_flight: float32 [nodes], their number.
    row_epoch: int32 [nodes], the clock at which a row of `matrix` changed last. placed: pods counted here, by uid.
    older: stand-ins of older snapshots with the nodes they are about.
    devices: GPU columns and shares that a counted pod has taken. per_unit: float32 [nodes, 2], the share of a node
    that one core and one GiB are. flight: float32 [nodes, 4], per_unit and usage side by side. boards: of these scores.
    """

    snapshot: NodeSnapshot
    usage_of_request: float
    classes: int
    matrix: Floats = field(init=False)
    flight: Floats = field(init=False)
    per_unit: Floats = field(init=False)
    usage: Floats = field(init=False)
    in_flight: Floats = field(init=False)
    row_epoch: Ints = field(init=False)
    clock: int = 0
    scores: OrderedDict[Key, NodeScores] = field(default_factory=OrderedDict)
    older: dict[Key, tuple[NodeScores, tuple[str, ...]]] = field(default_factory=dict)
    devices: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    placed: dict[str, Placement] = field(default_factory=dict)
    boards: Boards = field(default_factory=Boards)

    def __post_init__(self) -> None:
        nodes = len(self.snapshot.nodes)
        self.matrix = self.snapshot.matrix.copy()
        self.flight = np.zeros((nodes, 4), dtype=np.float32)
        self.per_unit, self.usage = self.flight[:, :2], self.flight[:, 2:]
        self.in_flight = np.zeros(nodes, dtype=np.float32)
        self.row_epoch = np.zeros(nodes, dtype=np.int32)
        allocatable = self.snapshot.take(("cpu_allocatable", "memory_allocatable"))
        self.per_unit[:] = np.reciprocal(np.maximum(allocatable, np.float32(0.001)))
        self.column = self.snapshot.column_of
        self.gpu_columns = [self.column[f"gpu{slot}_free"] for slot in range(GPU_SLOTS)]

    def get(self, key: Key) -> NodeScores | None:
        """Scores for this snapshot, the most recently used kept longest."""
        found = self.scores.get(key)
        if found is not None and key[1]:
            self.scores.move_to_end(key)
        return found

    def enter(self, key: Key, scores: NodeScores) -> None:
        """Keep scores; of too many pod classes the least recently used goes."""
        if key[0] == "load-predictor":
            scores.peak = peaks(scores.values)
        self.scores[key] = scores
        if key[1] and sum(1 for k in self.scores if k[1]) > self.classes:
            del self.scores[next(k for k in self.scores if k[1])]

    def stale_rows(self, scores: NodeScores) -> Ints:
        """Rows that pods in flight have changed since these scores were asked."""
        if int(scores.epochs.min(initial=self.clock)) >= self.clock:
            return np.empty(0, dtype=np.int32)
        return np.flatnonzero(self.row_epoch > scores.epochs).astype(np.int32)

    def stand_in(self, key: Key, oldest_ms: float) -> NodeScores | None:
        """Scores of an older snapshot on this snapshot's rows, NaN for nodes it did not know; None where there are
        none published after `oldest_ms`."""
        found = self.older.get(key)
        if found is None or found[0].published_ms < oldest_ms:
            return None
        scores, nodes = found
        if nodes == self.snapshot.nodes:
            values = scores.values
        else:
            row_of = {name: row for row, name in enumerate(nodes)}
            rows = np.array([row_of.get(name, -1) for name in self.snapshot.nodes], dtype=np.int32)
            values = np.where((rows >= 0)[:, None], scores.values[rows], np.float32(np.nan)).astype(np.float32)
        peak = peaks(values) if key[0] == "load-predictor" else None
        epochs = np.full(len(values), self.clock, dtype=np.int32)
        return NodeScores(values, scores.model_version, scores.snapshot_id, scores.published_ms, "older", epochs, peak)

    def badness(self) -> Floats:
        """float32 [nodes]: how far below full health or above no load a node is; larger is worse."""
        worst = np.zeros(len(self.snapshot.nodes), dtype=np.float32)
        for (model, _), scores in self.scores.items():
            if model == "anomaly-detector":
                worst = np.fmax(worst, 1.0 - scores.values[:, 0])
            elif scores.peak is not None:
                worst = np.fmax(worst, scores.peak.max(axis=1))
        return worst

    def inherit(self, before: ClusterView | None, oldest_ms: float) -> None:
        """Take over the scores of the view before this one as stand-ins."""
        if before is None:
            return
        kept = {k: v for k, v in before.older.items() if v[0].published_ms >= oldest_ms}
        for key, scores in before.scores.items():
            if scores.origin != "older":
                kept.pop(key, None)  # entered anew: the newest are last
                kept[key] = scores, before.snapshot.nodes
        by_class = [item for item in kept.items() if item[0][1]]
        self.older = {k: v for k, v in kept.items() if not k[1]} | dict(by_class[-self.classes :])

    def place(self, placements: Iterable[Placement]) -> None:
        """Apply all pods in flight to a new view."""
        for placement in placements:
            self._add(placement)

    def apply(self, change: Change) -> None:
        """Apply one change of the ledger."""
        if change.before is not None and self.placed.pop(change.before.uid, None) is not None:
            self._remove(change.before)
        if change.after is not None:
            self._add(change.after)

    def _add(self, placement: Placement) -> None:
        self.placed[placement.uid] = placement
        row = self.snapshot.row_of.get(placement.node)
        if row is None:
            return
        self._count(row, placement, 1.0)
        if placement.uid not in self.snapshot.bindings:  # otherwise its request is part of the row already
            self._request(row, placement, 1.0)
            self.devices[placement.uid] = self._take_devices(row, placement)
            self._touch(row)

    def _remove(self, placement: Placement) -> None:
        row = self.snapshot.row_of.get(placement.node)
        if row is None:
            return
        self._count(row, placement, -1.0)
        taken = self.devices.pop(placement.uid, None)
        if taken is not None:
            self._request(row, placement, -1.0)
            for column, share in taken:
                self.matrix[row, column] += share
            self._touch(row)

    def _count(self, row: int, placement: Placement, sign: float) -> None:
        self.in_flight[row] += sign
        share = sign * self.usage_of_request
        self.usage[row, 0] += share * placement.cpu * float(self.per_unit[row, 0])
        self.usage[row, 1] += share * placement.memory * float(self.per_unit[row, 1])
        self.boards.touch(row)

    def _request(self, row: int, placement: Placement, sign: float) -> None:
        share = placement.gpus * (placement.gpu_milli / 1000.0 if placement.gpu_milli else 1.0)
        asked = {
            "cpu_requested": placement.cpu,
            "memory_requested": placement.memory,
            "gpu_requested": share,
            "pods_requested": 1.0,
        }
        for name, value in asked.items():
            self.matrix[row, self.column[name]] += sign * value

    def _take_devices(self, row: int, placement: Placement) -> list[tuple[int, float]]:
        """Take the tightest devices that fit, as device plugins that pack do; the extender picks no device."""
        share = placement.gpu_milli / 1000.0 if placement.gpu_milli else 1.0
        taken = []
        for _ in range(placement.gpus):
            free = self.matrix[row, self.gpu_columns]
            fits = [(float(f), c) for f, c in zip(free, self.gpu_columns, strict=True) if f >= share - 1e-4]
            if not fits:
                break
            column = min(fits)[1]
            self.matrix[row, column] -= share
            taken.append((column, share))
        return taken

    def _touch(self, row: int) -> None:
        self.clock += 1
        self.row_epoch[row] = self.clock
