"""card.json: what was trained on what, and how it fared. MODEL_CARD.md is made from it by `render` alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.placement_scorer.model import FILE, load
from services.placement_scorer.pair_features import NODE_FEATURES, PAIR_FEATURES, POD_FEATURES

Card = Mapping[str, Any]
CARD, PAGE = "card.json", "MODEL_CARD.md"

COLUMNS = {
    "reward": "reward",
    "better_than_random_percent": "better than random, %",
    "better_than_baseline_percent": "better than kube-scheduler, %",
    "hot_node_time_percent": "node-time over 80 %, %",
    "refused_pods_percent": "refused pods, %",
    "free_gpu_allocated_percent": "free GPU allocated, %",
    "fragmented_gpu_percent": "GPU fragmented at the end, %",
}
COSTS = {
    "cost_hot": "hot node",
    "cost_fragment": "fragments",
    "cost_refused": "refused",
    "cost_balance": "balance",
    "cost_scarce": "GPU node for a CPU pod",
}


def write(out: Path, facts: Card, report: Card) -> None:
    """Write both files beside the artifact."""
    digest = hashlib.sha256((out / FILE).read_bytes()).hexdigest()
    card = {
        "model": "placement-scorer",
        "version": digest[:12],
        "files": {FILE: digest},
        "node_features": list(NODE_FEATURES),
        "pod_features": list(POD_FEATURES),
        "pair_features": list(PAIR_FEATURES),
        "training": dict(facts),
        "example": example(out),
        "report": dict(report),
    }
    (out / CARD).write_text(json.dumps(card, indent=1) + "\n", "utf-8")
    (out / PAGE).write_text(render(card), "utf-8")


def example(out: Path) -> dict[str, Any]:
    """A few nodes and pods and the values they get, so that another machine can compare. None is missing."""
    nodes = example_nodes()
    pods = ((4.0, 16.0, 0.0, 0.0, 0.0), (6.0, 24.0, 1.0, 0.5, 0.0), (32.0, 128.0, 4.0, 4.0, 1.0))
    model = load(out)
    values = [model.predict(nodes, np.array(pod, np.float32))[:, 0] for pod in pods]
    return {
        "nodes": [[None if np.isnan(v) else round(float(v), 4) for v in row] for row in nodes],
        "pods": [list(pod) for pod in pods],
        "values": [[None if np.isnan(v) else round(float(v), 6) for v in row] for row in values],
    }


def example_nodes() -> NDArray[np.float32]:
    """float32 [5, 16]: half full, hot, GPUs in use, no GPU, nothing known."""
    gap = float("nan")
    gpus = [1.0, 1.0, 1.0, 1.0, 0.5, 0.0, 0.25, 1.0]
    rows = [
        [96, 384, 8, 48, 192, 0, 0.3, 0.3, *[1.0] * 8],
        [96, 384, 8, 48, 192, 0, 0.9, 0.8, *[1.0] * 8],
        [96, 384, 8, 40, 150, 2.25, 0.4, 0.3, *gpus],
        [64, 256, 0, 20, 90, 0, gap, 0.2, *[gap] * 8],
        [gap] * 16,
    ]
    return np.array(rows, np.float32)


def render(card: Card) -> str:
    """The page for a card."""
    parts = [introduction(card), scores(card["report"]), training(card["training"]), LIMITS]
    return "\n\n".join(parts) + "\n"


def introduction(card: Card) -> str:
    """What it is."""
    return f"""# Placement scorer

Made from `{CARD}` by `services/placement_scorer/card.py`; do not edit. Version `{card["version"]}`.

The value of a node for a pod, in [0, 1], higher is better: a double DQN over {len(card["pair_features"])} features
of the node as it is once the pod has landed. 0 says that, by the snapshot, the pod does not fit. Higher load never
raises a value: the network is built so. A value depends on its node and the pod alone."""


def scores(report: Card) -> str:
    """Figures by mix and policy."""
    seeds = report["seeds"]
    rule = f"""## On data it was not trained on

