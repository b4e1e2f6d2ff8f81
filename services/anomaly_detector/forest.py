"""An isolation forest as an ONNX tree ensemble: exact, and served without scikit-learn.

A row's score depends on the sum of the lengths of its paths to a leaf, so a forest is a TreeEnsembleRegressor
whose leaves hold their depth. Source: Liu, Ting, Zhou, *Isolation Forest*, ICDM 2008; sklearn.ensemble._iforest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

OPSET, ML_OPSET, IR_VERSION = 17, 3, 9
EULER_GAMMA = 0.5772156649015329


def average_path_length(samples: int) -> float:
    """Mean depth of an unsuccessful search in a binary tree of so many samples; c(n) of the paper."""
    if samples <= 1:
        return 0.0
    if samples == 2:
        return 1.0
    return float(2 * (np.log(samples - 1) + EULER_GAMMA) - 2 * (samples - 1) / samples)


def float32_below(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 that is not above each threshold: `x <= t` then says the same of any float32 x."""
    near = thresholds.astype(np.float32)
    return np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near)


def node_depths(tree: Any) -> NDArray[np.int64]:
    """Edges from the root to each node of a fitted sklearn tree."""
    depth = np.zeros(tree.node_count, dtype=np.int64)
    for node in range(tree.node_count):  # parents come before their children
        if tree.children_left[node] >= 0:
            depth[[tree.children_left[node], tree.children_right[node]]] = depth[node] + 1
    return depth


def tree_attributes(index: int, tree: Any, features: NDArray[np.int64], trees: int) -> dict[str, list[Any]]:
    """The ensemble attributes of one tree; its leaves hold their share of the mean depth."""
    inner = tree.children_left >= 0
    leaves = np.flatnonzero(~inner)
    depth = node_depths(tree)
    lengths = [depth[leaf] + average_path_length(int(tree.n_node_samples[leaf])) for leaf in leaves]
    return {
        "nodes_treeids": [index] * tree.node_count,
        "nodes_nodeids": list(range(tree.node_count)),
        "nodes_featureids": np.where(inner, features[np.where(inner, tree.feature, 0)], 0).tolist(),
        "nodes_modes": ["BRANCH_LEQ" if branch else "LEAF" for branch in inner],
        "nodes_values": np.where(inner, float32_below(tree.threshold), 0).tolist(),
        "nodes_truenodeids": np.where(inner, tree.children_left, 0).tolist(),
        "nodes_falsenodeids": np.where(inner, tree.children_right, 0).tolist(),
        "target_treeids": [index] * len(leaves),
        "target_nodeids": leaves.tolist(),
        "target_ids": [0] * len(leaves),
        "target_weights": [float(length / trees) for length in lengths],
    }


def to_onnx(forests: Sequence[Any], columns: int) -> onnx.ModelProto:
    """Fitted sklearn IsolationForests as one model: `rows` float32 [N, columns] without NaN to `depth`
    float32 [N, 1], the mean path length over all their trees."""
    pairs = [
        (estimator.tree_, np.asarray(features, dtype=np.int64))
        for forest in forests
        for estimator, features in zip(forest.estimators_, forest.estimators_features_, strict=True)
    ]
    attributes: dict[str, list[Any]] = {}
    for index, (tree, features) in enumerate(pairs):
        for name, values in tree_attributes(index, tree, features, len(pairs)).items():
            attributes.setdefault(name, []).extend(values)
    node = helper.make_node(
        "TreeEnsembleRegressor", ["rows"], ["depth"], domain="ai.onnx.ml", n_targets=1, **attributes
    )
    graph = helper.make_graph(
        [node],
        "isolation-forest",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, columns])],
        [helper.make_tensor_value_info("depth", TensorProto.FLOAT, [None, 1])],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="berth")
    onnx.checker.check_model(model)
    return model
