"""XGBoost, imported as where scikit-learn is not installed, unless that is loaded already.

XGBoost looks for scikit-learn to base its estimators on. Only boosters are used here, and finding it would take two
thirds of the import's time: 2 s of each start on a slow machine.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def missing(package: str) -> Iterator[None]:
    """Within, importing `package` fails unless it is loaded; afterwards it can be imported."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]  # what the import system takes for "not there"
    try:
        yield
    finally:
        del sys.modules[package]


with missing("sklearn"):
    import xgboost

__all__ = ["xgboost"]
