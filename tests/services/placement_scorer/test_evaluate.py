"""The committed model on episodes that it was not trained on, in short; the long form is in the model card."""

from __future__ import annotations

import numpy as np
import pytest

from services.placement_scorer.environment import TEST_MIX, Recordings, Weights
from services.placement_scorer.evaluate import MODEL, evaluate, model_policy, play
from services.placement_scorer.model import PlacementScorer
from services.placement_scorer.policies import BASELINE, heuristics

SEEDS = (700, 701, 702, 703)


@pytest.mark.long
def test_it_beats_the_baseline_on_an_unseen_mix(scorer: PlacementScorer, recordings: Recordings) -> None:
    policies = {
        "model": model_policy(scorer),
        "baseline": heuristics()[BASELINE],
        "random": heuristics()["random"],
    }
    rewards = {
        name: np.mean([play(recordings, "test", TEST_MIX, seed, policy).reward(Weights()) for seed in SEEDS])
        for name, policy in policies.items()
    }
    assert rewards["model"] > rewards["baseline"] > rewards["random"]
    assert rewards["model"] - rewards["random"] > 0.34 * abs(rewards["random"])


@pytest.mark.long
def test_a_report_names_every_policy_and_adds_up(recordings: Recordings) -> None:
    report = evaluate(seeds=(710,), mixes=("default",), recordings=recordings)
    figures = report["mixes"]["default"]
    assert set(figures) == {MODEL, *heuristics()}
    assert figures[BASELINE]["better_than_baseline_percent"] == 0.0
    for row in figures.values():
        costs = sum(amount for name, amount in row.items() if name.startswith("cost_"))
        assert -costs == pytest.approx(row["reward"], abs=5e-4)
