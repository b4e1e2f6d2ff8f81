"""What the service loads: each package costs every start its time."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.process

SERVED = """
import sys
import services.load_predictor.model as model
assert "sklearn" not in sys.modules
assert model.load(model.ARTIFACT).name == "load-predictor"
import sklearn.ensemble
"""
LOADED_BEFORE = """
import sklearn
import services.load_predictor.model
import sys
assert sys.modules["sklearn"] is sklearn
"""


@pytest.mark.parametrize(
    "program",
    [pytest.param(SERVED, id="served"), pytest.param(LOADED_BEFORE, id="loaded before", marks=pytest.mark.long)],
)
def test_scikit_learn_is_not_loaded_with_the_model_and_may_be_otherwise(program: str) -> None:
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
