"""Services run without pandas; whoever wants it has it all the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from services.serving.frames import DataFrame
from tests.services.serving.running import Service

pytestmark = pytest.mark.process

WANTED_LATER = """
import sys
from services.serving.frames import without_frames
with without_frames():
    import kserve
assert "pandas" not in sys.modules
import pandas
assert pandas.DataFrame({"a": [1]}).shape == (1, 1)
"""
LOADED_BEFORE = """
import pandas, sys
from services.serving.frames import without_frames
with without_frames():
    from kserve.protocol import infer_type
assert sys.modules["pandas"] is pandas is infer_type.pd
"""


def test_a_running_service_has_not_loaded_it(tiny: Service) -> None:
    mapped = Path(f"/proc/{tiny.process.pid}/maps").read_text()
    assert "/numpy/" in mapped
    assert "/pandas/" not in mapped
    assert "/pyarrow/" not in mapped


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(WANTED_LATER, id="wanted later"),
        pytest.param(LOADED_BEFORE, id="loaded before", marks=pytest.mark.long),
    ],
)
def test_it_may_be_had_otherwise(program: str) -> None:
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr


def test_the_stand_in_makes_none() -> None:
    with pytest.raises(TypeError, match="no data frames"):
        DataFrame({"a": [1]})
