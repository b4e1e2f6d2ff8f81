"""How a binding stands to a decision: agreement, rank, regret and what cannot be known."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from berth.decisions.record import encode
from services.telemetry.bindings.keeper import table_of
from services.telemetry.bindings.verdict import Standing, row_of, standing
from tests.services.telemetry.bindings.samples import AT, bound, decision


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ("a", Standing(True, 1, 0.0, False)),
        ("b", Standing(False, 2, 0.15, False)),
        ("elsewhere", Standing(False, None, 0.4, True)),  # behind the last that is kept
    ],
)
def test_a_node_stands_as_the_record_says(node: str, expected: Standing) -> None:
    found = standing(decision(), node)
    assert found == expected._replace(regret=found.regret)
    assert found.regret == pytest.approx(expected.regret)


def test_of_a_node_that_was_not_considered_there_is_no_regret() -> None:
    assert standing(decision(nodes=3), "elsewhere") == Standing(agreed=False)


def test_a_decision_without_scores_says_nothing() -> None:
    assert standing(decision(totals={}), "a") == Standing()


def test_equal_totals_are_no_regret() -> None:
    assert standing(decision(totals={"a": 0.5, "b": 0.5}), "b") == Standing(False, 2, 0.0, False)


def test_a_row_fits_the_kind_and_holds_the_whole_record() -> None:
    made = decision(decided=AT - 0.125)
    found = table_of([row_of(bound(node="b"), made, encode(made).decode())]).to_pylist()[0]
    assert found["at"] == datetime.fromtimestamp(AT, UTC)
    assert (found["decided_at"] - found["at"]).total_seconds() == -0.125
    assert (found["node"], found["best_node"], found["rejected_node"]) == ("b", "a", "a")
    assert (found["best_score"], found["best_total"], found["rank"]) == (10, 0.9, 2)
    assert json.loads(found["decision"])["top"][1]["total"] == 0.75
    assert found["node_cpu"] is None


def test_the_best_rejected_of_an_agreed_one_is_the_second() -> None:
    made = decision()
    assert row_of(bound(node="a"), made, "{}")["rejected_node"] == "b"
    alone = decision(totals={"a": 1.0})
    assert row_of(bound(node="a"), alone, "{}")["rejected_node"] is None
