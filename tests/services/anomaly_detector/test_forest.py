"""The exported forest is scikit-learn's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from services.anomaly_detector.forest import average_path_length, float32_below, to_onnx
from services.anomaly_detector.model import session
from services.serving.contract import Floats

SAMPLES = 64


def rows(seed: int, count: int = 500) -> Floats:
    """Heavy-tailed, with repeated values as shares have."""
    random = np.random.default_rng(seed)
    drawn = random.standard_t(3, (count, 6)).astype(np.float32)
    drawn[:, 5] = np.round(drawn[:, 5] * 4) / 4
    return drawn


def fitted(**how: object) -> Any:
    """scikit-learn's own. It is imported here: finding tests need not wait 4 s for it."""
    from sklearn.ensemble import IsolationForest

    return IsolationForest(**how).fit(rows(0))


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_scores_equal_sklearn(share: float) -> None:
    forest = fitted(n_estimators=20, max_samples=SAMPLES, max_features=share, random_state=3)
    served = session(to_onnx([forest], 6).SerializeToString())
    (depth,) = served.run(["depth"], {"rows": rows(1)})
    scores = 2.0 ** (-depth[:, 0] / average_path_length(SAMPLES))
    np.testing.assert_allclose(scores, -forest.score_samples(rows(1)), atol=1e-5)


def test_several_forests_are_one_mean() -> None:
    forests = [fitted(n_estimators=5, max_samples=32, random_state=s) for s in (1, 2)]
    each = [session(to_onnx([f], 6).SerializeToString()).run(["depth"], {"rows": rows(1)})[0] for f in forests]
    (both,) = session(to_onnx(forests, 6).SerializeToString()).run(["depth"], {"rows": rows(1)})
    np.testing.assert_allclose(both, np.mean(each, axis=0), atol=1e-5)


def test_thresholds_decide_as_in_double_precision() -> None:
    random = np.random.default_rng(0)
    thresholds = random.normal(size=1000)
    near = thresholds.astype(np.float32)
    for values in (near, np.nextafter(near, np.float32(9)), np.nextafter(near, np.float32(-9))):
        np.testing.assert_array_equal(values <= float32_below(thresholds), values.astype(np.float64) <= thresholds)
