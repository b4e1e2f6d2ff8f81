"""`python -m extender [--config FILE]`: one extender."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from berth.loading import uncollected
from berth.settings import CONFIG_VARIABLE, InvalidSettings
from extender.settings import ExtenderSettings


def main() -> int:
    """Load settings, then what serves; serve. Exit code 2 for settings that are refused."""
    parser = argparse.ArgumentParser(prog="python -m extender", description="Berth's scheduler extender")
    parser.add_argument("--config", type=Path, help=f"settings file (default: ${CONFIG_VARIABLE}, else defaults)")
    given = parser.parse_args().config or os.environ.get(CONFIG_VARIABLE)
    path = Path(given) if given else None
    try:
        settings = ExtenderSettings.load(path)
        with uncollected():
            from extender.process import Extender
        extender = Extender(settings, path)
    except InvalidSettings as error:
        for problem in error.problems:
            print(f"refused: {problem}", file=sys.stderr)
        return 2
    logging.basicConfig(
        level=settings.log_level.upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    extender.serve()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
