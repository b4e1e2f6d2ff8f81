"""One running mesh for all tests that leave it as they found it; fault tests start their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cli.supervisor import Mesh
from tests.calls import MODELS, variable

NODES = 300
"""Enough for kube-scheduler's sampling; built in a few seconds."""
PATIENT = {
    "BERTH_EXTENDER__MODELS__BUDGET_MS": "1000",
    **{f"BERTH_EXTENDER__{variable(model, 'TIMEOUT_MS')}": "1000" for model in MODELS},
}
"""What is answered is asked here, while other tests want the processor too; how fast, in the tests that run alone."""


def running_mesh(folder: Path) -> Iterator[Mesh]:
    """A ready mesh on free ports: replayed nodes, embedded Valkey, logs in `folder`."""
    with Mesh(auto_ports=True, data_dir=folder, nodes=NODES, environment=PATIENT) as mesh:
        yield mesh
