"""Runs `berth` as a user does: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

BERTH = (sys.executable, "-P", "-c", "from cli.main import run; run()")


def berth(
    *arguments: str, cwd: Path | None = None, environment: Mapping[str, str] | None = None, timeout: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """The ended command, its output as text."""
    return subprocess.run(
        [*BERTH, *arguments],
        cwd=cwd,
        env=clean(environment),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def clean(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without Berth's variables, and what is given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BERTH_")}
    return kept | {"COLUMNS": "100", "NO_COLOR": "1"} | dict(environment or {})
