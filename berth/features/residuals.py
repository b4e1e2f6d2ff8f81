"""Usage history to columns for the anomaly detector."""

from __future__ import annotations

from berth.features.registry import Feature

FEATURES: tuple[Feature, ...] = ()
