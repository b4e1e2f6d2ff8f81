"""Tiny training runs: `make test-train`, in an environment with torch."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.placement_scorer.model import FILE, load
from tests.services.placement_scorer.rows import pod, random_nodes

pytestmark = pytest.mark.train


def fit_tiny(folder: Path, seed: int = 7) -> Path:
    from services.placement_scorer.dqn import Hyperparameters
    from services.placement_scorer.train import fit

    tiny = replace(Hyperparameters(), episodes=2, nodes=16, hidden=16, warm_up=64, batch=16, check_every=2, seed=seed)
    fit(folder, replace(tiny, validation_seeds=1))
    return folder


def test_two_runs_give_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    one, same, other = (fit_tiny(tmp_path / name, seed) for name, seed in (("a", 7), ("b", 7), ("c", 8)))
    assert (one / FILE).read_bytes() == (same / FILE).read_bytes()
    assert (one / FILE).read_bytes() != (other / FILE).read_bytes()


def test_the_exported_network_ranks_as_the_trained_one(tmp_path: Path) -> None:
    from services.placement_scorer.dqn import Hyperparameters
    from services.placement_scorer.pair_features import land
    from services.placement_scorer.train import fit

    settings = replace(Hyperparameters(), episodes=1, nodes=16, hidden=16, warm_up=64, batch=16, validation_seeds=1)
    training = fit(tmp_path, settings)
    served = load(tmp_path)
    rows = land(random_nodes(200, seed=1), pod(gpus=1, share=0.5), served.tables, served.typical).rows
    value = served.rows_value(rows)[:, 0].astype(np.float64)
    advantage = training.learner.advantages(rows, training.learner.average).astype(np.float64)
    logit = np.log(value / (1 - value))
    assert np.corrcoef(logit, advantage)[0, 1] > 0.9999


def test_train_writes_artifact_card_and_page(tmp_path: Path) -> None:
    from services.placement_scorer.dqn import Hyperparameters
    from services.placement_scorer.train import train

    told: list[float] = []
    settings = replace(Hyperparameters(), episodes=1, nodes=16, hidden=16, warm_up=64, batch=16, validation_seeds=1)
    train(tmp_path, lambda what, share: told.append(share), settings, seeds=(1,))
    assert {path.name for path in tmp_path.iterdir()} == {FILE, "card.json", "MODEL_CARD.md"}
    assert json.loads((tmp_path / "card.json").read_text("utf-8"))["version"] == load(tmp_path).version
    assert told == sorted(told)
    assert told[-1] <= 1.0
