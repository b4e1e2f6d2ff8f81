"""`berth history backfill`: the past that Prometheus still knows, into history."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.history.root import Config, Root, Step

if TYPE_CHECKING:
    from services.telemetry.settings import TelemetrySettings

Days = Annotated[int, typer.Option(help="how far back", min=1, max=3650)]
Url = Annotated[
    str | None, typer.Option("--prometheus", help="where to ask (default: telemetry.prometheus.url)", metavar="URL")
]
Kubeconfig = Annotated[
    Path | None,
    typer.Option(help="of the cluster: nodes are known by their addresses too", exists=True, dir_okay=False),
]


def backfill(
    days: Days = 30,
    prometheus: Url = None,
    root: Root = None,
    step: Step = None,
    kubeconfig: Kubeconfig = None,
    config: Config = None,
) -> None:
    """Fill history from Prometheus, newest hour first; hours that are there are left alone.

    Interrupted (Ctrl-C, a server that goes away), it goes on where it stopped when it is run again. Where Prometheus
    names nodes by address, give --kubeconfig.

    Examples:

      berth history backfill --days 30 --prometheus http://127.0.0.1:9090 --root history

      berth history backfill --days 7 --config berth.yaml
    """
    import asyncio

    from cli.errors import CliError
    from cli.history.root import settings_with
    from services.telemetry.history.errors import HistoryError
    from services.telemetry.live.kube_api import KubeApiError
    from services.telemetry.live.prometheus import PrometheusError

    settings = settings_with(config, root, step)
    asked = settings.prometheus.model_copy(update={"url": prometheus or settings.prometheus.url})
    if not asked.url:
        raise CliError("no Prometheus is named: give --prometheus, or set telemetry.prometheus.url")
    update = {"prometheus": asked, "kubeconfig": kubeconfig or settings.kubeconfig}
    try:
        asyncio.run(filled(settings.model_copy(update=update), days))
    except PrometheusError as error:
        raise CliError(f"Prometheus at {asked.url}: {error}. What was filled is kept: run it again to go on") from error
    except (HistoryError, KubeApiError) as error:
        raise CliError(f"{error}. What was filled is kept: run it again to go on") from error


async def filled(settings: TelemetrySettings, days: int) -> None:
    """Fill and say so."""
    from datetime import UTC, datetime

    from cli.console import console
    from cli.history.root import usage_of
    from cli.progress import reporting
    from services.telemetry.history.backfill import backfill, hours_back
    from services.telemetry.live.nodes import known_names

    hours = hours_back(days, datetime.now(UTC))
    names = await known_names(settings.kubeconfig) if settings.kubeconfig else {}
    store, out, rows, there = usage_of(settings), console(), 0, 0
    with reporting(out) as progress:
        progress("filling history", 0.0)
        async for hour in backfill(settings, store, hours, names):
            rows, there = rows + (hour.rows or 0), there + (hour.rows is None)
            progress("filling history", (hours.index(hour.hour) + 1) / len(hours))
    out.print(f"{len(hours) - there} hours filled with {rows:,} values; {there} were there. {settings.history.url}")
