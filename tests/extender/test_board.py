from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extender.board import FEW, KEPT, Board
from extender.inflight import Change
from extender.scoring import Finding
from extender.view import ClusterView
from tests.extender.samples import placement, pod, scores, view

WEIGHTS = {"headroom": 0.3, "placement": 0.4, "health": 0.3}
NODES = 40


def seen_and_found(gaps: bool = False) -> tuple[ClusterView, list[Finding]]:
    """A view of 40 nodes and what three models say of it."""
    seen, random = view(NODES), np.random.default_rng(5)
    value = random.uniform(0, 1, NODES)
    value[3] = np.nan if gaps else 0.5
    load = scores(random.uniform(0, 0.6, (NODES, 6)), seen)
    seen.enter(("load-predictor", ""), load)
    said = (load, scores(value, seen), scores(random.uniform(0.5, 1, NODES), seen))
    return seen, [
        Finding(model, one, "memory")
        for model, one in zip(("load-predictor", "placement-scorer", "anomaly-detector"), said, strict=True)
    ]


def board(seen: ClusterView, found: list[Finding], cpu: float = 2.0) -> Board:
    return seen.boards.board(seen, pod(cpu=cpu), found, WEIGHTS)


def anew(seen: ClusterView, found: list[Finding]) -> Board:
    """Worked out from nothing."""
    seen.boards.kept.clear()
    return board(seen, found)


def test_it_is_the_same_while_nothing_changes_and_another_for_another_request() -> None:
    seen, found = seen_and_found()
    first = board(seen, found)
    assert board(seen, found) is first
    other = board(seen, found, cpu=8.0)
    assert (other.parts["headroom"] < first.parts["headroom"]).any()
    assert board(seen, found) is first


@given(
    st.lists(st.tuples(st.integers(0, NODES - 1), st.floats(0.0, 12.0), st.booleans()), min_size=1, max_size=3 * FEW)
)
def test_kept_up_it_says_what_it_would_say_anew(placed: list[tuple[int, float, bool]]) -> None:
    seen, found = seen_and_found()
    board(seen, found)
    for number, (row, cpu, asked) in enumerate(placed):
        seen.apply(Change(None, placement(uid=str(number), node=f"n{row}", cpu=cpu)))
        if asked:
            board(seen, found)
    kept = board(seen, found)
    new = anew(seen, found)
    assert kept.totals is not None
    assert kept.totals.tolist() == pytest.approx(new.totals, abs=1e-6)
    assert kept.parts["headroom"].tolist() == pytest.approx(new.parts["headroom"], abs=1e-6)


def test_who_holds_one_keeps_it_as_it_was() -> None:
    seen, found = seen_and_found()
    before = board(seen, found)
    as_they_were = {name: part.copy() for name, part in before.parts.items()}
    seen.apply(Change(None, placement(node="n7", cpu=8.0)))
    said = found[1].scores
    assert said is not None
    said.update(np.array([2], dtype=np.int32), np.array([[0.9]], dtype=np.float32), 1)
    after = board(seen, found)
    assert (after.at(7)["headroom"], after.at(2)["placement"]) != (before.at(7)["headroom"], before.at(2)["placement"])
    assert after.at(2)["placement"] == pytest.approx(0.9)
    for name, part in before.parts.items():
        assert np.array_equal(part, as_they_were[name]), name


def test_with_a_value_missing_there_are_parts_but_no_totals() -> None:
    seen, found = seen_and_found(gaps=True)
    got = board(seen, found)
    assert got.totals is None
    assert np.isnan(got.at(3)["placement"])


def test_other_weights_are_another_board() -> None:
    seen, found = seen_and_found()
    first = board(seen, found)
    other = seen.boards.board(seen, pod(cpu=2.0), found, {"headroom": 0.0, "placement": 0.0, "health": 1.0})
    assert other.totals is not None
    assert first.totals is not None
    assert other.totals.tolist() == pytest.approx(first.parts["health"])


def test_few_are_kept() -> None:
    seen, found = seen_and_found()
    for cpu in range(3 * KEPT):
        board(seen, found, cpu=float(cpu))
    assert len(seen.boards.kept) == KEPT
