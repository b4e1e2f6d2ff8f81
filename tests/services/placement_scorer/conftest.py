from __future__ import annotations

import pytest

from services.placement_scorer.environment import Recordings, read_recordings
from services.placement_scorer.model import PlacementScorer, load


@pytest.fixture(scope="session")
def scorer() -> PlacementScorer:
    """The committed artifact."""
    return load()


@pytest.fixture(scope="session")
def recordings() -> Recordings:
    """The shipped recordings."""
    return read_recordings()
