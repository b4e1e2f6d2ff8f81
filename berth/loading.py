"""Libraries loaded without the garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
