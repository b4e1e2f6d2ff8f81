"""What a column of a node snapshot is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Feature:
    """One column: `unit` as written in the docs, `window` of history it looks back over ('now' for none), `source` is
    where its values come from, `missing` says what stands there when the value is unknown."""

    name: str
    family: str
    unit: str
    window: str
    description: str
    source: str
    missing: str = "NaN"
