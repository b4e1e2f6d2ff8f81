"""The columns of a node snapshot: one registry for training, serving and the docs.

A column is named once, by its family's module. Models name the columns they use; the registry only grows
(append to a family, raise VERSION), so that an older model still finds its columns.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

VERSION = 1


@dataclass(frozen=True)
class Feature:
    """One column: `unit` as written in the docs, `window` of history it looks back over ('now' for none),
    `missing` says what stands there when the value is unknown."""

    name: str
    family: str
    unit: str
    window: str
    description: str
    missing: str = "NaN"


def digest(names: tuple[str, ...] | list[str]) -> str:
    """16 hex digits that name an ordered list of columns; caller and model compare them on every call."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


def node_features() -> tuple[Feature, ...]:
    """All columns in snapshot order."""
    from berth.features import capacity, history, residuals

    return (*capacity.FEATURES, *history.FEATURES, *residuals.FEATURES)


def node_feature_names() -> tuple[str, ...]:
    """Names of all columns in snapshot order."""
    return tuple(feature.name for feature in node_features())
