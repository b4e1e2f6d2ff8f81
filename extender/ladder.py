"""The fallback ladder: how far below 'scores of the newest snapshot from all three models' an answer stands."""

from __future__ import annotations

from enum import IntEnum


class Step(IntEnum):
    """Steps from best to worst. Only those above CACHED are fallbacks and counted as such."""

    FRESH = 0
    """All three models; at least one was asked for this pod."""
    CACHED = 1
    """All three models, for the newest snapshot, from memory or Redis."""
    AGED_SNAPSHOT = 2
    """All three models, but the newest snapshot is past `fresh_s`."""
    OLDER_SCORES = 3
    """Scores of an older snapshot stand in for at least one model."""
    PARTIAL = 4
    """At least one model is missing; the others are renormalised."""
    NEUTRAL = 5
    """Nothing to score with: default scheduling."""

    @property
    def label(self) -> str:
        """As in metrics and records: 'older-scores'."""
        return self.name.lower().replace("_", "-")

    @property
    def is_fallback(self) -> bool:
        """Whether the step counts as a fallback."""
        return self > Step.CACHED


FRESH_OUTCOMES = ("fresh",)
CACHED_OUTCOMES = ("memory", "redis")
OLDER = "older"


def step(outcomes: list[str], aged: bool) -> Step:
    """The step of an answer from how each enabled model's scores were come by, and whether the snapshot is aged."""
    usable = [o for o in outcomes if o in FRESH_OUTCOMES or o in CACHED_OUTCOMES or o == OLDER]
    if not usable:
        return Step.NEUTRAL
    if len(usable) < len(outcomes):
        return Step.PARTIAL
    if OLDER in usable:
        return Step.OLDER_SCORES
    if aged:
        return Step.AGED_SNAPSHOT
    return Step.FRESH if any(o in FRESH_OUTCOMES for o in usable) else Step.CACHED
