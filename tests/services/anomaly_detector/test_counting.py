"""The counting rule, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from services.anomaly_detector.counting import Count, count, runs, threshold_of


def labels(text: str) -> NDArray[np.int8]:
    """'.' normal, 'x' anomalous, '?' not counted."""
    return np.array([{".": 0, "x": 1, "?": -1}[c] for c in text], dtype=np.int8)


def flags(text: str) -> NDArray[np.bool_]:
    """'!' flagged."""
    return np.array([c == "!" for c in text])


def test_gaps_under_15_minutes_are_one_alarm() -> None:
    assert runs(flags("!..!"), gap=2) == [(0, 4)]
    assert runs(flags("!...!"), gap=2) == [(0, 1), (4, 5)]


@pytest.mark.parametrize(
    ("flagged", "labelled", "expected"),
    [
        ("..!!......!...", "...xx.....x..x", Count(2, 2, 3, 2, 10, 1)),
        ("!....!...!....", "......xxxxxxxx", Count(3, 1, 1, 1, 6, 2)),
        ("..............", "......xx......", Count(0, 0, 1, 0, 12, 0)),
        ("......!!!!....", "....xx????....", Count(0, 0, 1, 0, 8, 0)),
    ],
)
def test_counts(flagged: str, labelled: str, expected: Count) -> None:
    assert count(flags(flagged), labels(labelled)) == expected


def test_many_alarms_in_one_segment_do_not_raise_segment_precision() -> None:
    counted = count(flags("!....!....!....!"), labels("xxxxxxxxxxx....."))
    assert counted.ratios()["precision"] == 0.75
    assert counted.ratios()["segment_precision"] == 0.5


def test_the_threshold_separates_what_can_be_separated() -> None:
    random = np.random.default_rng(0)
    scores = random.random(4000).astype(np.float32)
    found = np.zeros(4000, dtype=np.int8)
    found[1000:1010] = found[3000:3010] = 1
    scores[found == 1] += 2
    assert 0.95 < threshold_of([[(scores, found)]]) < 2
