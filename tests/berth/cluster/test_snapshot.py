from __future__ import annotations

import contextlib
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from berth.cluster.snapshot import MAGIC, NodeSnapshot, SnapshotError, decode, encode, sealed, split
from protos.berth.v1.snapshot_pb2 import SnapshotHeader


def small(**more: Any) -> NodeSnapshot:
    fields: dict[str, Any] = {
        "version": 7,
        "published_ms": 1_700_000_000_000,
        "nodes": ("a", "b", "ü"),
        "features": ("x", "y"),
        "matrix": np.array([[1, 2], [3, np.nan], [5, 6]], dtype=np.float32),
        "gpu_models": ("T4",),
        "bindings": {"p": 2},
        "fence": 3,
    }
    return NodeSnapshot(**{**fields, **more})


def same(one: NodeSnapshot, other: NodeSnapshot) -> bool:
    names = ("version", "published_ms", "nodes", "features", "gpu_models", "bindings", "fence", "source")
    alike = all(getattr(one, name) == getattr(other, name) for name in names)
    return alike and one.matrix.tobytes() == other.matrix.tobytes()


@given(
    hnp.arrays(np.float32, st.tuples(st.integers(0, 8), st.integers(1, 5)), elements=st.floats(width=32)),
    st.integers(0, 2**63),
    st.dictionaries(st.text("abc", min_size=1), st.integers(0, 7)),
)
def test_a_snapshot_survives_redis(matrix: np.ndarray, version: int, bindings: dict[str, int]) -> None:
    nodes, features = (tuple(f"{kind}{i}" for i in range(n)) for kind, n in zip("nf", matrix.shape, strict=True))
    inside = {uid: row for uid, row in bindings.items() if row < len(nodes)}
    made = small(version=version, nodes=nodes, features=features, matrix=matrix, bindings=inside)
    assert same(decode(encode(made)), made)


def test_torn_at_every_byte_it_is_refused() -> None:
    raw = encode(small())
    for end in range(len(raw)):
        with pytest.raises(SnapshotError):
            decode(raw[:end])
    with pytest.raises(SnapshotError):
        decode(raw + b"\0")


@given(st.data())
def test_a_corrupted_byte_is_refused(data: st.DataObject) -> None:
    raw = bytearray(encode(small()))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SnapshotError):
        decode(bytes(raw))


def test_a_node_that_became_a_feature_is_refused_though_the_matrix_would_fit() -> None:
    raw = encode(small())
    node, feature = b"\x3a\x02\xc3\xbc", b"\x32\x02\xc3\xbc"  # "ü" in field 7, and in field 6
    assert raw.count(node) == 1
    with pytest.raises(SnapshotError, match="checksum"):
        decode(raw.replace(node, feature))


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(raw: bytes) -> None:
    for poisoned in (raw, MAGIC + raw, sealed(raw, b""), sealed(b"", raw)):
        with contextlib.suppress(SnapshotError):
            assert not decode(poisoned).nodes


def poisoned(**fields: Any) -> bytes:
    header, matrix = split(encode(small()))
    for name, value in fields.items():
        if isinstance(value, tuple):
            del getattr(header, name)[:]
            getattr(header, name).extend(value)
        else:
            setattr(header, name, value)
    return sealed(header.SerializeToString(), bytes(matrix))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"schema": 0}, "schema 0"),
        ({"schema": 2}, "schema 2"),
        ({"nodes": ("a", "b")}, "bytes of matrix"),
        ({"nodes": ("a", "b", "b")}, "named twice"),
        ({"features": ("x", "x")}, "named twice"),
        ({"features": ("x",)}, "bytes of matrix"),
    ],
)
def test_a_foreign_header_is_refused_in_words(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(SnapshotError, match=why):
        decode(poisoned(**fields))


def test_a_header_longer_than_the_value_is_refused() -> None:
    with pytest.raises(SnapshotError, match="cut off"):
        decode(MAGIC + bytes(4) + struct.pack("<I", 2**32 - 1) + b"x" * 100)


def test_a_binding_of_no_row_is_dropped() -> None:
    header, _ = split(encode(small()))
    header.bindings[0].row = 99
    assert decode(sealed(header.SerializeToString(), small().matrix.tobytes())).bindings == {}


def test_the_byte_form_is_that_of_the_proto() -> None:
    raw = encode(small())
    assert raw[:4] == b"BSN2"
    checksum, length = struct.unpack_from("<II", raw, 4)
    assert checksum == zlib.crc32(raw[8:])
    assert SnapshotHeader.FromString(raw[12 : 12 + length]).nodes == ["a", "b", "ü"]
    assert raw[12 + length :] == small().matrix.astype("<f4").tobytes()


def test_rows_of_unknown_names_are_minus_one() -> None:
    snapshot = small()
    assert snapshot.rows(["ü", "nobody", "a", "a"]).tolist() == [2, -1, 0, 0]
    assert snapshot.rows([]).shape == (0,)
    assert snapshot.take(["y", "x"]).tolist()[0] == [2.0, 1.0]
    with pytest.raises(KeyError):
        snapshot.column("z")


def test_age_is_never_negative() -> None:
    assert small().age_s(1_700_000_001_500.0) == 1.5
    assert small().age_s(0.0) == 0.0
    assert small().id == "7-1700000000000"
