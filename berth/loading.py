"""Libraries loaded without the garbage collector."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def uncollected() -> Iterator[None]:
    """What is imported stays: looking for garbage among it again and again takes an eighth of a process's start, and
    once more later stops a model for so long that pods wait in vain. It is left out of later collections too."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def replaced(package: str, by: ModuleType | None) -> Iterator[None]:
    """Within, importing `package` gives `by`, or fails where that is None, unless it is loaded already; afterwards it
    is imported as anywhere."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = by  # type: ignore[assignment]  # None: what the import system takes for "not there"
    try:
        yield
    finally:
        del sys.modules[package]
