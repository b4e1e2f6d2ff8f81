"""The committed artifact as the serving shell calls it."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from berth.features.history import FEATURES
from berth.features.registry import digest
from berth.recordings.load import bitbrains
from services.load_predictor.evaluate import unseen_windows
from services.load_predictor.model import ARTIFACT, TOP, ArtifactError, LoadPredictor, load
from services.load_predictor.windows import Windows
from services.serving.contract import TensorModel


@pytest.fixture(scope="module")
def model() -> LoadPredictor:
    return load(ARTIFACT)


@pytest.fixture(scope="module")
def unseen() -> Windows:
    return unseen_windows(bitbrains(), seed=11, nodes=4, step=35)


def test_is_a_tensor_model(model: LoadPredictor) -> None:
    served: TensorModel = model
    assert served.name == "load-predictor"
    assert served.output == "forecast"
    assert served.columns == ("cpu_1h", "cpu_2h", "cpu_4h", "memory_1h", "memory_2h", "memory_4h")
    assert served.pod_features == ()
    assert set(served.node_features) <= {feature.name for feature in FEATURES}


def test_predicts_finite_shares_and_the_same_twice(model: LoadPredictor, unseen: Windows) -> None:
    forecast = model.predict(unseen.features, None)
    assert forecast.shape == (len(unseen.node), 6)
    assert forecast.dtype == np.float32
    assert np.isfinite(forecast).all()
    assert ((forecast >= 0) & (forecast <= 2)).all()
    assert np.array_equal(forecast, model.predict(unseen.features, None))
    assert np.array_equal(forecast, load(ARTIFACT).predict(unseen.features, None))


def test_a_row_is_forecast_alike_alone_and_among_others(model: LoadPredictor, unseen: Windows) -> None:
    together = model.predict(unseen.features[:40], None)
    alone = np.concatenate([model.predict(row[None], None) for row in unseen.features[:40]])
    assert np.allclose(together, alone, rtol=1e-5, atol=1e-7)


def test_four_times_the_load_is_four_times_the_forecast(model: LoadPredictor, unseen: Windows) -> None:
    calm = unseen.features[unseen.features.max(axis=1) < 0.4]
    assert len(calm) > 50
    assert np.allclose(model.predict(4 * calm, None), 4 * model.predict(calm, None), rtol=1e-4, atol=1e-6)


def test_nothing_usable_gives_nan_and_half_of_it_a_forecast(model: LoadPredictor, unseen: Windows) -> None:
    rows = unseen.features[:4].copy()
    half = rows.shape[1] // 2
    rows[0] = np.nan
    rows[1, half:] = np.nan
    rows[2, :half] = np.inf
    rows[3] = 3e38
    forecast = model.predict(rows, None)
    assert np.isnan(forecast[[0, 3]]).all()
    assert np.isfinite(forecast[1:3]).all()
    assert model.explain(rows, None)[0] == {}


@pytest.mark.parametrize("known", ["last_5m", "mean_1h", "mean_24h"])
def test_a_young_node_is_forecast_near_what_is_known(model: LoadPredictor, known: str) -> None:
    rows = np.full((1, len(model.node_features)), np.nan, dtype=np.float32)
    for metric in ("cpu", "memory"):
        rows[0, model.node_features.index(f"{metric}_{known}")] = 0.4
    assert model.predict(rows, None) == pytest.approx(0.4, rel=0.35)


def test_no_nodes(model: LoadPredictor) -> None:
    rows = np.empty((0, len(model.node_features)), dtype=np.float32)
    assert model.predict(rows, None).shape == (0, 6)
    assert model.explain(rows, None) == []


def test_more_load_lately_raises_the_forecast(model: LoadPredictor, unseen: Windows) -> None:
    raised = unseen.features.copy()
    for name in ("last_5m", "mean_30m", "mean_1h"):
        raised[:, model.node_features.index(f"cpu_{name}")] *= 1.5
    before, after = model.predict(unseen.features, None), model.predict(raised, None)
    assert (after[:, 0] > before[:, 0]).mean() > 0.99


def test_explains_what_the_forecast_is_made_of(model: LoadPredictor, unseen: Windows) -> None:
    """All contributions and the trees' constant sum to the forecast, where it is not clipped."""
    features = unseen.features[:20]
    rows = model.rows(features)
    constant = model.predict(features, None) - model.contributions(rows).sum(axis=1)
    bias = constant / np.repeat(rows.scale, 3, axis=1)
    assert np.allclose(bias, bias[0], atol=1e-3)
    assert np.abs(bias).max() < 0.1
    for row in model.explain(features, None):
        assert 0 < len(row) <= TOP
        assert set(row) <= set(model.node_features)
        sizes = [abs(moved) for moved in row.values()]
        assert sizes == sorted(sizes, reverse=True)


def test_fast_enough_for_5000_nodes(model: LoadPredictor, unseen: Windows) -> None:
    """About 10 ms. The thread's own time: what else runs on the machine does not count."""
    rows = np.resize(unseen.features, (5_000, unseen.features.shape[1]))
    taken = []
    for _ in range(7):
        began = time.thread_time()
        model.predict(rows, None)
        taken.append(time.thread_time() - began)
    assert min(taken) < 0.030


def test_an_artifact_for_other_columns_is_refused(model: LoadPredictor, tmp_path: Path) -> None:
    shutil.copytree(ARTIFACT, tmp_path / "artifact")
    card = tmp_path / "artifact" / "card.json"
    whole = card.read_text()
    card.write_text(whole.replace(digest(model.node_features), "0" * 16))
    with pytest.raises(ArtifactError, match="columns"):
        load(tmp_path / "artifact")
    card.write_text(whole.replace(model.version, "0" * 12))
    with pytest.raises(ArtifactError, match="version"):
        load(tmp_path / "artifact")
