"""docs/settings.md is what the settings classes say."""

from __future__ import annotations

from pathlib import Path

from berth.settings import SECTIONS
from cli.settings_view import as_markdown

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_page_is_in_step() -> None:
    """`berth config --schema --markdown > docs/settings.md` makes it again."""
    assert PAGE.read_text("utf-8").rstrip("\n") == as_markdown(SECTIONS)
