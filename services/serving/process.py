"""A model service's process: arguments, settings, model, servers. Its exit code is 2 when it cannot start."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from berth.loading import uncollected
from berth.settings import InvalidSettings
from services.serving.addresses import check_free
from services.serving.artifact import verify, verify_version
from services.serving.errors import StartError
from services.serving.frames import without_frames
from services.serving.settings import ModelServiceSettings

if TYPE_CHECKING:
    from services.serving.contract import TensorModel

Load = Callable[[Path], "TensorModel"]

log = logging.getLogger("services.serving")


def main(settings_class: type[ModelServiceSettings], load: Load, argv: Sequence[str] | None = None) -> int:
    """Runs the service until it is told to end; returns the exit code. `load` imports what it needs itself,
    so that --help and bad settings answer at once."""
    config = parse(settings_class.section, argv)
    try:
        settings = settings_class.load(config)
        configure_logging(settings.log_level)
        check_free(settings.host, settings.http_port, settings.grpc_port)
        serve(load_model(load, settings), settings)
    except InvalidSettings as error:
        return refuse(error.problems)
    except StartError as error:
        return refuse([str(error)])
    return 0


def parse(section: str, argv: Sequence[str] | None) -> Path | None:
    """The settings file named on the command line."""
    parser = argparse.ArgumentParser(
        prog=f"python -m services.{section}",
        description=f"Serves the {section.replace('_', '-')} model on REST and gRPC (Open Inference v2).",
        epilog=f"Settings: section '{section}' of the file, and BERTH_{section.upper()}__FIELD. "
        "Exit codes: 0 ended on SIGTERM or SIGINT, 2 could not start.",
        allow_abbrev=False,
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings file, YAML (default: $BERTH_CONFIG)")
    config: Path | None = parser.parse_args(argv).config
    return config


def configure_logging(level: str) -> None:
    """One line an event on stderr; libraries only from WARNING."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for library in ("kserve", "uvicorn", "uvicorn.access"):
        logging.getLogger(library).setLevel(logging.WARNING)


def load_model(load: Load, settings: ModelServiceSettings) -> TensorModel:
    """The verified and loaded model. Raises StartError with one line."""
    verify(settings.artifact, settings.artifact_digest)
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, str(settings.threads))  # read when the numeric libraries are loaded
    try:
        with uncollected():
            model = load(settings.artifact)
    except Exception as error:  # the outermost edge; each model's library has its own errors
        log.debug("loading failed", exc_info=error)
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise StartError(f"artifact {settings.artifact}: cannot be loaded: {reason}") from error
    verify_version(settings.artifact, model.version)
    return model


def serve(model: TensorModel, settings: ModelServiceSettings) -> None:
    """Hands over to KServe, which parses sys.argv when it is imported and would take --config for its own
    --configure_logging."""
    del sys.argv[1:]
    with uncollected(), without_frames():
        from services.serving.server import run

    run(model, settings)


def refuse(problems: list[str]) -> int:
    """Says on stderr why the process does not start."""
    for problem in problems:
        print(problem, file=sys.stderr)
    return 2
