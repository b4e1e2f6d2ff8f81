"""The placement scorer as served: the value of a node for a pod, by numpy features and a small network."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from services.placement_scorer.fragmentation import FragmentTables, PodClass, fragment_tables
from services.placement_scorer.pair_features import (
    NODE_FEATURES,
    PAIR_FEATURES,
    POD_FEATURES,
    Landing,
    Typical,
    land,
)

Floats = NDArray[np.float32]
ARTIFACT = Path(__file__).parent / "artifact"
FILE = "value.onnx"
EXPLAINED = 8


class ArtifactError(ValueError):
    """The folder holds no scorer that this code can serve; the message says why."""


class PlacementScorer:
    """A `services.serving.contract.TensorModel`. 0 says that by the snapshot the pod does not fit."""

    name = "placement-scorer"
    node_features: tuple[str, ...] = NODE_FEATURES
    pod_features: tuple[str, ...] = POD_FEATURES
    output = "value"
    columns: tuple[str, ...] = ("value",)

    def __init__(self, raw: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self.version = hashlib.sha256(raw).hexdigest()[:12]
        self.session = onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
        notes = self.session.get_modelmeta().custom_metadata_map
        check_columns(notes)
        self.tables: FragmentTables = fragment_tables(
            [PodClass(*entry) for entry in json.loads(notes["fragment_classes"])]
        )
        self.typical = Typical(**json.loads(notes["typical"]))

    def predict(self, nodes: Floats, pod: Floats | None) -> Floats:
        """float32 [N, 1] in [0, 1], higher is better; 0 where the pod does not fit; NaN where both
        allocatable CPU and memory are missing. A row's value depends on that row and the pod alone."""
        if pod is None:
            raise ValueError("placement-scorer needs a pod")
        if not len(nodes):
            return np.empty((0, 1), np.float32)
        return self.values(land(nodes, pod.reshape(-1), self.tables, self.typical))

    def values(self, landing: Landing) -> Floats:
        """float32 [N, 1]."""
        value: Floats = np.where(landing.fits[:, None], self.rows_value(landing.rows), np.float32(0.0))
        value[~landing.known] = np.nan
        return value

    def rows_value(self, rows: Floats) -> Floats:
        """float32 [N, 1]: the network alone, for rows of `pair_features.land`."""
        value: Floats = self.session.run(None, {"rows": rows})[0]
        return value

    def explain(self, nodes: Floats, pod: Floats | None) -> list[dict[str, float]]:
        """For each row the up to 8 columns that moved its value most: value less the value with the column
        replaced by its typical value. Columns interact, so the parts need not add up."""
        value = self.predict(nodes, pod)[:, 0]
        if pod is None or not len(nodes):
            return []
        stand_ins = typical_columns(nodes, self.typical)
        moved = {
            name: value - self.predict(with_column(nodes, index, stand_ins[name]), pod)[:, 0]
            for index, name in enumerate(NODE_FEATURES)
        }
        typical_pod = dict(zip(POD_FEATURES, (4.0, 16.0, 0.0, 0.0, 0.0), strict=True))
        for index, name in enumerate(POD_FEATURES):
            other = pod.reshape(-1).copy()
            other[index] = typical_pod[name]
            moved[name] = value - self.predict(nodes, other)[:, 0]
        return [largest({name: float(parts[row]) for name, parts in moved.items()}) for row in range(len(nodes))]


def load(folder: Path = ARTIFACT) -> PlacementScorer:
    """The scorer in `folder`. Raises ArtifactError."""
    try:
        raw = (folder / FILE).read_bytes()
    except OSError as error:
        raise ArtifactError(f"no {FILE} in {folder.name}") from error
    return PlacementScorer(raw)


def check_columns(notes: dict[str, str]) -> None:
    """Raises ArtifactError where the artifact was made for other columns than this code computes."""
    wanted = {"node_features": NODE_FEATURES, "pod_features": POD_FEATURES, "pair_features": PAIR_FEATURES}
    for key, names in wanted.items():
        if notes.get(key) != ",".join(names):
            raise ArtifactError(f"{key} of the artifact differ from the code's: train again")


def typical_columns(nodes: Floats, typical: Typical) -> dict[str, Floats]:
    """float32 [N] for each node column: what stands there on a usual node of the same size."""
    half = np.float32(typical.requested)
    cpu, memory, gpus = nodes[:, 0], nodes[:, 1], nodes[:, 2]
    stand_ins = {
        "cpu_allocatable": np.full_like(cpu, typical.cpu_allocatable),
        "memory_allocatable": np.full_like(cpu, typical.memory_allocatable),
        "gpu_allocatable": gpus,
        "cpu_requested": cpu * half,
        "memory_requested": memory * half,
        "gpu_requested": gpus * half,
        "cpu_used": np.full_like(cpu, typical.cpu_used),
        "memory_used": np.full_like(cpu, typical.memory_used),
    }
    for index, name in enumerate(NODE_FEATURES):
        if name not in stand_ins:  # a device: half free, where there is one
            stand_ins[name] = np.where(np.isnan(nodes[:, index]), nodes[:, index], half).astype(np.float32)
    return stand_ins


def with_column(nodes: Floats, index: int, column: Floats) -> Floats:
    """A copy with one column replaced."""
    other = nodes.copy()
    other[:, index] = column
    return other


def largest(parts: dict[str, float]) -> dict[str, float]:
    """The parts that count, largest first, at most EXPLAINED."""
    found = sorted(((n, p) for n, p in parts.items() if abs(p) > 1e-6), key=lambda item: -abs(item[1]))
    return dict(found[:EXPLAINED])
