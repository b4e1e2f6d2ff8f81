from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from extender.filter import evidence, removed, repeated
from extender.settings import Filter

ON = Filter(enabled=True)


def test_removes_nothing_by_default() -> None:
    rows, bad, counts = np.arange(50, dtype=np.int32), np.ones(50, dtype=np.float32), np.full(50, 99, dtype=np.int32)
    assert removed(rows, bad, counts, Filter()).size == 0


def test_evidence_is_bad_health_or_a_forecast_above_the_limit() -> None:
    health = np.array([0.05, 0.5, 0.9, np.nan], dtype=np.float32)
    peak = np.array([[0.1, 0.1], [0.1, 1.3], [0.1, 0.1], [np.nan, np.nan]], dtype=np.float32)
    assert evidence(health, peak, ON, 4).tolist() == [True, True, False, False]
    assert evidence(None, None, ON, 4).tolist() == [False] * 4


def test_one_good_snapshot_starts_the_count_over() -> None:
    counts = np.zeros(2, dtype=np.int32)
    for against in ([True, True], [True, False], [True, True]):
        counts = repeated(counts, np.array(against))
    assert counts.tolist() == [3, 1]


def test_takes_the_worst_first_and_only_after_repeats() -> None:
    rows = np.arange(20, dtype=np.int32)
    bad = np.linspace(0, 1, 20, dtype=np.float32)
    counts = np.full(20, 3, dtype=np.int32)
    counts[19] = 2
    assert removed(rows, bad, counts, ON).tolist() == [18, 17]


@given(st.lists(st.integers(-1, 29), max_size=40), st.floats(0.0, 0.5), st.integers(1, 4))
def test_never_all_never_more_than_the_share_never_unknown(given_rows: list[int], share: float, repeats: int) -> None:
    rows = np.array(given_rows, dtype=np.int32)
    counts = np.full(30, 4, dtype=np.int32)
    out = removed(rows, np.ones(30, dtype=np.float32), counts, Filter(enabled=True, max_share=share, repeats=repeats))
    assert len(set(out.tolist())) == len(out)
    assert len(out) <= share * len(rows)
    assert not len(rows) or len(out) < len(rows)
    assert (rows[out] >= 0).all()
