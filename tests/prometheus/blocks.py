"""A recorded past as blocks of Prometheus's store, made by its own promtool."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.prometheus.program import prometheus

Floats = NDArray[np.float32]

STEP_S = 300
EVERY_S = 100
"""Between samples: three in a step, so that a rate over one step is that step's."""
BEFORE_S = 1
"""A gauge is told so long before its step's end: Prometheus looks back 300 s, both ends included, and one told at the
very end would stand for the next step too where that one is missing."""


def blocks_of(nodes: Sequence[str], cores: int, memory: float, usage: Floats, last: int) -> Callable[[Path], None]:
    """Writes a store's folder. usage: float32 [metric, step, node]: shares of `cores` and `memory` (bytes), log1p of
    KB/s; NaN is not told. last: number of its last step, which ends at last x 300 s."""

    def write(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        told = folder.parent / "history.om"
        with told.open("w") as file:
            file.writelines(exposition(nodes, cores, memory, usage, last))
        command = [str(prometheus().parent / "promtool"), "tsdb", "create-blocks-from", "openmetrics"]
        done = subprocess.run([*command, str(told), str(folder)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        told.unlink()

    return write


def exposition(nodes: Sequence[str], cores: int, memory: float, usage: Floats, last: int) -> Iterator[str]:
    """OpenMetrics text, metric by metric."""
    raw = [usage[0] * cores, usage[1] * memory, *(np.expm1(usage[plane]) * 1000.0 for plane in (2, 3))]
    for name, labels, plane, share in (
        ("node_cpu_seconds", 'cpu="0",mode="user"', 0, 1.0),
        ("node_disk_read_bytes", 'device="sda"', 2, 0.5),
        ("node_disk_written_bytes", 'device="sda"', 2, 0.5),
        ("node_network_receive_bytes", 'device="eth0"', 3, 0.5),
        ("node_network_transmit_bytes", 'device="eth0"', 3, 0.5),
    ):
        yield f"# TYPE {name} counter\n"
        for column, node in enumerate(nodes):
            yield from counter(f'{name}_total{{node="{node}",{labels}}}', raw[plane][:, column] * share, last)
    for name, values in (
        ("node_memory_MemTotal_bytes", np.full_like(raw[1], memory)),
        ("node_memory_MemAvailable_bytes", memory - raw[1]),
    ):
        yield f"# TYPE {name} gauge\n"
        for column, node in enumerate(nodes):
            for step, value in zip(steps_to(last, values), values[:, column].tolist(), strict=True):
                if value == value:
                    yield f'{name}{{node="{node}"}} {value!r} {step * STEP_S - BEFORE_S}\n'
    yield "# EOF\n"


def counter(name: str, rates: Floats, last: int) -> Iterator[str]:
    """A counter that grows by these rates a second, told EVERY_S."""
    total = 0.0
    for step, rate in zip(steps_to(last, rates), rates.tolist(), strict=True):
        for part in range(STEP_S // EVERY_S):
            if rate == rate:
                total += rate * EVERY_S
                yield f"{name} {total!r} {step * STEP_S - STEP_S + (part + 1) * EVERY_S}\n"


def steps_to(last: int, values: Floats) -> range:
    """Numbers of the steps of `values`."""
    return range(last - len(values) + 1, last + 1)
