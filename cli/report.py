"""`berth report`: how an extender's recent decisions came about."""

from __future__ import annotations

from typing import Annotated, Any

import typer

Url = Annotated[str | None, typer.Option(help="the extender (default: the running `berth up`, else port 8888)")]
Telemetry = Annotated[str | None, typer.Option(help="telemetry (default: the running `berth up`'s, else port 8084)")]
AsJson = Annotated[bool, typer.Option("--json", help="print it as JSON")]


def report(url: Url = None, telemetry: Telemetry = None, json: AsJson = False) -> None:
    """Sum up the recent decisions of one extender: modes, fallback steps, neutral answers. Where telemetry keeps
    history: how often pods were bound where the best score was, in the last 24 hours.

    Examples:

      berth report

      berth report --url http://127.0.0.1:8888 --json
    """
    from json import dumps

    from cli.bound import agreement_in_words
    from cli.console import console
    from cli.discover import extender_url
    from cli.endpoint import get_json

    found: dict[str, Any] = get_json(f"{extender_url(url)}/v1/report")
    bound = agreement(telemetry)
    if json:
        print(dumps(found if bound is None else {**found, "agreement": bound}, indent=1))
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
    for line in agreement_in_words(bound) if bound else ():
        console().print(line)


def agreement(telemetry: str | None) -> dict[str, Any] | None:
    """Of the last 24 hours; None where telemetry keeps no history, or none runs. Raises UnreachableError where an
    address was given and does not answer."""
    from cli.discover import telemetry_url
    from cli.endpoint import call, decoded
    from cli.errors import UnreachableError

    url = f"{telemetry_url(telemetry)}/v1/agreement?hours=24"
    try:
        status, raw = call("GET", url, timeout_s=30.0)
        found = None if status == 404 else decoded(url, status, raw)
        return found if isinstance(found, dict) and "scored" in found else None
    except UnreachableError:
        if telemetry is None:
            return None
        raise
