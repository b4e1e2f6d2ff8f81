"""`berth history quality`: what is missing or wrong in history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.history.root import Config, Root, Step

if TYPE_CHECKING:
    from services.telemetry.history.findings import Quality

Days = Annotated[int, typer.Option(help="the newest days that there are", min=1, max=3650)]
Every = Annotated[bool, typer.Option("--all", help="show every finding and alert, not the first 20")]
AsJson = Annotated[bool, typer.Option("--json", help="print all of it as JSON")]
Check = Annotated[bool, typer.Option("--check", help="exit code 1 where coverage is too low (for scripts)")]

SHOWN = 20


def quality(
    days: Days = 7,
    root: Root = None,
    step: Step = None,
    every: Every = False,
    json: AsJson = False,
    check: Check = False,
    config: Config = None,
) -> None:
    """Judge history: how much is there, gaps, duplicates, impossible values, stuck sensors, changed labels.

    An alert is a node of which less than telemetry.history.quality.coverage of a metric is known.

    Examples:

      berth history quality --days 30

      berth history quality --root history --json
    """
    from json import dumps

    from cli.console import console
    from cli.errors import CliError
    from cli.history.root import settings_with, usage_of
    from cli.history.tables import show
    from cli.progress import reporting
    from services.telemetry.history.errors import HistoryError
    from services.telemetry.history.quality import hours_there, judge

    settings = settings_with(config, root, step)
    store, out = usage_of(settings), console()
    try:
        hours = hours_there(store, days)
        if not hours:
            raise CliError(f"there is nothing in {settings.history.url}: see `berth history backfill --help`")
        with reporting(console(error=True)) as progress:
            found = judge(store, settings.history, hours, progress)
    except HistoryError as error:
        raise CliError(str(error)) from error
    if json:
        print(dumps(as_json(found), indent=1))
    else:
        show(out, found, None if every else SHOWN)
    if check and found.alerts:
        raise typer.Exit(1)


def as_json(found: Quality) -> dict[str, Any]:
    """The whole of it; times are unix seconds."""
    from dataclasses import asdict

    return {
        **{name: value for name, value in asdict(found).items() if name not in ("coverage", "findings")},
        "alerts": [{**asdict(one), "share": round(one.share, 4)} for one in found.alerts],
        "coverage": [{**asdict(one), "share": round(one.share, 4)} for one in found.coverage],
        "findings": [asdict(one) for one in found.findings],
    }
