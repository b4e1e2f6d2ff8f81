"""`berth`: one command a file. Each imports what it needs when it runs, so that `--help` answers at once."""

from __future__ import annotations

import sys

import typer

from berth.settings import InvalidSettings
from cli.config import config
from cli.demo.command import demo
from cli.errors import CliError
from cli.evaluate import evaluate
from cli.explain import explain
from cli.features import features
from cli.history.command import history_app
from cli.mode import mode
from cli.report import report
from cli.train import train
from cli.up import up
from cli.version import version

HELP = """Learned placement for Kubernetes: an HTTP scheduler extender that asks three models where a pod should land.

[bold]A first look[/bold], no cluster needed:

  berth demo                     [dim]start it all, break it, see it answer[/dim]

  berth up                       [dim]start it all and leave it running[/dim]

  berth explain openb-pod-0007   [dim]why that pod went where it went[/dim]

[bold]Running it[/bold]:

  berth config --schema          [dim]every setting: unit, range, default[/dim]

  berth mode shadow --for 2h     [dim]score and record, decide nothing[/dim]

  berth report                   [dim]how recent decisions came about[/dim]

  berth history quality          [dim]what is missing or wrong in what telemetry has kept[/dim]
"""

COMMANDS = (demo, up, explain, report, config, features, mode, train, evaluate, version)


def create_app() -> typer.Typer:
    """The command with all its commands."""
    app = typer.Typer(
        name="berth", help=HELP, no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False
    )
    for command in COMMANDS:
        app.command()(command)
    app.add_typer(history_app(), name="history")
    return app


def run() -> None:
    """Entry point. Exit codes: 0 done, 1 failed, 2 settings or arguments refused, 130 interrupted."""
    try:
        create_app()()
    except InvalidSettings as error:
        for problem in error.problems:
            print(f"refused: {problem}", file=sys.stderr)
        sys.exit(2)
    except CliError as error:
        print(f"berth: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
