"""`berth report`: how an extender's recent decisions came about."""

from __future__ import annotations

from typing import Annotated, Any

import typer

Url = Annotated[str | None, typer.Option(help="the extender (default: the running `berth up`, else port 8888)")]
AsJson = Annotated[bool, typer.Option("--json", help="print it as JSON")]


def report(url: Url = None, json: AsJson = False) -> None:
    """Sum up the recent decisions of one extender: modes, fallback steps, neutral answers.

    Examples:

      berth report

      berth report --url http://127.0.0.1:8888 --json
    """
    from json import dumps

    from cli.console import console
    from cli.discover import extender_url
    from cli.endpoint import get_json

    found: dict[str, Any] = get_json(f"{extender_url(url)}/v1/report")
    if json:
        print(dumps(found, indent=1))
        return
    from rich.table import Table

    total = found.get("decisions", 0)
    table = Table(title=f"The newest {total} decisions of this replica", title_justify="left")
    for column in ("by", "which", "decisions", "share"):
        table.add_column(column, justify="right" if column in ("decisions", "share") else "left")
    for by, counts in found.items():
        if isinstance(counts, dict):
            for which, count in sorted(counts.items(), key=lambda entry: -entry[1]):
                table.add_row(by, which, str(count), f"{count / total:.1%}" if total else "–")
    console().print(table)
