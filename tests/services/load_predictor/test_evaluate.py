"""The figures: how they are counted, and that the committed model keeps them."""

from __future__ import annotations

import json
from math import gcd
from pathlib import Path

import numpy as np
import pytest

from berth.features.history import HORIZONS, HOUR
from berth.recordings.load import STEP_S, bitbrains
from services.load_predictor import evaluate as evaluation
from services.load_predictor import train as training
from services.load_predictor.base import INPUTS
from services.load_predictor.baselines import BASELINES, trailing_error
from services.load_predictor.card import MARKDOWN, markdown
from services.load_predictor.evaluate import accuracy, evaluate
from services.load_predictor.model import ARTIFACT, CARD, load
from services.load_predictor.windows import (
    GROUP_SIZE,
    TEST_FROM,
    machine_split,
    origins,
    pseudo_nodes,
    windows,
)


def test_committed_model_beats_every_baseline_on_unseen_machines() -> None:
    report = evaluate(load(ARTIFACT), seeds=(21,), nodes=6, step=19)
    for output, score in report.scores.items():
        assert score.margin > 0, (output, score)
        assert score.accuracy > score.baselines["persistence of the last hour"], output


def test_card_is_in_step() -> None:
    card = json.loads((ARTIFACT / CARD).read_text())
    assert (ARTIFACT / MARKDOWN).read_text() == markdown(card)
    assert card["version"] == load(ARTIFACT).version == card["test"]["model_version"]
    assert card["node_features"] == list(INPUTS)
    _, unseen = machine_split(70)
    assert card["unseen_machines"] == bitbrains().machine[unseen].tolist()
    assert all(score["margin"] > 0 for score in card["test"]["scores"].values())


def test_artifact_is_small_and_open() -> None:
    files = list(ARTIFACT.iterdir())
    assert {path.suffix for path in files} <= {".ubj", ".json", ".md"}
    assert sum(path.stat().st_size for path in files) < 2_000_000


def test_accuracy_is_the_mean_over_nodes() -> None:
    targets = np.array([[1.0], [3.0], [10.0]], dtype=np.float32)
    forecast = np.array([[2.0], [3.0], [5.0]], dtype=np.float32)
    assert accuracy(targets, forecast, np.array([0, 0, 1])) == pytest.approx([(75 + 50) / 2])


def test_splits_share_no_machine() -> None:
    unseen = [set(machine_split(70, fold)[1].tolist()) for fold in range(5)]
    assert sorted(machine for fold in unseen for machine in fold) == list(range(70))
    for fold in range(5):
        seen, out = machine_split(70, fold)
        assert not set(seen) & set(out)
        assert len(out) == 14


def test_origins_keep_to_their_side_and_off_the_hour() -> None:
    machines = bitbrains()
    split = (TEST_FROM - machines.start) // STEP_S
    ahead = max(HORIZONS) * HOUR
    train = origins(machines, test=False, step=training.STEP)
    test = origins(machines, test=True, step=evaluation.STEP)
    assert train[-1] + ahead < split <= test[0] - 2015
    assert test[-1] + ahead < machines.usage.shape[1]
    assert gcd(training.STEP, 12) == gcd(evaluation.STEP, 12) == 1


def test_pseudo_nodes_are_weighted_means_and_missing_with_any_machine() -> None:
    usage = np.full((4, 3, 12), 0.5, dtype=np.float32)
    usage[0, 1, :] = np.nan
    nodes = pseudo_nodes(usage, np.arange(12), 5, np.random.default_rng(0))
    assert nodes.shape == (2, 3, 5)
    assert np.isnan(nodes[0, 1]).all()
    assert nodes[:, [0, 2]] == pytest.approx(0.5)
    assert GROUP_SIZE == 10


def test_targets_are_the_hours_that_end_then_and_gaps_are_skipped() -> None:
    ramp = np.broadcast_to(np.arange(3_000, dtype=np.float32)[None, :, None], (2, 3_000, 2)).copy()
    ramp[:, 2_400:2_700, 1] = np.nan
    found = windows(ramp, 0, range(2_100, 2_101))
    assert found.node.tolist() == [0, 1]
    assert found.targets[0] == pytest.approx([2_100 + 12 * h - 5.5 for h in (1, 2, 4)] * 2)
    later = windows(ramp, 0, range(2_390, 2_950, 7))
    assert 1 not in later.node
    assert np.isfinite(later.targets).all()


def test_blend_counts_an_error_only_once_its_hour_has_passed() -> None:
    steps = np.arange(0, 100, 5)
    errors = np.zeros((20, 6), dtype=np.float32)
    errors[3] = 1.0  # of the forecast made at step 15
    known = [int(np.argmax(trailing_error(errors, steps)[1:, i] * (steps[1:] >= 5 + 12 * HORIZONS[i % 3]) > 0)) + 1
             for i in range(6)]  # fmt: skip
    assert [int(steps[row]) for row in known] == [30, 40, 65] * 2


def test_baselines_fill_what_is_missing_with_the_last_hour() -> None:
    ramp = np.random.default_rng(0).uniform(0.1, 0.2, (2, 2_200, 1)).astype(np.float32)
    found = windows(ramp, 0, range(2_050, 2_060), lambda: 24)
    for name, baseline in BASELINES.items():
        assert np.isfinite(baseline(found)).all(), name


def test_training_twice_gives_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With few groups and origins: the recipe, not its figures."""
    monkeypatch.setattr(training, "GROUPS", 4)
    monkeypatch.setattr(training, "STEP", 241)
    machines = bitbrains()
    seen, _ = machine_split(70)
    told: list[str] = []
    made = [
        training.fit_both(training.training_windows(machines, seen, lambda what, share: told.append(what)), note)
        for note in (lambda what, share: told.append(what), lambda what, share: None)
    ]
    (base, trees), (again, same) = made
    assert np.array_equal(base.weights, again.weights)
    assert trees.save_raw("ubj") == same.save_raw("ubj")
    assert {"windows", "base", "trees"} <= set(told)