Split `{report["split"]}`: unseen machines in September 2013, {len(seeds)} episodes a mix (seeds {seeds[0]} to
{seeds[-1]}), each a cluster of 96 openb nodes and a day's stream of openb pods. Every policy gets the same nodes,
pods and loads and chooses among all feasible nodes. The reward is minus the mean cost of a pod; "better" is the
share of the other's cost that is saved, above 100 % where the reward is positive. The baseline to beat is
kube-scheduler's own scoring (LeastAllocated and BalancedAllocation). `fgd` is fragmentation gradient descent
(exact float, tightest device). The best figure of a column is not always the model's."""
    return "\n\n".join([rule, *(mix_section(mix, figures) for mix, figures in report["mixes"].items())])


def mix_section(mix: str, figures: Card) -> str:
    """Two tables of one mix: results, and the parts of the cost."""
    best = max(figures, key=lambda name: figures[name]["reward"])
    unseen = "mix not trained on" if mix == "cpu050" else "mix trained on, other machines, days and nodes"
    episodes = figures["placement-scorer"]["episodes_better_than_baseline"]
    note = f"Best reward: `{best}`. The model beats the baseline in {episodes} episodes."
    return "\n\n".join(
        [f"### {mix} ({unseen})", table(figures, COLUMNS), note, "Parts of the cost of a pod:", table(figures, COSTS)]
    )


def table(figures: Card, columns: Mapping[str, str]) -> str:
    """A Markdown table, a policy a row."""
    lines = ["| policy | " + " | ".join(columns.values()) + " |", "|---|" + "---:|" * len(columns)]
    for name, row in figures.items():
        lines.append(f"| {name} | " + " | ".join(f"{row[key]:g}" for key in columns) + " |")
    return "\n".join(lines)


def training(facts: Card) -> str:
    """Data, reward, settings."""
    days, mixes = facts["days_from_1_july_2013"], facts["mixes"]
    settings = "\n".join(f"| {name} | {value:g} |" for name, value in facts["hyperparameters"].items())
    weights = "\n".join(f"| {name} | {value:g} |" for name, value in facts["reward_weights"].items())
    return f"""## Training

- Nodes and pods: openb (Alibaba cluster-trace-gpu-v2023, Apache-2.0), mixes {", ".join(mixes["train"])};
  {mixes["test_only"]} only in the test.
- Load: Bitbrains (GWA-T-12 "rnd"), days {days["train"][0]} to {days["train"][1]} from 1 July 2013; the best network
  is chosen on days {days["validation"][0]} to {days["validation"][1]}; test from day {days["test"][0]}. Machines that
  only the test sees: {", ".join(map(str, facts["unseen_machines"]))}.
- A workload's request is 20 % of what its machine was provisioned with. Workloads present at the start request
  from 10 % of a node's CPU to a greatest share drawn from 30 to 90 %; 0 to 90 % of devices may be in use.
- Reward on the validation days {facts["validation"]["reward"]:g}, after
  {facts["validation"]["best_after_episodes"]} episodes, where it was best.

| cost of a unit | |
|---|---:|
{weights}

| setting | |
|---|---:|
{settings}"""


LIMITS = """## Limits

- The reward is this project's; its weights are a choice. Look at the parts, not at the sum alone.
- kube-scheduler's scoring is a strong baseline here: spreading by requests keeps room, and refusals weigh most.
  One training run with one seed; another seed gives another network.
- Training shapes the reward (`room_bonus`, `refused_cost`, `scarce_cost`); the reported reward does not. Its
  discount is low: runs with 0.9 to 0.97 scored lower on the validation days; the pods that follow vary too much.
- Loads are simulated from recordings of other machines: a pod's use is independent of what it asks for by name.
- Which device a pod gets is the device plugin's choice; training and serving assume the tightest that fits.
- Memory is not part of the fragment measure, GPU models neither; pods that ask for a model are learned by a flag.
- Pods do not depart within an episode. Priority, QoS and owner are not used."""
