import gc
import importlib

import pytest

from berth.loading import uncollected


def test_the_collector_is_back_whatever_happens() -> None:
    with uncollected():
        assert not gc.isenabled()
    with pytest.raises(ImportError):
        load("berth.nothing")
    assert gc.isenabled()


def load(name: str) -> None:
    with uncollected():
        importlib.import_module(name)
