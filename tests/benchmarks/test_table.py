"""The documents' tables are what the committed results say."""

from __future__ import annotations

import pytest

from benchmarks.latency import over_limit
from benchmarks.runs import CASES, VERBS, Row
from benchmarks.table import PLACES, RESULTS, NoPlaceError, read, replaced, sections

RESULT = read(RESULTS / "latency.json")
ROWS = [Row(**row) for row in RESULT["rows"]]


@pytest.mark.parametrize("section", list(PLACES))
def test_a_page_holds_what_was_measured(section: str) -> None:
    page = PLACES[section].read_text("utf-8")
    assert replaced(page, section, sections()[section]) == page, "run `make table`"


def test_results_hold_every_case_size_load_and_verb() -> None:
    assert {row.case for row in ROWS} == set(CASES)
    assert {row.nodes for row in ROWS} == {100, 1000, 5000}
    loads = {row.rate for row in ROWS}
    assert None in loads
    assert len(loads) >= 3
    assert len(ROWS) == len(CASES) * 3 * len(loads) * len(VERBS)


def test_results_keep_the_limit() -> None:
    assert over_limit(ROWS) == []


def test_quantiles_rise_and_shares_are_shares() -> None:
    for row in ROWS:
        assert 0.0 < row.p50_ms <= row.p90_ms <= row.p99_ms <= row.p999_ms
        assert 0.0 <= row.scored_share <= 1.0


def test_a_text_without_markers_has_no_place() -> None:
    with pytest.raises(NoPlaceError):
        replaced("no markers", "demo", "table")
    marked = "a\n<!-- demo:begin -->\nold\n<!-- demo:end -->\nb"
    assert replaced(marked, "demo", "new") == marked.replace("old", "new")
