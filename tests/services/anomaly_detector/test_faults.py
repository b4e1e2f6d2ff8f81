"""Injected faults: where they are said to be, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from berth.features.residuals import DAY
from services.anomaly_detector import data, faults


def test_labels_say_where_usage_was_changed() -> None:
    usage = data.pseudo_nodes("test", 3)[:, : 15 * DAY]
    broken, labels = faults.inject(usage, 7 * DAY, seed=1)
    assert (faults.of_kind(labels) == 1).any(axis=0).all()
    same = (broken == usage) | np.isnan(usage)
    assert same[:, labels <= 0].all(), "no change outside of a fault"
    assert not labels[: 7 * DAY].any()
    for index, kind in enumerate(faults.KINDS):
        metric = ("cpu", "memory", "disk", "network").index(kind.split("_")[0])
        others = [m for m in range(4) if m != metric]
        assert same[others][:, labels == index + 1].all(), kind
    assert (labels == -1).sum() == faults.RECOVERY * len(
        np.flatnonzero(np.diff((labels > 0).T.ravel().astype(int)) == 1)
    )


def test_faults_repeat_with_their_seed() -> None:
    usage = data.pseudo_nodes("test", 2)
    first, second, other = (faults.inject(usage, 7 * DAY, seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other, equal_nan=True)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown kind 'flood'"):
        faults.faulty(np.zeros((4, 5), dtype=np.float32), "flood", np.random.default_rng(0))


def test_no_machine_is_both_trained_on_and_tested() -> None:
    for which in data.LABELLED:
        names = data.names(which)
        assert not set(names["train"]) & set(names["test"])
        assert len(names["test"]) == 4
