"""Read the shipped recordings into arrays. Nothing is read at import."""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent
STEP_S = 300
METRICS = ("cpu", "memory", "disk", "network")
"""Order of the metric axis everywhere: history arrays are float32 [metric, step, node]."""

POD_MIXES = ("default", "cpu050", "gpushare40", "gpuspec20")

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Machines:
    """Bitbrains machines, July to September 2013, on one 5-minute grid.

    usage: float32 [metric, step, machine]; CPU and memory as a share of what was provisioned, disk and
    network as log1p of KB/s; NaN where nothing was recorded (31 h from 16 July, 24 h at each month's end).
    start: unix seconds of step 0. machine: the source's file numbers.
    """

    usage: Floats
    start: int
    machine: NDArray[np.int16]


@dataclass(frozen=True)
class LabelledServer:
    """One server of asd or smd, 5-minute steps: values float32 [step, metric] in [0, 1]; labels int8
    [step]: 1 anomalous, 0 normal, -1 unlabelled (the training part, not known to be clean)."""

    name: str
    values: Floats
    labels: NDArray[np.int8]


@dataclass(frozen=True)
class OpenbNode:
    """A node of the openb trace: name, millicores, MiB, GPU count and GPU model ('' without GPU)."""

    name: str
    cpu_milli: int
    memory_mib: int
    gpus: int
    gpu_model: str


@dataclass(frozen=True)
class OpenbPod:
    """A pod of the openb trace. `gpu_milli` is the share of each of its `gpus`; `gpu_models` the models it
    accepts (empty: any); times in seconds from the trace's start (0 in the lists resampled without times)."""

    name: str
    cpu_milli: int
    memory_mib: int
    gpus: int
    gpu_milli: int
    gpu_models: tuple[str, ...]
    qos: str
    created_s: int
    deleted_s: int


def bitbrains() -> Machines:
    """All 70 machines."""
    planes = []
    for metric in METRICS:
        with np.load(HERE / "bitbrains" / f"{metric}.npz", allow_pickle=False) as arrays:
            codes = arrays["values"].T
            plane = codes.astype(np.float32) / np.float32(arrays["scale"])
            plane[codes == 65535] = np.nan
            start, machine = int(arrays["start"]), arrays["machine"]
        planes.append(plane)
    return Machines(np.stack(planes), start, machine)


def bitbrains_week() -> Machines:
    """The week from 5 August as recorded: CPU and memory as in `bitbrains`, disk and network in KB/s, not rounded."""
    with np.load(HERE / "bitbrains" / "week.npz", allow_pickle=False) as arrays:
        usage = np.ascontiguousarray(arrays["values"].transpose(0, 2, 1))
        return Machines(usage, int(arrays["start"]), arrays["machine"])


def labelled_servers(which: str) -> list[LabelledServer]:
    """The servers of `asd` (19 metrics) or `smd` (38 metrics, 5-minute means)."""
    scale = {"asd": 100.0, "smd": 250.0}[which]
    with np.load(HERE / which / f"{which}.npz", allow_pickle=False) as arrays:
        names = sorted({key.split("/")[0] for key in arrays.files if "/" in key})
        return [
            LabelledServer(
                name,
                arrays[f"{name}/values"].astype(np.float32) / np.float32(scale),
                arrays[f"{name}/labels"],
            )
            for name in names
        ]


def openb_nodes() -> list[OpenbNode]:
    """The 1,523 nodes (1,213 with GPUs), in the trace's order."""
    return [
        OpenbNode(row["sn"], int(row["cpu_milli"]), int(row["memory_mib"]), int(row["gpu"]), row["model"])
        for row in read_csv(HERE / "openb" / "nodes.csv.gz")
    ]


def openb_pods(mix: str = "default") -> list[OpenbPod]:
    """The pods of one list of POD_MIXES, in the trace's order."""
    if mix not in POD_MIXES:
        raise ValueError(f"unknown pod mix {mix!r}: one of {', '.join(POD_MIXES)}")
    return [openb_pod(row) for row in read_csv(HERE / "openb" / f"pods-{mix}.csv.gz")]


def openb_pod(row: dict[str, str]) -> OpenbPod:
    """One row of a pod list."""
    return OpenbPod(
        name=row["name"],
        cpu_milli=int(row["cpu_milli"]),
        memory_mib=int(row["memory_mib"]),
        gpus=int(row["num_gpu"]),
        gpu_milli=int(row["gpu_milli"] or 0),
        gpu_models=tuple(m for m in row["gpu_spec"].split("|") if m),
        qos=row["qos"],
        created_s=int(float(row.get("creation_time") or 0)),
        deleted_s=int(float(row.get("deletion_time") or 0)),
    )


def read_csv(path: Path) -> list[dict[str, str]]:
    """Rows of a gzipped CSV file."""
    text = gzip.decompress(path.read_bytes()).decode()
    return list(csv.DictReader(io.StringIO(text)))
