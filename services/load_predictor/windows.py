"""Pseudo-nodes out of recorded machines, and the windows a forecast is trained and judged on.

A pseudo-node is GROUP_SIZE machines; its usage is their usage weighted by random sizes (lognormal, normalised
to a sum of 1), as the capacities are not recorded. A step counts as missing where any of its machines is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from berth.features.history import FEATURES, HISTORY_STEPS, HORIZONS, HOUR, METRICS, history_features
from berth.recordings.load import STEP_S, Machines
from services.load_predictor.base import INPUTS

Floats = NDArray[np.float32]

GROUP_SIZE = 10
SIZE_SIGMA = 0.5
"""Spread of the machines' random sizes: standard deviation of their logarithm."""
TEST_MACHINES = 14
SPLIT_SEED = 2013
TEST_FROM = int(datetime(2013, 9, 1, tzinfo=UTC).timestamp())
PRESENT_SHARE = 0.9
"""Of the 7 days before an origin, so no window crosses one of the long gaps; hours it starts from or aims at
need 10 of 12 samples."""


@dataclass(frozen=True)
class Windows:
    """features: float32 [row, INPUTS]; targets: float32 [row, OUTPUTS], mean of the hour that ends h hours
    later; node: int64 [row], which pseudo-node a row belongs to; step: int64 [row], its last step, rising."""

    features: Floats
    targets: Floats
    node: NDArray[np.int64]
    step: NDArray[np.int64]


def machine_split(machines: int, fold: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Machines to train with and the TEST_MACHINES of `fold` (0 to 4) that no training group may hold."""
    order = np.random.default_rng(SPLIT_SEED).permutation(machines)
    unseen = order[fold * TEST_MACHINES : (fold + 1) * TEST_MACHINES]
    return np.setdiff1d(order, unseen), np.sort(unseen)


def pseudo_nodes(usage: Floats, members: NDArray[np.int64], count: int, rng: np.random.Generator) -> Floats:
    """Usage of `count` random groups of `members`: float32 [metric, step, group], METRICS only."""
    weights = np.zeros((usage.shape[2], count), dtype=np.float32)
    for group in range(count):
        chosen = rng.choice(members, GROUP_SIZE, replace=False)
        sizes = rng.lognormal(0.0, SIZE_SIGMA, GROUP_SIZE)
        weights[chosen, group] = sizes / sizes.sum()
    used = usage[: len(METRICS)]
    missing = np.isnan(used).astype(np.float32) @ weights > 0
    return np.where(missing, np.float32(np.nan), np.nan_to_num(used) @ weights)


def origins(machines: Machines, *, test: bool, step: int) -> range:
    """Steps to forecast from, the test month's or those before; targets stay on that side of the split."""
    steps = machines.usage.shape[1]
    split = (TEST_FROM - machines.start) // STEP_S
    ahead = max(HORIZONS) * HOUR
    if test:
        return range(split + HISTORY_STEPS, steps - ahead, step)
    return range(HISTORY_STEPS - 1, split - ahead, step)


def windows(
    nodes: Floats,
    start: int,
    at: range,
    shorten: Callable[[], int] = lambda: HISTORY_STEPS,
    progress: Callable[[float], None] = lambda share: None,
) -> Windows:
    """All usable windows of `nodes` float32 [metric, step, node] that end at the steps `at`.

    shorten: steps of history that the next origin may see, for training on young nodes.
    """
    columns = [[feature.name for feature in FEATURES].index(name) for name in INPUTS]
    features, targets, node, steps = [], [], [], []
    for step, rows in usable(nodes, at):
        history = nodes[:, step + 1 - shorten() : step + 1, rows]
        features.append(history_features(history, start + step * STEP_S)[:, columns])
        targets.append(hours_ahead(nodes, step)[rows])
        node.append(rows)
        steps.append(np.full(len(rows), step))
        progress((step - at.start) / len(range(at.start, at.stop)))
    if not features:
        raise ValueError("no window has enough samples")
    return Windows(*(np.concatenate(parts) for parts in (features, targets, node, steps)))


def usable(nodes: Floats, at: range) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Each step of `at` with the nodes whose window and targets are recorded there, where there are any."""
    present = ~np.isnan(nodes).any(axis=0)
    seen = np.vstack([np.zeros(nodes.shape[2], dtype=np.int64), np.cumsum(present, axis=0)])
    for step in at:
        end = step + 1
        enough = seen[end] - seen[end - HISTORY_STEPS] >= PRESENT_SHARE * HISTORY_STEPS
        for last in (end, *(end + h * HOUR for h in HORIZONS)):
            enough &= seen[last] - seen[last - HOUR] >= 10
        if enough.any():
            yield step, np.flatnonzero(enough)


def hours_ahead(nodes: Floats, step: int) -> Floats:
    """Mean of the hour that ends h hours after `step`: float32 [node, output]."""
    ends = [step + 1 + h * HOUR for h in HORIZONS]
    ahead = [sample_mean(nodes[metric, end - HOUR : end]) for metric in range(len(METRICS)) for end in ends]
    return np.stack(ahead, axis=1)


def sample_mean(values: Floats) -> Floats:
    """Mean over the first axis of what is present; NaN where nothing is."""
    present = ~np.isnan(values)
    counts = present.sum(axis=0, dtype=np.float32)
    sums = np.nan_to_num(values).sum(axis=0)
    return np.asarray(sums / np.where(counts > 0, counts, np.float32(np.nan)), dtype=np.float32)
