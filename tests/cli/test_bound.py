"""What became of decisions, in words."""

from __future__ import annotations

from typing import Any

import pytest

from cli.bound import agreement_in_words, in_words
from services.telemetry.bindings.agreement import Tally
from services.telemetry.bindings.answers import as_json
from services.telemetry.bindings.keeper import table_of
from tests.services.telemetry.bindings.samples import row

LOADS: dict[str, Any] = {"node_cpu": 0.41, "node_memory": 0.3, "rejected_cpu": 0.2, "rejected_memory": None}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"node": "a"}, "agreed"),
        ({"node": "b"}, "rank 2, regret 0.150"),
        ({"node": "z"}, "behind all nodes that the record keeps, regret at least 0.400"),
        ({"node": "z", "nodes": 3}, "not among the nodes that were scored"),
        ({"node": "a", "totals": {}}, "nothing was scored"),
    ],
)
def test_where_it_was_bound(given: dict[str, Any], expected: str) -> None:
    told = as_json(table_of([row(**given)]).to_pylist()[0])
    assert in_words(told) == [
        f"really bound to {given['node']} at 2026-11-18T11:06:40.000Z ({expected})",
        "what the node used in the hour after is not known",
    ]


def test_what_the_nodes_used() -> None:
    said = "in the hour after it used 41% of its CPU and 30% of its memory"
    told = as_json(table_of([row(node="b", **LOADS)]).to_pylist()[0])
    assert in_words(told)[1] == f"{said}; the best other node, a, used 20% of its CPU and an unknown part of its memory"
    alone = as_json(table_of([row(totals={"a": 1.0}, **LOADS)]).to_pylist()[0])
    assert in_words(alone)[1] == said


def test_agreement_of_many() -> None:
    tally = Tally()
    tally.add(table_of([row("u1", **LOADS), row("u2", node="b", **LOADS)]))
    assert agreement_in_words({"hours": 24, **tally.answer()}) == [
        "bound in the last 24 h: 50.0% of 2 pods where the best score was, mean regret 0.075 or more",
        "in the hour after, CPU used: 41.0% on the nodes chosen, 20.0% on the best others (2 pods)",
    ]
    assert agreement_in_words({"hours": 24, **Tally().answer()}) == [
        "bound in the last 24 h: no pod of which a record with scores is kept"
    ]
