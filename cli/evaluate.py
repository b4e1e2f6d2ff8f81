"""`berth evaluate NAME`: score a model on data it was not trained on, beside its baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.model_names import ModelName
from cli.progress import Report

Name = Annotated[ModelName, typer.Argument(help="which model", show_choices=True)]
Artifact = Annotated[Path | None, typer.Option(help="folder of the artifact (default: the shipped one)", exists=True)]
Json = Annotated[Path | None, typer.Option("--json", help="write the report there", dir_okay=False, metavar="FILE")]


def evaluate(name: Name, artifact: Artifact = None, json: Json = None) -> None:
    """Evaluate a model on held-out machines and days, with simple baselines beside each score.

    Examples:

      berth evaluate load-predictor

      berth evaluate anomaly-detector --json report.json

      berth evaluate placement-scorer --artifact .berth/artifacts/placement-scorer
    """
    from json import dumps

    from cli.console import console
    from cli.model_names import extras_named
    from cli.progress import reporting

    out = console()
    with reporting(out) as progress, extras_named():
        found = evaluated(name, artifact, progress)
    if json is not None:
        json.write_text(dumps(found, indent=1) + "\n", "utf-8")
    out.print(table_of(name.value, found))


def evaluated(name: ModelName, artifact: Path | None, progress: Report) -> Any:
    """The report as plain data. Raises MissingExtraError."""
    import dataclasses

    from cli.model_names import module_of

    folder = artifact or Path(module_of(name, "settings").__file__ or "").parent / "artifact"
    subject = module_of(name, "model").load(folder) if name is ModelName.LOAD_PREDICTOR else folder
    found = module_of(name, "evaluate").evaluate(subject, progress=progress)
    return dataclasses.asdict(found) if dataclasses.is_dataclass(found) and not isinstance(found, type) else found


def table_of(title: str, found: Any) -> Any:
    """Rows of dotted names and values."""
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in flat(found):
        table.add_row(name, f"{value:.4g}" if isinstance(value, float) else str(value))
    return table


def flat(found: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """A nested report as (dotted name, value)."""
    if not isinstance(found, dict):
        return [(prefix, found)]
    return [row for key, value in found.items() for row in flat(value, f"{prefix}.{key}" if prefix else str(key))]
