"""`python -m tests.charts.pack FOLDER`: the charts as archives, each with its dependencies."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.charts.helm import NAMES, ready
from tests.lab.build import HELM, tool


def main(folder: Path) -> None:
    """Write them, and say where."""
    with tempfile.TemporaryDirectory() as home:
        helm = ready(Path(home), tool(HELM))
        for chart in NAMES:
            print(helm("package", chart, "--destination", folder.resolve()).strip())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
