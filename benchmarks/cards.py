"""The models' table, from the cards beside their artifacts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Card = dict[str, Any]

MODEL_HEAD = (
    "| model | measured on data it was not trained on | model | named baseline |",
    "|---|---|---:|---:|",
)


def load_row(card: Card) -> str:
    """The load predictor's six outputs, mean of CPU and memory at each horizon."""
    scores = card["test"]["scores"]
    horizons = ("1h", "2h", "4h")

    def values(pick: str) -> str:
        def one(name: str) -> float:
            score = scores[name]
            return float(score["accuracy"] if pick == "model" else score["baselines"][score["best_baseline"]])

        def metric(name: str) -> str:
            return " / ".join(f"{one(f'{name}_{horizon}'):.1f}" for horizon in horizons)

        return "; ".join(f"{name} {metric(name)}" for name in ("cpu", "memory"))

    return (
        "| load-predictor | accuracy (100 % − WAPE) of the hourly mean 1 / 2 / 4 h ahead, 14 unseen machines in groups "
        f"of 10, September | {values('model')} % | best of five: {values('baseline')} % |"
    )


def placement_row(card: Card) -> str:
    """The placement scorer's reward on each pod mix."""
    mixes = card["report"]["mixes"]

    def rewards(policy: str) -> str:
        return ", ".join(f"{name} {mix[policy]['reward']:.3f}" for name, mix in mixes.items())

    return (
        "| placement-scorer | reward a pod (0 is best), unseen machines and days; cpu050 is an unseen mix | "
        f"{rewards('placement-scorer')} | kube-scheduler's scoring: {rewards('kube-scheduler')} |"
    )


def anomaly_row(card: Card) -> str:
    """The anomaly detector's average precision on unseen servers."""
    labelled = card["measured"]["labelled"]

    def precision(score: str) -> str:
        return ", ".join(f"{name} {part[score]['average_precision']:.2f}" for name, part in labelled.items())

    return (
        "| anomaly-detector | average precision on labelled servers in no fit or threshold | "
        f"{precision('detector')} | Isolation Forest on raw values: {precision('raw_forest')} |"
    )


MODELS = {"load_predictor": load_row, "placement_scorer": placement_row, "anomaly_detector": anomaly_row}


def table(cards: Mapping[str, Card]) -> str:
    """What each model of MODELS has reached on unseen data, beside its named baseline."""
    return "\n".join((*MODEL_HEAD, *(row(cards[name]) for name, row in MODELS.items())))
