"""How well the load predictor forecasts machines and a month it has not seen, beside simple forecasts.

Counting rule: accuracy of a node is 100 % − WAPE, the sum of absolute errors over the sum of what came, over
all its windows; of a seed the mean over its nodes; the figure is the mean over seeds, with the lowest and
highest seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from berth.recordings.load import Machines, bitbrains
from services.load_predictor.base import OUTPUTS
from services.load_predictor.baselines import BASELINES
from services.load_predictor.model import LoadPredictor
from services.load_predictor.windows import (
    GROUP_SIZE,
    Windows,
    machine_split,
    origins,
    pseudo_nodes,
    windows,
)

Floats = NDArray[np.float32]

SEEDS = (1, 2, 3, 4, 5)
NODES = 20
"""Pseudo-nodes of one seed."""
STEP = 7
"""Steps between origins; coprime to 12, as origins on the hour alone would flatter persistence."""


@dataclass(frozen=True)
class Score:
    """Accuracy in percent of one output: mean over seeds, lowest and highest seed; of the baselines the
    means. margin: what the model is above the best of them, lowest_margin on its worst seed."""

    accuracy: float
    lowest: float
    highest: float
    baselines: dict[str, float]
    best_baseline: str
    margin: float
    lowest_margin: float


@dataclass(frozen=True)
class Report:
    """Scores by output; `dataclasses.asdict` gives what the card holds."""

    model_version: str
    fold: int
    seeds: tuple[int, ...]
    nodes_a_seed: int
    group_size: int
    windows: int
    scores: dict[str, Score]


def accuracy(targets: Floats, forecast: Floats, node: NDArray[np.int64]) -> NDArray[np.float64]:
    """100 % − WAPE, mean over nodes: float64 [OUTPUTS]."""
    of_nodes = []
    for which in np.unique(node):
        rows = node == which
        errors = np.abs(targets[rows] - forecast[rows]).sum(axis=0, dtype=np.float64)
        of_nodes.append(100.0 * (1.0 - errors / targets[rows].sum(axis=0, dtype=np.float64)))
    return np.asarray(np.mean(of_nodes, axis=0), dtype=np.float64)


def unseen_windows(machines: Machines, seed: int, *, fold: int = 0, nodes: int = NODES, step: int = STEP) -> Windows:
    """September windows of pseudo-nodes out of the fold's unseen machines."""
    _, unseen = machine_split(len(machines.machine), fold)
    usage = pseudo_nodes(machines.usage, unseen, nodes, np.random.default_rng(seed))
    return windows(usage, machines.start, origins(machines, test=True, step=step))


def evaluate(
    model: LoadPredictor,
    seeds: Sequence[int] = SEEDS,
    *,
    fold: int = 0,
    nodes: int = NODES,
    step: int = STEP,
    progress: Callable[[str, float], None] = lambda what, share: None,
) -> Report:
    """Scores on the machines of `fold`, which the model was not trained on (the shipped one: 0)."""
    machines = bitbrains()
    rows, own, others = 0, [], []
    for done, seed in enumerate(seeds):
        seen = unseen_windows(machines, seed, fold=fold, nodes=nodes, step=step)
        rows += len(seen.node)
        own.append(accuracy(seen.targets, model.predict(seen.features), seen.node))
        others.append([accuracy(seen.targets, baseline(seen), seen.node) for baseline in BASELINES.values()])
        progress("evaluate", (done + 1) / len(seeds))
    scores = {output: score(np.array(own)[:, i], np.array(others)[:, :, i]) for i, output in enumerate(OUTPUTS)}
    return Report(model.version, fold, tuple(seeds), nodes, GROUP_SIZE, rows, scores)


def score(own: NDArray[np.float64], others: NDArray[np.float64]) -> Score:
    """own: accuracy [seed]; others: [seed, baseline]."""
    best = int(others.mean(axis=0).argmax())
    margins = own - others[:, best]
    names = tuple(BASELINES)
    return Score(
        accuracy=round(float(own.mean()), 2),
        lowest=round(float(own.min()), 2),
        highest=round(float(own.max()), 2),
        baselines={name: round(float(value), 2) for name, value in zip(names, others.mean(axis=0), strict=True)},
        best_baseline=names[best],
        margin=round(float(margins.mean()), 2),
        lowest_margin=round(float(margins.min()), 2),
    )
