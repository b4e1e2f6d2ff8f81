"""The columns of a node snapshot: one registry for training, serving and the docs.

A column is named once, by its family's module. Models name the columns they use; the registry only grows
(append at its end, raise VERSION), so that an older model still finds its columns.
"""

from __future__ import annotations

import hashlib

from berth.features import capacity, families, history, residuals
from berth.features.feature import Feature

VERSION = 2


def digest(names: tuple[str, ...] | list[str]) -> str:
    """16 hex digits that name an ordered list of columns; caller and model compare them on every call."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


def node_features() -> tuple[Feature, ...]:
    """All columns in snapshot order."""
    return (*capacity.FEATURES, *history.FEATURES, *residuals.FEATURES, *families.FEATURES)


def node_feature_names() -> tuple[str, ...]:
    """Names of all columns in snapshot order."""
    return tuple(feature.name for feature in node_features())
