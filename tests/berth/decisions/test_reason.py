from __future__ import annotations

import pytest

from berth.decisions.reason import NEUTRAL, in_words
from berth.decisions.record import Decision, ModelPart, ScoredNode


def decision(top: list[ScoredNode] | None = None, outcomes: str = "fresh", **more: object) -> Decision:
    names = ("load-predictor", "placement-scorer", "anomaly-detector")
    models = [ModelPart(name, outcome) for name, outcome in zip(names, outcomes.split() * 3, strict=False)]
    return Decision("u", "d", "p", 0, "filter", "active", "r", 2, models=models, top=top or [], **more)  # type: ignore[arg-type]


A = ScoredNode("a", 0.9, 10, headroom=0.9, placement=0.5, health=1.0)
B = ScoredNode("b", 0.4, 2, headroom=0.2, placement=0.5, health=1.0)


def test_the_largest_difference_in_the_winner_s_favour_is_told() -> None:
    assert in_words(decision([A, B])) == "a beats b by forecast headroom (+0.70)"
    assert in_words(decision([A])) == "a is the best of its kind"
    assert in_words(decision([A, A])) == "a is first among equals"


def test_a_missing_part_is_no_difference() -> None:
    one = ScoredNode("a", 0.9, 10, headroom=None, placement=0.6, health=None)
    assert in_words(decision([one, B])) == "a beats b by placement value (+0.10)"


@pytest.mark.parametrize("reason", sorted(NEUTRAL))
def test_every_neutral_answer_has_its_words(reason: str) -> None:
    said = in_words(decision([A, B], neutral_reason=reason))
    assert said.startswith(NEUTRAL[reason])
    assert ("a beats b" in said) == (reason == "shadow")


def test_silent_models_and_older_scores_are_told() -> None:
    assert "without placement-scorer" in in_words(decision([A, B], "fresh timeout memory"))
    said = in_words(decision([], "refused open off", neutral_reason="no-models"))
    assert said.endswith("without load-predictor and placement-scorer and anomaly-detector")
    assert in_words(decision([A, B], "older fresh memory")).endswith("; with scores of an older snapshot")
