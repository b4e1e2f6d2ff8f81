"""Measure the detector on machines it has never seen, with its baselines on the same points.

Two views, because each lacks something: the labels of asd and smd are real but imprecise; faults injected
into Bitbrains pseudo-nodes are precise but made up. The counting rule is in `counting`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from berth.features.residuals import SCALE_STEPS
from services.anomaly_detector import baselines, data, faults, fit
from services.anomaly_detector.counting import Series, count_all, threshold_of
from services.anomaly_detector.model import AnomalyDetector, load
from services.serving.contract import Floats

ARTIFACT = Path(__file__).parent / "artifact"
SEEDS = (0, 1, 2)
NODES = 12
"""September pseudo-nodes that faults are injected into, for each seed."""
HEALTHY = 0.5
"""A point is flagged where health is below this."""

Progress = Callable[[str, float], None]
Report = dict[str, Any]
Labels = NDArray[np.int8]


def evaluate(artifact: Path = ARTIFACT, progress: Progress = lambda what, done: None) -> Report:
    """The report of an artifact: `labelled` by recording, `injected` over seeds, `refitted`: the spread over
    forests fitted anew with other seeds. Every figure is of test machines."""
    detector = load(artifact)
    report: Report = {"model_version": detector.version, "labelled": {}}
    for index, which in enumerate(data.LABELLED):
        progress(f"labelled segments of {which}", index / 4)
        report["labelled"][which] = labelled(detector, which)
    progress("injected faults", 2 / 4)
    report["injected"] = injected(detector)
    progress("forests with other seeds", 3 / 4)
    report["refitted"] = refitted()
    progress("done", 1.0)
    return report


def labelled(detector: AnomalyDetector, which: str) -> Report:
    """Detector and baselines on the test machines of `asd` or `smd`. Each threshold is chosen by one rule on
    the train machines: the detector's is in its health map, for both recordings; the baselines' is this
    recording's own."""
    found = {"detector": measured(fit.series(detector, which, "test"), threshold(detector))}
    for name in ("raw_forest", "rolling_z"):
        chosen = threshold_of([baselines.series(name, data.machines(which, "train"))])
        found[name] = measured(baselines.series(name, data.machines(which, "test")), chosen)
    return {"machines": list(data.names(which)["test"]), **found}


def threshold(detector: AnomalyDetector) -> float:
    """The score at which health is HEALTHY."""
    recipe = detector.recipe
    return float(np.interp(-HEALTHY, [-health for health in recipe.health], recipe.scores))


def measured(series: list[Series], chosen: float) -> Report:
    """Ratios at a threshold, and average precision over all thresholds, points of all machines pooled."""
    return {"average_precision": average_precision(series), **rounded(count_all(series, chosen).ratios())}


def average_precision(series: list[Series]) -> float:
    """Area under precision over recall of single points, sklearn's definition."""
    from sklearn.metrics import average_precision_score

    labels = np.concatenate([labels for _, labels in series])
    scores = np.concatenate([scores for scores, _ in series])
    return round(float(average_precision_score(labels[labels >= 0] == 1, scores[labels >= 0])), 4)


def injected(detector: AnomalyDetector, seeds: tuple[int, ...] = SEEDS) -> Report:
    """Mean over the seeds, each with its own pseudo-nodes and faults. False-positive rates are of the same
    nodes without faults; the baselines' thresholds are set to give the detector's rate on those very points."""
    runs = [injected_once(detector, seed) for seed in seeds]
    names = ("detector", "raw_forest", "rolling_z")
    means = {name: {k: round(float(np.mean([r[name][k] for r in runs])), 4) for k in runs[0][name]} for name in names}
    return {"seeds": list(seeds), "faults": sum(r["faults"] for r in runs), **means}


def injected_once(detector: AnomalyDetector, seed: int) -> Report:
    """One set of pseudo-nodes and faults."""
    usage = data.pseudo_nodes("test", NODES, seed)
    broken, labels = faults.inject(usage, SCALE_STEPS, seed)
    scorers: dict[str, Callable[[Floats], Floats]] = {
        "detector": partial(fit.node_scores, detector),
        "raw_forest": partial(forest_scores, usage[:, :SCALE_STEPS], seed),
        "rolling_z": z_scores,
    }
    clean = {name: scorer(usage)[SCALE_STEPS:] for name, scorer in scorers.items()}
    odd = {name: scorer(broken)[SCALE_STEPS:] for name, scorer in scorers.items()}
    rate = float((clean["detector"] > threshold(detector)).mean())
    found: Report = {"faults": int((np.diff((labels > 0).astype(np.int8), axis=0) > 0).sum())}
    for name in scorers:
        chosen = threshold(detector) if name == "detector" else float(np.quantile(clean[name], 1 - rate))
        found[name] = fault_ratios(odd[name], labels[SCALE_STEPS:], clean[name], chosen)
    return found


def forest_scores(history: Floats, seed: int, usage: Floats) -> Floats:
    """float32 [step, node]; fitted to each node's week before September, without faults."""
    nodes = range(usage.shape[2])
    each = [baselines.raw_forest(history[:, :, n].T, usage[:, :, n].T, seed) for n in nodes]
    return np.stack(each, axis=1)


def z_scores(usage: Floats) -> Floats:
    """float32 [step, node]."""
    return np.stack([baselines.rolling_z(usage[:, :, n].T) for n in range(usage.shape[2])], axis=1)


def fault_ratios(odd: Floats, labels: Labels, clean: Floats, chosen: float) -> dict[str, float]:
    """Detection share over all and by kind, alarm precision, average precision; the false-positive rate is
    of the nodes without faults."""
    every = by_node(odd, faults.of_kind(labels))
    ratios = count_all(every, chosen).ratios()
    found = {
        "average_precision": average_precision(every),
        "detected": ratios["recall"],
        "precision": ratios["precision"],
        "false_positive_rate": float((clean > chosen).mean()),
    }
    for kind in faults.KINDS:
        counted = count_all(by_node(odd, faults.of_kind(labels, kind)), chosen)
        found[f"detected_{kind}"] = counted.ratios()["recall"]
    return found


def by_node(scores: Floats, labels: Labels) -> list[Series]:
    """[step, node] arrays as one series a node."""
    return [(scores[:, node], labels[:, node]) for node in range(scores.shape[1])]


def refitted() -> Report:
    """Average precision on the test machines of forests fitted with each of SEEDS."""
    found: dict[str, list[float]] = {which: [] for which in data.LABELLED}
    for seed in SEEDS:
        detector = AnomalyDetector(*fit.fit(fit.training_rows(seed), seed))
        for which in data.LABELLED:
            found[which].append(average_precision(fit.series(detector, which, "test")))
    return {"seeds": list(SEEDS), "average_precision": found}


def rounded(ratios: dict[str, float]) -> dict[str, float]:
    """Four digits are more than the data gives."""
    return {name: round(value, 4) for name, value in ratios.items()}
