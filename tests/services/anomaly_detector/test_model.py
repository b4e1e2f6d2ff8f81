"""The committed artifact as it is served."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import pytest

from berth.features.registry import node_feature_names
from berth.features.residuals import DAY, SCALE_STEPS, residual_features, residual_scales
from services.anomaly_detector import baselines, card, data, fit
from services.anomaly_detector.evaluate import ARTIFACT, average_precision, threshold
from services.anomaly_detector.model import AnomalyDetector, load
from services.serving.contract import Floats, TensorModel


@pytest.fixture(scope="module")
def detector() -> AnomalyDetector:
    return load(ARTIFACT)


@pytest.fixture(scope="module")
def usage() -> Floats:
    """Two weeks of September of 12 pseudo-nodes that no fit has seen."""
    return data.pseudo_nodes("test", 12, seed=9)[:, : 14 * DAY]


def health(detector: AnomalyDetector, usage: Floats) -> Floats:
    """float32 [node] at the last step; scales up to the last whole day, as served."""
    scales = residual_scales(usage[:, : (usage.shape[1] - 1) // DAY * DAY])
    return detector.predict(residual_features(usage[:, -SCALE_STEPS:], scales))[:, 0]


def test_it_is_a_tensor_model_on_columns_of_the_snapshot(detector: AnomalyDetector) -> None:
    served: TensorModel = detector
    assert served.name == "anomaly-detector"
    assert (served.output, served.columns, served.pod_features) == ("health", ("health",), ())
    assert set(served.node_features) <= set(node_feature_names())


def test_typical_nodes_are_healthy(detector: AnomalyDetector, usage: Floats) -> None:
    found = np.concatenate([health(detector, usage[:, :end]) for end in range(8 * DAY, 14 * DAY, 200)])
    assert np.median(found) > 0.9
    assert (found < 0.5).mean() < 0.03


@pytest.mark.parametrize("end", [9 * DAY + 100, 12 * DAY + 30])
def test_a_busy_node_loses_health_and_its_neighbours_keep_theirs(
    detector: AnomalyDetector, usage: Floats, end: int
) -> None:
    broken = usage[:, :end].copy()
    broken[0, -3:, 4] = np.minimum(broken[0, -3:, 4] + 0.6, 1.0)
    before, after = health(detector, usage[:, :end]), health(detector, broken)
    assert before[4] > 0.8
    assert after[4] < 0.3
    np.testing.assert_array_equal(np.delete(after, 4), np.delete(before, 4))


def test_a_memory_leak_loses_health(detector: AnomalyDetector, usage: Floats) -> None:
    end = 11 * DAY + 60
    broken = usage[:, :end].copy()
    broken[1, -36:] += np.linspace(0, 0.5, 36, dtype=np.float32)[:, None]
    lost = health(detector, usage[:, :end]) - health(detector, broken)
    assert np.median(lost) > 0.3
    assert (lost > 0).all()


def test_health_is_finite_in_0_to_1_whatever_is_known(detector: AnomalyDetector) -> None:
    random = np.random.default_rng(0)
    nodes = (10 ** random.uniform(-3, 6, (400, len(detector.node_features)))).astype(np.float32)
    nodes[random.random(nodes.shape) < 0.5] = np.nan
    nodes[1, 3], nodes[2, 4] = np.inf, -np.inf
    nodes[0] = np.nan
    found = detector.predict(nodes)
    assert found.shape == (400, 1)
    assert found.dtype == np.float32
    assert np.isnan(found[0, 0])
    assert ((found[1:] >= 0) & (found[1:] <= 1)).all()
    assert detector.predict(nodes[:0]).shape == (0, 1)


def test_a_missing_value_counts_as_the_median(detector: AnomalyDetector) -> None:
    medians = np.array([detector.recipe.medians], dtype=np.float32)
    holes = medians.copy()
    holes[0, 1:] = np.nan
    assert detector.predict(holes) == detector.predict(medians)
    assert detector.predict(medians)[0, 0] > 0.9


def test_explain_names_what_made_a_node_look_worse(detector: AnomalyDetector) -> None:
    nodes = np.tile(np.array(detector.recipe.medians, dtype=np.float32), (3, 1))
    worse = detector.node_features.index("residual_magnitude_max")
    nodes[1, worse] = 6.0
    nodes[2] = np.nan
    normal, odd, unknown = detector.explain(nodes, None)
    assert max(map(len, (normal, odd))) <= 8
    assert next(iter(odd)) == "residual_magnitude_max"
    assert odd["residual_magnitude_max"] < 0
    assert unknown == {}


@pytest.mark.timed
def test_5000_rows_in_time(detector: AnomalyDetector) -> None:
    nodes = np.abs(np.random.default_rng(0).normal(size=(5000, len(detector.node_features)))).astype(np.float32)
    spent = []
    for _ in range(10):
        began = time.perf_counter()
        detector.predict(nodes)
        spent.append(time.perf_counter() - began)
    assert min(spent) < 0.05, "aim 10 ms, limit 20 ms on an idle core"


@pytest.mark.parametrize(("which", "machines"), [("asd", 2), ("smd", 1)])
def test_the_artifact_beats_its_named_baseline_on_unseen_machines(
    detector: AnomalyDetector, which: str, machines: int
) -> None:
    unseen = [data.machine(which, name) for name in data.names(which)["test"][:machines]]
    labelled = [(m.rows[m.labels >= 0], m.labels[m.labels >= 0]) for m in unseen]
    found = average_precision([(detector.scores(rows).astype(np.float32), labels) for rows, labels in labelled])
    assert found > average_precision(baselines.series("raw_forest", unseen))


def test_card_and_artifact_are_in_step(detector: AnomalyDetector) -> None:
    told = json.loads((ARTIFACT / "card.json").read_text(encoding="utf-8"))
    assert told["version"] == told["measured"]["model_version"] == detector.version
    assert card.render(told) == (ARTIFACT / "MODEL_CARD.md").read_text(encoding="utf-8")
    for which in data.LABELLED:
        assert told["split"][which] == {part: list(names) for part, names in data.names(which).items()}
    assert detector.recipe.health == fit.HEALTH
    assert detector.recipe.scores[fit.HEALTH.index(0.5)] == pytest.approx(threshold(detector))
    assert sum(file.stat().st_size for file in ARTIFACT.iterdir()) < 2_000_000


def test_the_version_tells_recipes_apart(detector: AnomalyDetector) -> None:
    forest = (ARTIFACT / "forest.onnx").read_bytes()
    other = AnomalyDetector(forest, replace(detector.recipe, magnitude_weight=0.0))
    assert other.version != detector.version
