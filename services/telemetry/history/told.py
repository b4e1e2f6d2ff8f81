"""An hour's rows as arrays, one metric at a time, and what stands before each value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

T = TypeVar("T", bound=np.generic)

NEVER = -1


class Codes:
    """A number for each text, the same in every hour."""

    def __init__(self) -> None:
        self.number: dict[str, int] = {}

    def of(self, column: pa.ChunkedArray) -> Ints:
        """int64 [row]."""
        encoded = pa.concat_arrays(column.unify_dictionaries().chunks or [pa.array([], pa.string())])
        encoded = encoded if pa.types.is_dictionary(encoded.type) else encoded.dictionary_encode()
        index = encoded.indices.to_numpy(zero_copy_only=False)
        texts, number = encoded.dictionary.to_pylist(), np.zeros(len(encoded.dictionary), dtype=np.int64)
        for used in np.unique(index).tolist():  # a dictionary may hold more than its column
            number[used] = self.number.setdefault(texts[used], len(self.number))
        found: Ints = number[index]
        return found

    def names(self) -> list[str]:
        """The texts, by number."""
        return list(self.number)


@dataclass(frozen=True)
class Told:
    """Of one metric, by node and step, each once; arrays [row], at least one. twice: two series tell, and the larger
    value counts."""

    node: Ints
    step: Ints
    value: Floats
    teller: Ints
    twice: Mask

    def __len__(self) -> int:
        return len(self.node)

    @property
    def first_of_node(self) -> Mask:
        """Rows that no row of the same node stands before."""
        return np.concatenate([[True], self.node[1:] != self.node[:-1]])

    @property
    def last_of_node(self) -> Mask:
        """Rows that no row of the same node follows."""
        return np.concatenate([self.node[1:] != self.node[:-1], [True]])

    def only(self, rows: Mask) -> Told:
        """Some of the rows."""
        return Told(self.node[rows], self.step[rows], self.value[rows], self.teller[rows], self.twice[rows])


def told(node: Ints, step: Ints, value: Floats, teller: Ints) -> Told:
    """Rows in any order as `Told`."""
    order = np.lexsort((value, step, node))
    node, step, value, teller = node[order], step[order], value[order], teller[order]
    same = np.concatenate([(node[1:] == node[:-1]) & (step[1:] == step[:-1]), [False]])[: len(node)]
    largest = ~same  # the last of those that are equal
    return Told(node[largest], step[largest], value[largest], teller[largest], np.roll(same, 1)[largest])


class Before:
    """The last word of each node so far: its step (NEVER before the first) and value, and since which step the
    value is unchanged. Arrays [node], grown on demand."""

    def __init__(self) -> None:
        self.step, self.since = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        self.value = np.zeros(0, dtype=np.float32)

    def grow(self, nodes: int) -> None:
        """Room for so many."""
        more = max(0, nodes - len(self.step))
        self.step = np.concatenate([self.step, np.full(more, NEVER)])
        self.since = np.concatenate([self.since, np.full(more, NEVER)])
        self.value = np.concatenate([self.value, np.full(more, np.nan, dtype=np.float32)])

    def steps(self, rows: Told) -> Ints:
        """The step before each row."""
        return shifted(rows, rows.step, self.step)

    def values(self, rows: Told) -> Floats:
        """The value before each row."""
        return shifted(rows, rows.value, self.value)


def shifted(rows: Told, own: NDArray[T], before: NDArray[T]) -> NDArray[T]:
    """The row before's, or what is remembered of its node."""
    found = np.roll(own, 1)
    first = rows.first_of_node
    found[first] = before[rows.node[first]]
    return found


def runs(rows: Told, marked: Mask) -> list[tuple[int, int, int]]:
    """Node, first and last step of the marked rows that follow each other without a gap."""
    at = np.flatnonzero(marked)
    if not len(at):
        return []
    node, step = rows.node[at], rows.step[at]
    begins = np.concatenate([[True], (node[1:] != node[:-1]) | (step[1:] != step[:-1] + 1)])
    starts = np.flatnonzero(begins)
    ends = np.concatenate([starts[1:] - 1, [len(at) - 1]])
    return list(zip(node[starts].tolist(), step[starts].tolist(), step[ends].tolist(), strict=True))
