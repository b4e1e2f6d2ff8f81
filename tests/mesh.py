"""One running mesh for all tests that leave it as they found it; fault tests start their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from cli.supervisor import Mesh
from tests.calls import MODELS, variable

NODES = 300
"""Enough for kube-scheduler's sampling; built in a few seconds."""
PATIENT = {
    "MODELS__BUDGET_MS": "1000",
    "REDIS__TIMEOUT_MS": "1000",
    **{variable(model, "TIMEOUT_MS"): "1000" for model in MODELS},
}
"""Settings of an extender. What is answered is asked with them, while other tests want the processor too; how fast, in
the tests that run alone."""


def variables(settings: Mapping[str, str]) -> dict[str, str]:
    """Settings of the extender as environment."""
    return {f"BERTH_EXTENDER__{name}": value for name, value in settings.items()}


def running_mesh(folder: Path) -> Iterator[Mesh]:
    """A ready mesh on free ports: replayed nodes, embedded Valkey, logs in `folder`."""
    with Mesh(auto_ports=True, data_dir=folder, nodes=NODES, environment=variables(PATIENT)) as mesh:
        yield mesh
