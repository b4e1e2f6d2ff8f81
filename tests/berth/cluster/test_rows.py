"""Rows by name, many at once: as a dict finds them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from berth.cluster.rows import RowIndex


@given(nodes=st.lists(st.text(max_size=4), unique=True, max_size=60), asked=st.lists(st.text(max_size=4), max_size=60))
def test_rows_are_those_of_a_dict(nodes: list[str], asked: list[str]) -> None:
    names = [*asked, *nodes, *nodes[:3]]
    row_of = {name: row for row, name in enumerate(nodes)}
    found = RowIndex(nodes).rows(names)
    assert found.dtype == np.int32
    assert found.tolist() == [row_of.get(name, -1) for name in names]


def test_names_that_share_a_place_of_the_table_are_told_apart() -> None:
    nodes = [f"node-{i}" for i in range(5_000)]
    index = RowIndex(nodes)
    assert len(set((index.hashes & index.mask).tolist())) < len(nodes)  # some share one
    assert index.rows(nodes).tolist() == list(range(5_000))
    assert (index.rows([f"other-{i}" for i in range(5_000)]) == -1).all()
