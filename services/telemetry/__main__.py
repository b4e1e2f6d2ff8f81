"""Runs telemetry: `python -m services.telemetry --help`."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from pathlib import Path

from berth.loading import uncollected
from berth.settings import InvalidSettings
from services.telemetry.settings import TelemetrySettings


def main() -> int:
    """Exit status: 0 after a signal, 2 for bad settings."""
    parser = argparse.ArgumentParser(prog="python -m services.telemetry", description=__doc__)
    parser.add_argument("--config", type=Path, help="settings file; section `telemetry` is read")
    try:
        settings = TelemetrySettings.load(parser.parse_args().config)
    except InvalidSettings as error:
        print("\n".join(error.problems), file=sys.stderr)
        return 2
    serve(settings)
    return 0


def serve(settings: TelemetrySettings) -> None:
    """Serves until a signal ends it."""
    with uncollected():
        import uvicorn

        from services.telemetry.app import create_app

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: sys.exit(0))  # uvicorn ends in order, then raises the signal again
    uvicorn.run(
        create_app(settings), host=settings.host, port=settings.port, access_log=False, log_config=None,
        timeout_graceful_shutdown=3, proxy_headers=False,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
