"""`berth features`: the columns of a node snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from berth.features.feature import Feature

Family = Annotated[str | None, typer.Option(help="one family alone", metavar="NAME")]
Markdown = Annotated[bool, typer.Option("--markdown", help="as docs/features.md has it")]
AsJson = Annotated[bool, typer.Option("--json", help="print it as JSON")]

COLUMNS = ("feature", "unit", "window", "source", "missing", "what it is")
HEAD = """# Features

The columns of a node snapshot, which models are trained on and served with; made from the registry
(`berth/features`) by `berth features --markdown`; a test compares. A model names the columns it uses. Usage comes from
Prometheus, or from a recording. Windows look back over 5-minute steps; a value of which less than half is known is
missing."""


def features(family: Family = None, markdown: Markdown = False, json: AsJson = False) -> None:
    """Show what is known of each node: every column of a snapshot with its unit, window and source.

    Examples:

      berth features --family capacity

      berth features --json
    """
    import dataclasses
    from json import dumps

    from berth.features.registry import node_features
    from cli.console import console

    found = [feature for feature in node_features() if family in (None, feature.family)]
    if not found:
        families = ", ".join(dict.fromkeys(feature.family for feature in node_features()))
        raise typer.BadParameter(f"one of {families}", param_hint="--family")
    if markdown:
        print(as_markdown(found))
    elif json:
        print(dumps([dataclasses.asdict(feature) for feature in found], indent=1))
    else:
        from rich.table import Table

        table = Table()
        for column in COLUMNS:
            table.add_column(column, overflow="fold")
        for feature in found:
            table.add_row(*cells(feature))
        console().print(table)


def cells(feature: Feature) -> tuple[str, ...]:
    """A feature as a row of COLUMNS."""
    return (feature.name, feature.unit, feature.window, feature.source, feature.missing, feature.description)


def as_markdown(found: list[Feature]) -> str:
    """The page: a table a family."""
    parts = [HEAD]
    for family in dict.fromkeys(feature.family for feature in found):
        rows = [f"\n## {family}\n", "| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
        for feature in found:
            if feature.family == family:
                name, *others = cells(feature)
                rows.append("| " + " | ".join([f"`{name}`", *others]) + " |")
        parts.append("\n".join(rows))
    return "\n".join(parts)
