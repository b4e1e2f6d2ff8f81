"""Fixtures for every room's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import xdist.scheduler

from cli.supervisor import Mesh
from tests.mesh import running_mesh

hypothesis.settings.register_profile("berth", deadline=None)  # a busy machine is no counterexample
hypothesis.settings.load_profile("berth")

TOGETHER = {"lab": "lab", "charts": "charts", "cli": "mesh", "extender": "mesh", "faults": "mesh", "benchmarks": "mesh"}
"""Rooms whose tests share what takes seconds to start, by its name: one worker runs all of them."""
APART = ("tests/lab/test_faults.py",)
"""Modules there that bring a mesh of their own, to break it: whoever is free starts a control plane for it."""


class ByRoom(xdist.scheduler.LoadScopeScheduling):  # type: ignore[misc]
    """What may run beside what: the rooms of TOGETHER, and each module of the others."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::")[0]
        return path if path in APART else TOGETHER.get(path.split("/")[1], path)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByRoom:
    """pytest-xdist's hook: what `--dist` names is not asked."""
    return ByRoom(config, log)


@pytest.fixture(scope="session")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """The running mesh, started once and shared: leave it healthy, in `active` mode and without disturbances."""
    folder: Path = tmp_path_factory.mktemp("mesh")
    yield from running_mesh(folder)
