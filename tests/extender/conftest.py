"""One healthy mesh for the tests that need one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.supervisor import Mesh
from tests.calls import Caller, Replay, pod, scores_of
from tests.mesh import PATIENT, variables


@pytest.fixture(scope="package")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    """All processes, over all 1,523 nodes; a snapshot comes only when a test asks for one."""
    folder: Path = tmp_path_factory.mktemp("mesh")
    settings = {
        **PATIENT,
        "RECORDS__TOP": "50",  # a record tells the parts of every node that the tests look at
        "INFLIGHT__EXPIRE_S": "3600",  # none expires while a test counts
    }
    with Mesh(auto_ports=True, data_dir=folder, interval_s=600, restart=False, environment=variables(settings)) as mesh:
        running = Replay(mesh)
        yield running
        running.close()


@pytest.fixture
def caller(replay: Replay) -> Iterator[Caller]:
    """A connection of its own for each test."""
    made = Caller(replay.port)
    yield made
    made.close()


@pytest.fixture
def still_serving(replay: Replay, caller: Caller) -> Iterator[None]:
    """After each test the process is the same and answers with scores."""
    before = replay.mesh.pid("extender")
    yield
    assert replay.mesh.alive("extender")
    assert replay.mesh.pid("extender") == before
    fresh = Caller(replay.port)
    found = scores_of(fresh.prioritize(pod(f"serving-{time.monotonic_ns()}", cpu="2100m"), replay.names[:100]))
    assert max(found.values()) == 10
    fresh.close()
