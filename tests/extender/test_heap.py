"""What a process takes at start it does not take later."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.process

GROWTH = """
import sys
import psutil, numpy as np
from extender.heap import fill_small_arrays
if sys.argv[1] == "filled":
    fill_small_arrays()
before = psutil.Process().memory_info().rss
for size in range(1, 1024):
    several = [np.empty(size, dtype=np.uint8) for _ in range(7)]
print(psutil.Process().memory_info().rss - before)
"""


def growth(how: str) -> float:
    """MB by which a fresh process grows over small arrays of every size."""
    done = subprocess.run([sys.executable, "-c", GROWTH, how], capture_output=True, text=True, timeout=60, check=True)
    return float(done.stdout) / 1e6


def test_small_arrays_of_every_size_find_numpy_s_store_filled() -> None:
    assert growth("empty") > 3.0
    assert growth("filled") < 0.3
