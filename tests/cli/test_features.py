"""`berth features`, and the page that is made by it."""

from __future__ import annotations

import json
from pathlib import Path

from berth.features.registry import node_features
from cli.features import as_markdown
from tests.cli.command import berth

PAGE = Path(__file__).parents[2] / "docs" / "features.md"


def test_the_page_is_in_step() -> None:
    """`berth features --markdown > docs/features.md` makes it again."""
    assert PAGE.read_text("utf-8").rstrip("\n") == as_markdown(list(node_features()))


def test_a_family_for_people_and_for_scripts() -> None:
    shown = berth("features", "--family", "capacity").stdout
    assert "cpu_allocatable" in shown
    assert "cores" in shown
    assert max(map(len, shown.splitlines())) <= 100
    found = json.loads(berth("features", "--family", "capacity", "--json").stdout)
    assert [one["name"] for one in found] == [one.name for one in node_features() if one.family == "capacity"]


def test_an_unknown_family_says_which_there_are() -> None:
    ended = berth("features", "--family", "weather")
    assert ended.returncode == 2
    assert "capacity, history, residual" in ended.stderr
