"""What is in force now: the settings file is the base, an audited override in Redis lies over it, and Berth's own
retreat to shadow over both."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pydantic import Field, ValidationError

from berth.settings import Group
from extender.settings import ExtenderSettings, Mode, Weights


class Override(Group):
    """What `berth mode` and the console write to Redis. A field left out leaves the settings' value in force."""

    mode: Mode | None = Field(None, description="off, shadow or active")
    rollout_percent: float | None = Field(None, ge=0.0, le=100.0, description="share of owners scored, %")
    weights: Weights | None = Field(None, description="parts of the total")
    expires_ms: int | None = Field(None, ge=0, description="unix ms after which it counts no more")
    by: str = Field("", max_length=200, description="who set it")
    why: str = Field("", max_length=1000, description="why")
    at_ms: int = Field(0, ge=0, description="unix ms when it was set")


@dataclass(frozen=True)
class Controls:
    """mode, rollout share and weights in force, and which of 'settings', 'override', 'retreat' decided the mode."""

    mode: Mode
    rollout_percent: float
    weights: dict[str, float]
    source: str


def parse_override(raw: bytes | None) -> Override | None:
    """The override in Redis. None where there is none; ValueError where it is not one."""
    if not raw:
        return None
    try:
        return Override.model_validate(json.loads(raw))
    except (ValidationError, ValueError, RecursionError) as error:
        raise ValueError("unreadable override") from error


def alive(override: Override | None, now_ms: float) -> Override | None:
    """The override, None once it has expired."""
    if override is not None and override.expires_ms is not None and override.expires_ms <= now_ms:
        return None
    return override


def in_force(settings: ExtenderSettings, override: Override | None, retreated: bool) -> Controls:
    """Combine the layers. A retreat turns `active` into `shadow` and leaves `off` alone."""
    given = override or Override()
    mode: Mode = given.mode or settings.mode
    source = "override" if given.mode else "settings"
    if retreated and mode == "active":
        mode, source = "shadow", "retreat"
    percent = settings.rollout_percent if given.rollout_percent is None else given.rollout_percent
    weights = given.weights or settings.scoring.weights
    return Controls(mode, percent, weights.model_dump(), source)
