"""The three models as arguments of commands, and what to say where their libraries are not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib import import_module
from types import ModuleType

from cli.errors import MissingExtraError

EXTRA_OF = {"torch": "training", "pyarrow": "training"}


class ModelName(StrEnum):
    """Models that can be trained and evaluated."""

    LOAD_PREDICTOR = "load-predictor"
    PLACEMENT_SCORER = "placement-scorer"
    ANOMALY_DETECTOR = "anomaly-detector"

    @property
    def package(self) -> str:
        """Its package."""
        return f"services.{self.value.replace('-', '_')}"


@contextmanager
def extras_named() -> Iterator[None]:
    """Turns a missing library into one line that names the extra. Raises MissingExtraError."""
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "").split(".")[0]
        if library in ("berth", "cli", "services", "extender", "protos", ""):
            raise
        extra = EXTRA_OF.get(library, "evaluation")
        raise MissingExtraError(f"{library} is not installed: pip install 'berth[{extra}]'") from error


def module_of(model: ModelName, part: str) -> ModuleType:
    """`services.NAME.PART`. Raises MissingExtraError."""
    with extras_named():
        return import_module(f"{model.package}.{part}")
