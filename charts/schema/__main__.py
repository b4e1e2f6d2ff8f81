"""`python -m charts.schema`: write each chart's values.schema.json; --check: say whether they are as they should be."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from berth.settings import ProcessSettings
from charts.schema.extender import ExtenderValues
from charts.schema.mesh import MeshValues
from charts.schema.model_service import ModelValues
from charts.schema.pieces import Values
from charts.schema.settings import Schema, as_part
from charts.schema.telemetry import TelemetryValues
from extender.settings import ExtenderSettings
from services.serving.settings import ModelServiceSettings
from services.telemetry.settings import TelemetrySettings

CHARTS = Path(__file__).parents[1]
VALUES: dict[str, type[Values]] = {
    "extender": ExtenderValues,
    "model-service": ModelValues,
    "telemetry": TelemetryValues,
    "mesh": MeshValues,
}
SETTINGS: dict[str, type[ProcessSettings]] = {
    "extender": ExtenderSettings,
    "model-service": ModelServiceSettings,
    "telemetry": TelemetrySettings,
}


def main(argv: list[str] | None = None) -> int:
    """Exit code 1 where --check finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m charts.schema", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit code 1 where a file differs")
    check = parser.parse_args(argv).check
    stale = [path for path, text in written().items() if not path.exists() or path.read_text("utf-8") != text]
    for path in stale:
        if check:
            print(f"{path.relative_to(CHARTS.parent)} is not what `python -m charts.schema` writes", file=sys.stderr)
        else:
            path.write_text(written()[path], "utf-8")
    return 1 if check and stale else 0


def written() -> dict[Path, str]:
    """Each file with its text."""
    return {
        CHARTS / chart / "values.schema.json": json.dumps(schema_of(chart), indent=1, ensure_ascii=False) + "\n"
        for chart in VALUES
    }


def schema_of(chart: str) -> Schema:
    """The schema of a chart's values."""
    schema = VALUES[chart].model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    if chart in SETTINGS:
        schema["properties"]["settings"], inner = as_part(SETTINGS[chart])
        schema.setdefault("$defs", {}).update(inner)
    return schema


if __name__ == "__main__":
    sys.exit(main())
