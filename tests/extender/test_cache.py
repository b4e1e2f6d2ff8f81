from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from extender.cache import HEAD, pack, unpack

ANY_FLOAT = st.floats(width=32, allow_nan=True, allow_infinity=True)
VALUES = hnp.arrays(np.float32, st.tuples(st.integers(0, 30), st.integers(1, 6)), elements=ANY_FLOAT)


@given(VALUES)
def test_what_is_packed_comes_back_bit_by_bit(values: np.ndarray) -> None:
    found = unpack(pack(values), *values.shape)
    assert found is not None
    assert found.tobytes() == values.tobytes()
    assert found.dtype == np.float32


@given(VALUES, st.data())
def test_any_corrupted_byte_is_refused(values: np.ndarray, data: st.DataObject) -> None:
    raw = bytearray(pack(values))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    assert unpack(bytes(raw), *values.shape) is None


@given(VALUES, st.data())
def test_any_cut_and_any_addition_is_refused(values: np.ndarray, data: st.DataObject) -> None:
    raw = pack(values)
    assert unpack(raw[: data.draw(st.integers(0, len(raw) - 1))], *values.shape) is None
    assert unpack(raw + data.draw(st.binary(min_size=1, max_size=8)), *values.shape) is None


@given(st.binary(max_size=200), st.integers(0, 10), st.integers(1, 6))
def test_random_bytes_are_refused(raw: bytes, rows: int, columns: int) -> None:
    assert unpack(raw, rows, columns) is None


@pytest.mark.parametrize("shape", [(3, 4), (12, 1), (2, 6), (13, 1)])
def test_another_shape_of_the_same_size_is_refused(shape: tuple[int, int]) -> None:
    assert unpack(pack(np.zeros((4, 3), dtype=np.float32)), *shape) is None


def test_the_head_is_a_surface_that_replicas_of_two_versions_share() -> None:
    assert HEAD.size == 16
    assert pack(np.zeros((2, 1), dtype=np.float32))[:12] == b"BSC1\x02\0\0\0\x01\0\0\0"
