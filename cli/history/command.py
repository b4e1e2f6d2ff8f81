"""`berth history`: one command a file."""

from __future__ import annotations

import typer

from cli.history.backfill import backfill
from cli.history.quality import quality

HELP = """What telemetry keeps of the past: Parquet by day, where the setting telemetry.history.url says.

  berth history backfill --days 30   [dim]fill it from Prometheus[/dim]

  berth history quality              [dim]what is missing or wrong in it[/dim]
"""


def history_app() -> typer.Typer:
    """The commands below `berth history`."""
    app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False)
    app.command()(backfill)
    app.command()(quality)
    return app
