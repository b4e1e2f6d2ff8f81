"""KServe, imported without pandas unless that is loaded already.

kserve names `pandas.DataFrame` in signatures and asks whether an answer is one. No model here takes or gives data
frames, and pandas would be a third of a model service's memory (65 of 178 MB) and a third of its start.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from berth.loading import replaced


class DataFrame:
    """What kserve takes for pandas' class: nothing is one. Making one raises TypeError."""

    def __init__(self, *_: object, **__: object) -> None:
        raise TypeError("model services take and give tensors, no data frames")


@contextmanager
def without_frames() -> Iterator[None]:
    """Within, importing pandas gives a stand-in unless pandas is loaded; afterwards it is imported as anywhere."""
    stand_in = ModuleType("pandas", __doc__)
    stand_in.DataFrame = DataFrame  # type: ignore[attr-defined]
    with replaced("pandas", stand_in):
        yield
