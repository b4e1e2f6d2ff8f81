"""The model card: `card.json` for machines, `MODEL_CARD.md` made from it for people."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from berth.features.registry import digest
from services.load_predictor.base import INPUTS, OUTPUTS
from services.load_predictor.evaluate import STEP, Report
from services.load_predictor.model import BASE, CARD, TREES
from services.load_predictor.windows import GROUP_SIZE, PRESENT_SHARE, SIZE_SIGMA, SPLIT_SEED

MARKDOWN = "MODEL_CARD.md"

DATA = {
    "source": "Bitbrains GWA-T-12 rnd, 70 virtual machines, July to September 2013, 5 minutes "
    "(berth/recordings/bitbrains)",
    "citation": "Shen, van Beek, Iosup: Statistical Characterization of Business-Critical Workloads Hosted "
    "in Cloud Datacenters, CCGrid 2015",
    "pseudo_nodes": f"random groups of {GROUP_SIZE} machines; usage weighted by random sizes (lognormal, "
    f"sigma {SIZE_SIGMA}, sum 1), as capacities are not recorded; a step is missing where one of the "
    "machines is",
}
SPLIT = {
    "time": "origins and targets in July and August to train, in September (from the 8th, after 7 days of "
    "history) to test",
    "machines": f"14 of 70 in no training group (permutation of seed {SPLIT_SEED})",
    "windows": f"at least {PRESENT_SHARE:.0%} of 7 days recorded, so none crosses a long gap; test origins "
    f"every {STEP} steps of 5 minutes",
}
COUNTING = (
    "Accuracy is 100 % − WAPE (sum of absolute errors over sum of values) of the hourly mean, by node over "
    "all its windows, then the mean over nodes, then over seeds. A seed draws the groups; they share the 14 "
    "machines, so the spread over seeds is smaller than that over machines, which the other machine splits "
    "show."
)
LIMITS = (
    "Group size matters: one machine alone is far harder to forecast, thirty are easier.",
    "Which machines are unseen moves the figures by up to 13 points, far more than any method does: compare "
    "on the same windows only. The mean over the five splits is the fairer figure.",
    "Load that a newly placed pod brings is not foreseen; the extender counts pods in flight itself.",
    "Forecasts scale with the node's own usage, so they hold at loads above those recorded only as far as "
    "busier nodes behave like enlarged idle ones. This was not measured: no busier recording is shipped.",
    "Where CPU or memory has no history at all, its level is guessed from the other's.",
)


def write(out: Path, facts: dict[str, Any], report: Report | None, others: Sequence[Report]) -> None:
    """Write both forms to `out`. facts: what only training knows."""
    files = {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in (TREES, BASE)}
    content = card({**facts, "files": files}, report, others)
    (out / CARD).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    if report is not None:
        (out / MARKDOWN).write_text(markdown(content))


def card(facts: dict[str, Any], report: Report | None, others: Sequence[Report]) -> dict[str, Any]:
    """The content of card.json."""
    return {
        "name": "load-predictor",
        **facts,
        "outputs": list(OUTPUTS),
        "output_unit": "mean of the hour that ends then, share of allocatable",
        "node_features": list(INPUTS),
        "features_digest": digest(INPUTS),
        "data": DATA,
        "split": SPLIT,
        "counting": COUNTING,
        "test": asdict(report) if report else None,
        "other_machine_splits": [
            {"fold": other.fold, "scores": {name: asdict(score) for name, score in other.scores.items()}}
            for other in others
        ],
        "limits": list(LIMITS),
    }


def markdown(card: dict[str, Any]) -> str:
    """MODEL_CARD.md from the content of card.json."""
    parts = [
        f"# Model card: {card['name']}\n\nMade from `{CARD}` by `berth train load-predictor`; do not edit.",
        f"Version `{card['version']}`. Forecasts {', '.join(f'`{name}`' for name in card['outputs'])}: "
        f"{card['output_unit']}. Reads {len(card['node_features'])} columns of the node snapshot (family "
        f"`history`, digest `{card['features_digest']}`).",
        "## Data and split\n\n" + bullets(data_lines(card)),
        f"## Accuracy on unseen machines in September\n\n{card['counting']}\n\n{scores_table(card['test'])}",
        "Margin: the model above its best baseline, in points; in brackets on the worst seed.",
        f"## Other machine splits\n\nThe same recipe trained without other 14 machines, seed 1, September. "
        f"Accuracy, and the best baseline on the same windows.\n\n{splits_table(card)}",
        "## Limits\n\n" + bullets(card["limits"]),
    ]
    return "\n\n".join(parts) + "\n"


def data_lines(card: dict[str, Any]) -> list[str]:
    """What it was trained and tested on."""
    test = card["test"]
    machines = ", ".join(map(str, card["unseen_machines"]))
    return [
        f"{card['data']['source']}. {card['data']['citation']}.",
        f"Pseudo-nodes: {card['data']['pseudo_nodes']}.",
        f"Time: {card['split']['time']}.",
        f"Machines: {card['split']['machines']}: {machines}.",
        f"Windows: {card['split']['windows']}; {card['training_windows']:,} to train, {test['windows']:,} to "
        f"test ({len(test['seeds'])} seeds of {test['nodes_a_seed']} nodes).",
    ]


def bullets(lines: Sequence[str]) -> str:
    """A Markdown list."""
    return "\n".join(f"- {line}" for line in lines)


def scores_table(test: dict[str, Any]) -> str:
    """The model and each baseline by output, percent."""
    names = list(next(iter(test["scores"].values()))["baselines"])
    rows = [["output", "accuracy (seeds)", *names, "margin (worst seed)"]]
    for output, score in test["scores"].items():
        spread = f"**{score['accuracy']:.1f}** ({score['lowest']:.1f} to {score['highest']:.1f})"
        margin = f"+{score['margin']:.1f} ({score['lowest_margin']:+.1f})"
        rows.append([output, spread, *(f"{score['baselines'][name]:.1f}" for name in names), margin])
    return table(rows)


def splits_table(card: dict[str, Any]) -> str:
    """Each split's accuracy and best baseline by output, the mean over all splits, and where the model lost."""
    splits = [card["test"], *card["other_machine_splits"]]
    pairs = {split["fold"] + 1: [best_pair(split["scores"][output]) for output in card["outputs"]] for split in splits}
    rows = [["split", *card["outputs"]]]
    rows += [[str(name), *(f"{own:.1f} / {best:.1f}" for own, best in row)] for name, row in pairs.items()]
    means = [
        [sum(side) / len(splits) for side in zip(*column, strict=True)] for column in zip(*pairs.values(), strict=True)
    ]
    rows.append(["mean", *(f"**{own:.1f}** / {best:.1f}" for own, best in means)])
    lost = [
        f"{output} of split {name}"
        for name, row in pairs.items()
        for output, (own, best) in zip(card["outputs"], row, strict=True)
        if own <= best
    ]
    return f"{table(rows)}\n\nSplit 1 is the shipped model. Below its best baseline: {', '.join(lost) or 'nowhere'}."


def best_pair(score: dict[str, Any]) -> tuple[float, float]:
    """The model's accuracy and the best baseline's."""
    return score["accuracy"], max(score["baselines"].values())


def table(rows: list[list[str]]) -> str:
    """A Markdown table; the first row is its head."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])
