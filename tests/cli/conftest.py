"""One healthy mesh for the commands that talk to one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.supervisor import Mesh
from tests.mesh import PATIENT, variables

NODES = 300
"""Enough for kube-scheduler's sampling; built in a few seconds."""


@pytest.fixture(scope="package")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """A ready mesh on free ports, with replayed nodes and an embedded Valkey: leave it healthy, in `active` mode and
    without disturbances."""
    folder: Path = tmp_path_factory.mktemp("mesh")
    with Mesh(auto_ports=True, data_dir=folder, nodes=NODES, environment=variables(PATIENT)) as running:
        yield running
