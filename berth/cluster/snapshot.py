"""The node snapshot: what every reader knows about the cluster at one moment.

One float32 matrix [nodes, features] and its header. Immutable: a newer snapshot replaces it as a whole.
Its byte form is described in `protos/berth/v1/snapshot.proto`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from berth.cluster.rows import RowIndex, Rows
from berth.features.registry import VERSION
from protos.berth.v1.snapshot_pb2 import Binding, SnapshotHeader

HEAD = struct.Struct("<4sII")
"""Magic, CRC-32 of all that follows it, length of the header."""
MAGIC = b"BSN2"
SCHEMA = 1
OLDEST_SCHEMA = 1
"""Readers accept their own schema and the one before it: upgrades mix versions."""

Floats = NDArray[np.float32]


class SnapshotError(ValueError):
    """Bytes that are no snapshot this reader can use; the message says what is wrong with them."""


@dataclass(frozen=True)
class NodeSnapshot:
    """matrix: float32 [nodes, features], NaN where unknown. version rises with each publication; fence is
    the publisher's Lease transition. bindings: pod uid to row, for pods counted in `requested` already."""

    version: int
    published_ms: int
    nodes: tuple[str, ...]
    features: tuple[str, ...]
    matrix: Floats
    gpu_models: tuple[str, ...] = ()
    bindings: Mapping[str, int] = field(default_factory=dict)
    fence: int = 0
    source: str = "replay"

    @property
    def id(self) -> str:
        """Names the snapshot in cache keys: versions may start over when everything was lost."""
        return f"{self.version}-{self.published_ms}"

    @cached_property
    def index(self) -> RowIndex:
        """Finds the rows of node names."""
        return RowIndex(self.nodes)

    @property
    def row_of(self) -> dict[str, int]:
        """Row of each node name."""
        return self.index.row_of

    @cached_property
    def column_of(self) -> dict[str, int]:
        """Column of each feature name."""
        return {name: column for column, name in enumerate(self.features)}

    def rows(self, names: Sequence[str]) -> Rows:
        """int32 [len(names)]: the row of each name, -1 for a node the snapshot does not know."""
        return self.index.rows(names)

    def column(self, name: str) -> Floats:
        """float32 [nodes]: one column, a view. KeyError for an unknown name."""
        return self.matrix[:, self.column_of[name]]

    def take(self, features: Sequence[str]) -> Floats:
        """float32 [nodes, len(features)], contiguous: the columns a model names. KeyError for an unknown one."""
        return np.ascontiguousarray(self.matrix[:, [self.column_of[name] for name in features]])

    def age_s(self, now_ms: float) -> float:
        """Seconds since publication, never negative."""
        return max(0.0, (now_ms - self.published_ms) / 1000.0)


def encode(snapshot: NodeSnapshot) -> bytes:
    """The byte form of a snapshot."""
    matrix = np.ascontiguousarray(snapshot.matrix, dtype="<f4").tobytes()
    header = head(snapshot)
    header.features.extend(snapshot.features)
    header.nodes.extend(snapshot.nodes)
    header.gpu_models.extend(snapshot.gpu_models)
    return sealed(header.SerializeToString(), matrix)


def head(snapshot: NodeSnapshot) -> SnapshotHeader:
    """What a snapshot's header says of it alone, without the names of columns, nodes and GPU models."""
    return SnapshotHeader(
        schema=SCHEMA,
        version=snapshot.version,
        published_unix_ms=snapshot.published_ms,
        fence=snapshot.fence,
        features_version=VERSION,
        bindings=[Binding(pod_uid=uid, row=row) for uid, row in snapshot.bindings.items()],
        source=snapshot.source,
    )


def sealed(header: bytes, matrix: bytes, magic: bytes = MAGIC) -> bytes:
    """Header and matrix behind their checksum."""
    length = struct.pack("<I", len(header))
    checksum = zlib.crc32(matrix, zlib.crc32(header, zlib.crc32(length)))
    return b"".join((magic, struct.pack("<I", checksum), length, header, matrix))


def decode(raw: bytes) -> NodeSnapshot:
    """The snapshot in `raw`. Raises SnapshotError on anything torn, foreign or of a schema too old or new."""
    header, matrix = split(raw)
    shape = (len(header.nodes), len(header.features))
    if len(matrix) != shape[0] * shape[1] * 4:
        raise SnapshotError(f"{len(matrix)} bytes of matrix for {shape[0]} nodes and {shape[1]} features")
    if len(set(header.nodes)) != shape[0] or len(set(header.features)) != shape[1]:
        raise SnapshotError("a node or feature is named twice")
    return NodeSnapshot(
        version=header.version,
        published_ms=header.published_unix_ms,
        nodes=tuple(header.nodes),
        features=tuple(header.features),
        matrix=np.frombuffer(matrix, dtype="<f4").reshape(shape),
        gpu_models=tuple(header.gpu_models),
        bindings={b.pod_uid: b.row for b in header.bindings if b.row < shape[0]},
        fence=header.fence,
        source=header.source,
    )


def split(raw: bytes, magic: bytes = MAGIC) -> tuple[SnapshotHeader, memoryview]:
    """Header and matrix bytes. Raises SnapshotError."""
    if len(raw) < HEAD.size or raw[:4] != magic:
        raise SnapshotError("not a snapshot")
    _, checksum, length = HEAD.unpack_from(raw)
    body = memoryview(raw)
    if HEAD.size + length > len(raw):
        raise SnapshotError("cut off inside its header")
    if zlib.crc32(body[8:]) != checksum:
        raise SnapshotError("its checksum does not match")
    try:
        header = SnapshotHeader.FromString(raw[HEAD.size : HEAD.size + length])
    except Exception as error:
        raise SnapshotError("unreadable header") from error
    if not OLDEST_SCHEMA <= header.schema <= SCHEMA:
        raise SnapshotError(f"schema {header.schema}, this reader takes {OLDEST_SCHEMA} to {SCHEMA}")
    return header, body[HEAD.size + length :]
