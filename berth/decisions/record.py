"""One scheduling decision, as it goes to the log, the Redis stream and `/v1/decisions`.

The same fields as `protos/berth/v1/decision.proto`; JSON because people read it with `grep` at 3 a.m.
"""

from __future__ import annotations

import msgspec


class ModelPart(msgspec.Struct, frozen=True):
    """What one model said, or why it said nothing: see `ModelPart` in decision.proto."""

    model: str
    outcome: str
    model_version: str = ""
    took_ms: float = 0.0


class ScoredNode(msgspec.Struct, frozen=True):
    """A node with the parts of its score in [0, 1]; None where a part is missing."""

    node: str
    total: float
    score: int
    headroom: float | None = None
    placement: float | None = None
    health: float | None = None
    unknown: bool = False
    in_flight: int = 0


class Decision(msgspec.Struct, frozen=True):
    """pod_* name the pod; decided_ms is unix milliseconds; fallback is a step of the ladder; neutral_reason is ''
    where the answer carried scores; removed names nodes that filter left out, at most 100; took_ms holds the time of
    each step in milliseconds."""

    pod_uid: str
    pod_namespace: str
    pod_name: str
    decided_ms: int
    verb: str
    mode: str
    replica: str
    nodes: int
    opted_in: bool = True
    neutral_reason: str = ""
    snapshot_version: int = 0
    snapshot_age_s: float | None = None
    fallback: str = "neutral"
    models: list[ModelPart] = []
    top: list[ScoredNode] = []
    removed: list[str] = []
    unknown_nodes: int = 0
    took_ms: dict[str, float] = {}
    reason: str = ""


encoder = msgspec.json.Encoder()
decoder = msgspec.json.Decoder(Decision)


def encode(decision: Decision) -> bytes:
    """One JSON object, no line break inside."""
    return encoder.encode(decision)


def decode(raw: bytes) -> Decision:
    """Raises msgspec.DecodeError for anything else."""
    return decoder.decode(raw)
