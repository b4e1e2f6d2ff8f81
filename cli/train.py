"""`berth train NAME`: fit a model on the recordings that the project ships."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.model_names import ModelName

Name = Annotated[ModelName, typer.Argument(help="which model", show_choices=True)]
Out = Annotated[
    Path | None, typer.Option(help="folder of the artifact (default: .berth/artifacts/NAME)", file_okay=False)
]


def train(name: Name, out: Out = None) -> None:
    """Train a model and write its artifact with card.json and MODEL_CARD.md.

    The data is in the package; nothing is downloaded. The placement scorer needs torch:
    pip install 'berth\\[training]'.

    Examples:

      berth train anomaly-detector

      berth train load-predictor --out services/load_predictor/artifact

      BERTH_LOAD_PREDICTOR__ARTIFACT=.berth/artifacts/load-predictor berth up
    """
    import time

    from cli.console import console
    from cli.model_names import extras_named, module_of
    from cli.progress import reporting

    screen = console()
    folder = out or Path(".berth") / "artifacts" / name.value
    work = module_of(name, "train").train
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with reporting(screen) as progress, extras_named():
        work(folder, progress)
    screen.print(f"{name.value}: trained in {time.monotonic() - started:.0f} s; artifact in {folder}")
    screen.print(f"to serve it: BERTH_{name.value.upper().replace('-', '_')}__ARTIFACT={folder} berth up")
