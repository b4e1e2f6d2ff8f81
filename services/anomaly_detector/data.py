"""The recorded machines the detector is trained and measured on, and which of them it may never see.

The split is by name and fixed: of each recording's machines in sorted order, every second one (the 2nd, 4th,
...) is for the test only, in no fit, no calibration and no threshold. Bitbrains is also split by time:
July and August train, September tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from berth.features.residuals import DAY, FEATURES, SCALE_STEPS, residual_history
from berth.recordings import load
from services.serving.contract import Floats

COLUMNS = tuple(feature.name for feature in FEATURES)
LABELLED = ("asd", "smd")
SEPTEMBER = 62 * DAY
"""First step of September in the Bitbrains recording, which starts with July."""
GROUP = 10
"""Virtual machines that make a pseudo-node."""

Part = Literal["train", "test"]
PARTS: tuple[Part, ...] = ("train", "test")


@dataclass(frozen=True)
class Machine:
    """values float32 [step, metric] in [0, 1]; rows float32 [step, column] of COLUMNS; labels int8 [step]:
    1 anomalous, 0 normal, -1 unlabelled."""

    name: str
    values: Floats
    rows: Floats
    labels: NDArray[np.int8]


def names(which: str) -> dict[Part, tuple[str, ...]]:
    """Server names of `asd` or `smd` by part."""
    every = sorted(server.name for server in load.labelled_servers(which))
    return {"train": tuple(every[0::2]), "test": tuple(every[1::2])}


@cache
def machine(which: str, name: str) -> Machine:
    """One labelled server with its residual columns; KeyError for an unknown name."""
    server = {server.name: server for server in load.labelled_servers(which)}[name]
    rows = residual_history(np.ascontiguousarray(server.values.T)[:, :, None])[:, 0]
    return Machine(name, server.values, rows, server.labels)


def machines(which: str, part: Part) -> list[Machine]:
    """All servers of one part."""
    return [machine(which, name) for name in names(which)[part]]


def pseudo_nodes(part: Part, count: int, seed: int = 0) -> Floats:
    """float32 [metric, step, node]: nodes that each carry a group of virtual machines with random weights.

    CPU and memory are weighted means of shares, disk and network logs of weighted sums of rates; NaN where
    any machine of the group is missing. `train`: July and August of every other machine; `test`: September
    of the others, after a week of history."""
    recorded = load.bitbrains().usage
    mine = np.arange(recorded.shape[2])[0::2] if part == "train" else np.arange(recorded.shape[2])[1::2]
    span = slice(0, SEPTEMBER) if part == "train" else slice(SEPTEMBER - SCALE_STEPS, None)
    random = np.random.default_rng([seed, len(part)])
    nodes = [pseudo_node(recorded[:, span], random, mine) for _ in range(count)]
    return np.stack(nodes, axis=-1)


def pseudo_node(usage: Floats, random: np.random.Generator, mine: NDArray[np.int64]) -> Floats:
    """float32 [metric, step] of one drawn group."""
    chosen = random.choice(mine, GROUP, replace=False)
    weights = random.dirichlet(np.full(GROUP, 2.0)).astype(np.float32)
    shares = usage[:2, :, chosen] @ weights
    rates = np.log1p(np.expm1(usage[2:, :, chosen]) @ (weights * GROUP))
    return np.concatenate([shares, rates])
