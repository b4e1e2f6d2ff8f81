"""Write the network as ONNX: one file that holds weights, columns, fragment classes and the value's scale."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.placement_scorer.fragmentation import PodClass
from services.placement_scorer.pair_features import NODE_FEATURES, PAIR_FEATURES, POD_FEATURES, Typical

Floats = NDArray[np.float32]
OPSET = 17
IR_VERSION = 9
LEAK = 0.1
"""Slope of the hidden units below 0."""


@dataclass(frozen=True)
class Scale:
    """value = sigmoid((A - centre) / spread): rising, so that no order changes."""

    centre: float
    spread: float


def scale_of(advantages: Floats) -> Scale:
    """The scale that puts the 10th and 90th percentile 0.8 apart (at 0.1 and 0.9 around the median, if they
    lie evenly), so that values use the range."""
    low, middle, high = np.percentile(advantages, (10, 50, 90))
    return Scale(float(middle), max(float(high - low), 1e-6) / (2 * float(np.log(9.0))))


def write_onnx(
    path: Path,
    layers: Sequence[tuple[Floats, Floats]],
    scale: Scale,
    classes: Sequence[PodClass],
    typical: Typical,
) -> None:
    """layers: weight [in, out] and bias [out] of each, leaky ReLU between them. Needs `onnx`."""
    from onnx import TensorProto, checker, helper, numpy_helper

    nodes, weights, current = [], [], "rows"
    for index, (weight, bias) in enumerate(scaled_last(layers, scale)):
        weights.append(numpy_helper.from_array(np.ascontiguousarray(weight), f"w{index}"))
        weights.append(numpy_helper.from_array(bias, f"b{index}"))
        nodes.append(helper.make_node("Gemm", [current, f"w{index}", f"b{index}"], [f"z{index}"]))
        last = index == len(layers) - 1
        current = "value" if last else f"h{index}"
        kind = {"op_type": "Sigmoid"} if last else {"op_type": "LeakyRelu", "alpha": LEAK}
        nodes.append(helper.make_node(inputs=[f"z{index}"], outputs=[current], **kind))
    rows = helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["N", len(PAIR_FEATURES)])
    value = helper.make_tensor_value_info("value", TensorProto.FLOAT, ["N", 1])
    graph = helper.make_graph(nodes, "placement-scorer", [rows], [value], weights)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="berth"
    )
    helper.set_model_props(model, properties(classes, typical))
    checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def scaled_last(layers: Sequence[tuple[Floats, Floats]], scale: Scale) -> list[tuple[Floats, Floats]]:
    """The layers with the scale folded into the last."""
    weight, bias = layers[-1]
    spread = np.float32(scale.spread)
    return [*layers[:-1], (weight / spread, ((bias - np.float32(scale.centre)) / spread).astype(np.float32))]


def properties(classes: Sequence[PodClass], typical: Typical) -> dict[str, str]:
    """What a reader of the file needs beside the weights."""
    return {
        "node_features": ",".join(NODE_FEATURES),
        "pod_features": ",".join(POD_FEATURES),
        "pair_features": ",".join(PAIR_FEATURES),
        "fragment_classes": json.dumps([[c.cpu, c.gpus, c.share, c.weight] for c in classes]),
        "typical": json.dumps(asdict(typical)),
    }
