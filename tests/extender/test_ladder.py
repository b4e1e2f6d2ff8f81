from __future__ import annotations

import pytest

from extender.ladder import Step, step


@pytest.mark.parametrize(
    ("outcomes", "aged", "expected"),
    [
        (["fresh", "fresh", "fresh"], False, Step.FRESH),
        (["memory", "fresh", "redis"], False, Step.FRESH),
        (["memory", "memory", "redis"], False, Step.CACHED),
        (["memory", "fresh", "memory"], True, Step.AGED_SNAPSHOT),
        (["memory", "older", "memory"], False, Step.OLDER_SCORES),
        (["memory", "older", "memory"], True, Step.OLDER_SCORES),
        (["memory", "timeout", "older"], False, Step.PARTIAL),
        (["refused", "open", "memory"], True, Step.PARTIAL),
        (["refused", "timeout", "budget"], False, Step.NEUTRAL),
        ([], False, Step.NEUTRAL),
    ],
)
def test_the_step_is_that_of_the_worst_model(outcomes: list[str], aged: bool, expected: Step) -> None:
    assert step(outcomes, aged) is expected


def test_only_what_is_below_the_newest_scores_of_all_models_is_a_fallback() -> None:
    assert [s.label for s in Step if not s.is_fallback] == ["fresh", "cached"]
    assert [s.label for s in Step if s.is_fallback] == ["aged-snapshot", "older-scores", "partial", "neutral"]
