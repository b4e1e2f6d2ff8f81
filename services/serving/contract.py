"""What a model service implements: a pure function of tensors with named columns."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class TensorModel(Protocol):
    """A loaded model. `predict` is called from a worker thread, one call at a time.

    name: KServe model name. version: changes with every artifact (a digest of it).
    node_features, pod_features: columns it reads, in order; pod_features is empty where it knows no pod.
    output: name of the output tensor. columns: names of the output's columns.
    """

    name: str
    version: str
    node_features: tuple[str, ...]
    pod_features: tuple[str, ...]
    output: str
    columns: tuple[str, ...]

    def predict(self, nodes: Floats, pod: Floats | None) -> Floats:
        """nodes float32 [N, len(node_features)], pod float32 [len(pod_features)] or None; returns float32
        [N, len(columns)]. NaN in the input is a missing value; a row with nothing usable gives NaN."""
        ...

    def explain(self, nodes: Floats, pod: Floats | None) -> list[dict[str, float]]:
        """For each row, how much each input column moved the output (signed, largest first, at most 8)."""
        ...
