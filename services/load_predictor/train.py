"""Train the load predictor on the recorded machines: July and August, all but the unseen ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from berth.features.history import HISTORY_STEPS, HOUR
from berth.recordings.load import Machines, bitbrains
from services.load_predictor import card
from services.load_predictor.base import INPUTS, Base, by_output, fit, scaled
from services.load_predictor.evaluate import SEEDS, Report, evaluate
from services.load_predictor.model import BASE, TREES, LoadPredictor, artifact_version, encode_base, load
from services.load_predictor.trees import xgboost
from services.load_predictor.windows import Windows, machine_split, origins, pseudo_nodes, windows

Progress = Callable[[str, float], None]
Floats = NDArray[np.float32]

SEED = 20130701
GROUPS = 160
STEP = 13
"""Steps between origins, coprime to 12."""
SHORT_SHARE = 0.15
"""Of the origins, whose windows show less than 7 days (one hour and more), as a young node's do."""
FOLDS = 5
ROUNDS = 16
"""Of six trees each. 96 trees of depth 6 answer for 5,000 nodes in about 10 ms; on held-out training machines 160
rounds gained 0.2 points."""
PARAMETERS = {
    "objective": "reg:absoluteerror",
    "multi_strategy": "one_output_per_tree",  # SHAP values do not exist for multi-output trees
    "tree_method": "hist",
    "max_depth": 6,
    "max_bin": 128,
    "eta": 0.25,
    "min_child_weight": 300,
    "subsample": 0.5,
    "colsample_bytree": 0.5,
    "nthread": 1,  # the sums of a second thread would change the last digits
    "seed": SEED,
}


def train(out: Path, progress: Progress = lambda what, share: None) -> None:
    """Write model, base, card.json and MODEL_CARD.md to `out`. Deterministic; about two minutes on one core,
    most of it for the four other machine splits that the card's spread comes from."""
    machines = bitbrains()
    seen, unseen = machine_split(len(machines.machine))
    rows = training_windows(machines, seen, progress)
    base, booster = fit_both(rows, progress)
    out.mkdir(parents=True, exist_ok=True)
    booster.save_model(out / TREES)
    (out / BASE).write_text(encode_base(base))
    facts = {
        "version": artifact_version(out),
        "training_windows": len(rows.node),
        "unseen_machines": machines.machine[unseen].tolist(),
    }
    card.write(out, facts, None, [])
    report = evaluate(load(out), progress=progress)
    card.write(out, facts, report, [other_fold(machines, fold, progress) for fold in range(1, FOLDS)])


def other_fold(machines: Machines, fold: int, progress: Progress) -> Report:
    """The same recipe with other unseen machines: how much the figure depends on which they are."""

    def told(what: str, share: float) -> None:
        progress(f"split {fold + 1} of {FOLDS}: {what}", share)

    seen, _ = machine_split(len(machines.machine), fold)
    base, booster = fit_both(training_windows(machines, seen, told), told)
    return evaluate(LoadPredictor(booster, base, f"fold {fold}"), SEEDS[:1], fold=fold, progress=told)


def training_windows(machines: Machines, seen: NDArray[np.int64], progress: Progress) -> Windows:
    """Windows of GROUPS pseudo-nodes out of the machines `seen`."""
    rng = np.random.default_rng(SEED)
    nodes = pseudo_nodes(machines.usage, seen, GROUPS, rng)

    def shorten() -> int:
        if rng.random() >= SHORT_SHARE:
            return HISTORY_STEPS
        return int(np.exp(rng.uniform(np.log(HOUR), np.log(HISTORY_STEPS))))

    at = origins(machines, test=False, step=STEP)
    return windows(nodes, machines.start, at, shorten, lambda share: progress("windows", share))


def fit_both(rows: Windows, progress: Progress) -> tuple[Base, xgboost.Booster]:
    """The base, then trees on what it leaves over, in units of each node's scale."""
    base = fit(rows.features, rows.targets)
    progress("base", 1.0)
    inputs = scaled(rows.features, base.memory_to_cpu)
    remainder = rows.targets / by_output(inputs.scale) - base.forecast(inputs)
    matrix = xgboost.DMatrix(inputs.inputs, remainder, missing=np.nan, feature_names=list(INPUTS), nthread=1)
    return base, xgboost.train(PARAMETERS, matrix, ROUNDS, callbacks=[Told(progress)])


class Told(xgboost.callback.TrainingCallback):
    """Tells how many rounds are done."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self.progress = progress

    def after_iteration(self, model: xgboost.Booster, epoch: int, evals_log: object) -> bool:
        self.progress("trees", (epoch + 1) / ROUNDS)
        return False
