"""The rows of many node names at once.

kube-scheduler names 500 nodes a pod, others for each. A dict costs three places of memory a name, which are not in the
processor's caches beside a busy scheduler; a table of rows by hash costs one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int32]

ROOM = 8
"""Places of the table for each node, at least: one name in twenty shares its place with another."""


class RowIndex:
    """Row of each node name. Names with the same 64-bit hash are taken for one: Python's differs with each process, and
    two of 5,000 names agree once in 10^12 clusters."""

    def __init__(self, nodes: Sequence[str]) -> None:
        self.row_of = {name: row for row, name in enumerate(nodes)}
        self.hashes = hashes_of(nodes)
        self.mask = 2 ** (ROOM * len(nodes)).bit_length() - 1
        self.table = np.zeros(self.mask + 1, dtype=np.int32)
        self.table[self.hashes & self.mask] = np.arange(len(nodes), dtype=np.int32)

    def rows(self, names: Sequence[str]) -> Rows:
        """int32 [len(names)]: the row of each name, -1 for an unknown one."""
        if not self.row_of:
            return np.full(len(names), -1, dtype=np.int32)
        hashes = hashes_of(names)
        rows: Rows = self.table.take(hashes & self.mask)
        elsewhere = (self.hashes.take(rows) != hashes).nonzero()[0].tolist()
        rows[elsewhere] = [self.row_of.get(names[place], -1) for place in elsewhere]
        return rows


def hashes_of(names: Sequence[str]) -> NDArray[np.int64]:
    """int64 [len(names)]: Python's hashes."""
    return np.fromiter(map(hash, names), dtype=np.int64, count=len(names))
