"""Settings of telemetry with what the command line says, and the history that they name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from services.telemetry.history.store import HistoryStore
    from services.telemetry.settings import TelemetrySettings

Config = Annotated[
    Path | None, typer.Option(help="settings file; section `telemetry` is read", exists=True, dir_okay=False)
]
Root = Annotated[
    str | None,
    typer.Option(
        help="folder or URL of the history (default: telemetry.history.url, else of `berth up`)", metavar="URL"
    ),
]
Step = Annotated[
    int | None, typer.Option(help="between two values, s (default: telemetry.history.step_s)", min=1, max=3600)
]


def settings_with(config: Path | None, root: str | None, step: int | None) -> TelemetrySettings:
    """Raises InvalidSettings, CliError where no history is named."""
    from cli.discover import DEFAULT_DATA_DIR
    from cli.errors import CliError
    from cli.processes import HISTORY
    from services.telemetry.settings import TelemetrySettings

    settings = TelemetrySettings.load(config)
    said = {name: value for name, value in (("url", root), ("step_s", step)) if value is not None}
    history = settings.history.model_validate({**settings.history.model_dump(), **said})
    if not history.url and (left := DEFAULT_DATA_DIR / HISTORY).is_dir():
        history = history.model_copy(update={"url": str(left)})
    if not history.url:
        raise CliError("no history is named: give --root, or set telemetry.history.url")
    return settings.model_copy(update={"history": history})


def usage_of(settings: TelemetrySettings) -> HistoryStore:
    """Usage below the root."""
    from services.telemetry.history.files import Files
    from services.telemetry.history.kinds import USAGE
    from services.telemetry.history.store import HistoryStore

    return HistoryStore(Files(settings.history.url), USAGE)
