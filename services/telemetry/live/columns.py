"""What nodes have and what is requested of them, as columns of a snapshot."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from berth.cluster.accounts import WHOLE_DEVICE, Accounts
from berth.cluster.quantities import GIB
from berth.features import capacity
from berth.features.capacity import GPU_SLOTS
from berth.features.workload import Running

Floats = NDArray[np.float32]


def node_names(accounts: Accounts) -> tuple[str, ...]:
    """Nodes that a snapshot tells of, sorted: those with a machine behind them."""
    return tuple(sorted(name for name, node in accounts.nodes.items() if not node.virtual and node.cpu > 0))


def addresses(accounts: Accounts) -> dict[str, str]:
    """Node by name and by address; a name wins over an address of another node."""
    by_address = {address: node.name for node in accounts.nodes.values() for address in node.addresses}
    return by_address | {name: name for name in accounts.nodes}


def gpu_models(accounts: Accounts, names: Sequence[str]) -> tuple[str, ...]:
    """The models that are there, sorted."""
    return tuple(sorted({accounts.nodes[name].gpu_model for name in names} - {""}))


def capacity_columns(accounts: Accounts, names: Sequence[str], models: Sequence[str], used: Floats) -> Floats:
    """float32 [node, capacity columns]. used: float32 [metric, node] in the columns' units."""
    rows = np.array([capacity_row(accounts, name, models) for name in names], dtype=np.float32)
    rows = rows.reshape(len(names), len(capacity.FEATURES) - len(used))
    return np.concatenate([rows, used.T], axis=1)


def capacity_row(accounts: Accounts, name: str, models: Sequence[str]) -> list[float]:
    """The columns of one node but for the last four, what it uses."""
    node, asked = accounts.nodes[name], accounts.of(name)
    model = float(models.index(node.gpu_model)) if node.gpu_model else math.nan
    free = accounts.free_devices(name)[:GPU_SLOTS] if node.gpus else []
    return [
        node.cpu / 1000.0,
        node.memory / GIB,
        float(node.pods),
        float(node.gpus),
        model,
        asked.cpu / 1000.0,
        asked.memory / GIB,
        float(asked.pods),
        asked.gpu / WHOLE_DEVICE,
        *free,
        *([math.nan] * (GPU_SLOTS - len(free))),
    ]


def whole(accounts: Accounts, names: Sequence[str]) -> dict[str, Floats]:
    """What shares are shares of: cores and bytes of each node, float32 [node], NaN where it has none."""
    amounts = {
        "cpu": [accounts.nodes[name].cpu / 1000.0 for name in names],
        "memory": [float(accounts.nodes[name].memory) for name in names],
    }
    arrays = {metric: np.array(values, dtype=np.float32) for metric, values in amounts.items()}
    return {metric: np.where(values > 0.0, values, np.float32(np.nan)) for metric, values in arrays.items()}


def machines(accounts: Accounts, names: Sequence[str]) -> dict[str, Floats]:
    """What the machines have: cores and bytes, float32 [node]; what pods may request of them where nobody says."""
    nodes = [accounts.nodes[name] for name in names]
    return {
        "cpu": np.array([(node.machine_cpu or node.cpu) / 1000.0 for node in nodes], dtype=np.float32),
        "memory": np.array([float(node.machine_memory or node.memory) for node in nodes], dtype=np.float32),
    }


def running(accounts: Accounts, names: Sequence[str], started: Iterable[str]) -> Running:
    """What runs on each node. started: the node of each pod that was bound in the last hour."""
    lately = Counter(started)
    sums = [accounts.of(name) for name in names]
    return Running(
        burstable=np.array([of.burstable for of in sums], dtype=np.float32) / np.float32(1000),
        stateful=np.array([of.stateful for of in sums], dtype=np.float32),
        jobs=np.array([of.jobs for of in sums], dtype=np.float32),
        bands=np.array([of.bands for of in sums], dtype=np.float32),
        started=np.array([lately.get(name, 0) for name in names], dtype=np.float32),
    )


def not_ready(accounts: Accounts, names: Sequence[str]) -> float:
    """Share of nodes that are not ready; NaN without a node."""
    return sum(not accounts.nodes[name].ready for name in names) / len(names) if names else math.nan
