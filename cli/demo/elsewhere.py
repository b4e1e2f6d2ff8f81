"""`berth demo --url`: the same pods to a mesh that runs already, which is left as it was found."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from cli.demo import tables
from cli.demo.command import conclude
from cli.demo.run import Run
from cli.discover import extender_url, telemetry_url
from cli.endpoint import get_json
from cli.errors import MeshError

if TYPE_CHECKING:
    from rich.console import Console

PATIENCE_S = 60.0
"""A mesh that has just been started needs a snapshot and its models."""


def perform_at(out: Console, url: str, telemetry: str | None, pods: int, json: Path | None) -> bool:
    """The demo without faults; whether every call was answered with status 200. Raises MeshError, UnreachableError."""
    extender = extender_url(url)
    out.rule(f"Berth at {extender}")
    wait_in_order(extender)
    run = Run.of(extender, telemetry_url(telemetry), out)
    try:
        phase = run.phase("as it runs", pods)
    finally:
        run.scheduler.release()
    tables.show_healthy(out, phase, run.scheduler.counts)
    return conclude(out, [phase], run, json)


def wait_in_order(extender: str, patience_s: float = PATIENCE_S) -> None:
    """Returns when the extender misses nothing. Raises MeshError, UnreachableError."""
    end = time.monotonic() + patience_s
    while missing := get_json(f"{extender}/v1/state")["degraded"]:
        if time.monotonic() > end:
            raise MeshError(f"the mesh at {extender} is not in order after {patience_s:.0f} s: {', '.join(missing)}")
        time.sleep(0.5)
