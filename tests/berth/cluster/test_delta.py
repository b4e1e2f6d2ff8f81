"""The change from one snapshot to the next gives the same as the whole one, or is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from berth.cluster.delta import apply_delta, encode_delta
from berth.cluster.snapshot import NodeSnapshot, SnapshotError, decode, encode
from tests.berth.cluster.test_snapshot import same, small

FEATURES = tuple("abcdefgh")


def before() -> NodeSnapshot:
    matrix = np.arange(24, dtype=np.float32).reshape(3, 8)
    matrix[1, 2] = np.nan
    return small(features=FEATURES, matrix=matrix)


def after(changes: dict[tuple[int, int], float]) -> NodeSnapshot:
    matrix = before().matrix.copy()
    for (row, column), value in changes.items():
        matrix[row, column] = value
    return replace(before(), version=8, published_ms=1_700_000_015_000, matrix=matrix, bindings={"q": 0}, fence=4)


CHANGES = st.dictionaries(
    st.tuples(st.integers(0, 2), st.integers(0, 5)), st.floats(width=32) | st.just(float("nan")), max_size=6
)


@given(CHANGES)
def test_a_delta_and_the_one_before_are_the_whole(changes: dict[tuple[int, int], float]) -> None:
    whole = after(changes)
    raw = encode_delta(before(), whole)
    assert raw is not None
    assert same(apply_delta(before(), raw), decode(encode(whole)))
    assert apply_delta(before(), raw).row_of == whole.row_of


def test_where_much_has_changed_or_nodes_are_others_there_is_none() -> None:
    assert encode_delta(before(), after({(0, column): 99.0 for column in range(7)})) is None
    assert encode_delta(before(), replace(after({}), nodes=("a", "b", "c"))) is None
    assert encode_delta(before(), replace(after({}), gpu_models=("A100",))) is None
    assert encode_delta(before(), replace(after({}), features=tuple("abcdefgi"))) is None


def test_to_another_snapshot_it_is_refused() -> None:
    raw = encode_delta(before(), after({(0, 0): 5.0}))
    assert raw is not None
    for other in (replace(before(), version=6), replace(before(), published_ms=1)):
        with pytest.raises(SnapshotError, match="another snapshot"):
            apply_delta(other, raw)


def test_torn_or_corrupted_it_is_refused() -> None:
    raw = encode_delta(before(), after({(0, 0): 5.0, (1, 3): 6.0}))
    assert raw is not None
    for place in range(len(raw)):
        with pytest.raises(SnapshotError):
            apply_delta(before(), raw[:place])
        with pytest.raises(SnapshotError):
            apply_delta(before(), raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])


def test_one_form_is_not_taken_for_the_other() -> None:
    raw = encode_delta(before(), after({(0, 0): 5.0}))
    assert raw is not None
    with pytest.raises(SnapshotError):
        decode(raw)
    with pytest.raises(SnapshotError):
        apply_delta(before(), encode(before()))
