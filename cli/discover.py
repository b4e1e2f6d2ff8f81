"""Where a mesh is: the address given, else what a running `berth up` has written, else the settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DEFAULT_DATA_DIR = Path(".berth")


def mesh_file(data_dir: Path = DEFAULT_DATA_DIR) -> dict[str, Any]:
    """mesh.json of a running mesh; {} where there is none."""
    try:
        found = json.loads((data_dir / "mesh.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def extender_url(given: str | None) -> str:
    """Base URL of the extender. Raises InvalidSettings."""
    if given:
        return given.rstrip("/")
    port = mesh_file().get("extender", {}).get("http")
    if port is None:
        from extender.settings import ExtenderSettings

        port = ExtenderSettings.load().server.port
    return f"http://127.0.0.1:{port}"


def telemetry_url(given: str | None) -> str:
    """Base URL of telemetry. Raises InvalidSettings."""
    if given:
        return given.rstrip("/")
    port = mesh_file().get("telemetry", {}).get("http")
    if port is None:
        from services.telemetry.settings import TelemetrySettings

        port = TelemetrySettings.load().port
    return f"http://127.0.0.1:{port}"


def redis_url(given: str | None, config: Path | None) -> str:
    """URL of the Redis that the extenders read. Raises InvalidSettings."""
    found = given or (None if config else mesh_file().get("redis_url"))
    if found:
        return str(found)
    from extender.settings import ExtenderSettings

    return ExtenderSettings.load(config).redis.url.get_secret_value()
