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


def test_what_was_loaded_is_left_out_of_later_collections() -> None:
    gc.unfreeze()
    with uncollected():
        loaded: list[dict[str, str]] = [{} for _ in range(1000)]
    assert gc.get_freeze_count() >= len(loaded)
    gc.unfreeze()
