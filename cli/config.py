"""`berth config`: the settings in force with where each comes from, and the schema of all of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from berth.settings import SECTIONS, InvalidSettings

if TYPE_CHECKING:
    from rich.console import Console

Config = Annotated[Path | None, typer.Option(help="settings file (default: $BERTH_CONFIG, else defaults alone)")]
Section = Annotated[str | None, typer.Option(help=f"one of {', '.join(SECTIONS)}; all without it")]
Schema = Annotated[bool, typer.Option("--schema", help="every field with type, unit, range and default")]
Markdown = Annotated[bool, typer.Option("--markdown", help="with --schema: as docs/settings.md has it")]
AsJson = Annotated[bool, typer.Option("--json", help="print it as JSON")]


def config(
    config: Config = None,
    section: Section = None,
    schema: Schema = False,
    markdown: Markdown = False,
    json: AsJson = False,
) -> None:
    """Show the settings in force and check them, or show what can be set.

    The environment wins over the file: `extender.models.budget_ms` is BERTH_EXTENDER__MODELS__BUDGET_MS. Secrets are
    not shown. Exit code 2 where a setting is refused, with each problem on a line.

    Examples:

      berth config

      berth config --config berth.yaml --section extender

      berth config --schema --section telemetry

      berth config --schema --json > schema.json
    """
    from cli.console import console

    if section is not None and section not in SECTIONS:
        raise InvalidSettings([f"{section}: unknown section; one of {', '.join(SECTIONS)}"])
    sections = (section,) if section else SECTIONS
    if schema and markdown:
        from cli.settings_view import as_markdown

        print(as_markdown(sections))
    elif schema:
        show_schema(console(), sections, json)
    else:
        show_values(console(), config, sections, json)


def show_values(out: Console, path: Path | None, sections: tuple[str, ...], as_json: bool) -> None:
    """Each field, its value and its source. Raises InvalidSettings."""
    from json import dumps

    from rich.table import Table

    from cli.settings_view import values

    found = values(path, sections)
    if as_json:
        print(dumps({v.name: {"value": v.value, "source": v.source} for v in found}, indent=1))
        return
    table = Table()
    for column in ("setting", "value", "source"):
        table.add_column(column, overflow="fold")
    for value in found:
        style = "dim" if value.source == "default" else ""
        table.add_row(value.name, as_text(value.value), value.source, style=style)
    out.print(table)


def show_schema(out: Console, sections: tuple[str, ...], as_json: bool) -> None:
    """Each field that can be set."""
    import dataclasses
    from json import dumps

    from rich.table import Table

    from cli.settings_view import fields

    found = fields(sections)
    if as_json:
        print(dumps([dataclasses.asdict(field) for field in found], indent=1))
        return
    table = Table()
    for column in ("setting", "type", "unit", "range", "default", "what it is"):
        table.add_column(column, overflow="fold")
    for field in found:
        note = " (next start)" if field.restart else ""
        default = "required" if field.required else as_text(field.default)
        table.add_row(field.name, field.type, field.unit, field.range, default, field.description + note)
    out.print(table)


def as_text(value: Any) -> str:
    """A value as it would stand in YAML."""
    if isinstance(value, str):
        return value or "''"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(str, value)) + "]"
    return "null" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
