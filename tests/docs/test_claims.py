"""What the documentation claims a test shows, a test of that name shows; what it links to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"])


def known_tests() -> set[str]:
    """Names of all test functions and test modules."""
    files = list((ROOT / "tests").rglob("test_*.py"))
    named = {name for path in files for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))}
    return named | {path.stem for path in files}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    assert set(re.findall(r"`(?:tests/[\w/]+/)?(test_\w+)(?:\.py)?`", page.read_text("utf-8"))) <= known_tests()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_file_that_a_page_links_to_exists(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []
