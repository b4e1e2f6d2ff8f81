"""One running mesh for all tests that leave it as they found it; fault tests start their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cli.supervisor import Mesh

NODES = 300
"""Enough for kube-scheduler's sampling; built in a few seconds."""


def running_mesh(folder: Path) -> Iterator[Mesh]:
    """A ready mesh on free ports: replayed nodes, embedded Valkey, logs in `folder`."""
    with Mesh(auto_ports=True, data_dir=folder, nodes=NODES) as mesh:
        yield mesh
