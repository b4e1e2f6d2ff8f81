"""Fixtures for every room's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.supervisor import Mesh
from tests.mesh import running_mesh


@pytest.fixture(scope="session")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """The running mesh, started once and shared: leave it healthy, in `active` mode and without disturbances."""
    folder: Path = tmp_path_factory.mktemp("mesh")
    yield from running_mesh(folder)
