"""What is read of a Node."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from berth.cluster.nodespec import NodeSpecError, NodeState, read_node


def node(labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None, **more: Any) -> NodeState:
    meta = {"name": "n", "labels": labels, "annotations": annotations, "resourceVersion": "7"}
    return read_node(json.dumps({"kind": "Node", "metadata": meta, **more}).encode())


def test_capacity_conditions_and_taints() -> None:
    found = node(
        spec={
            "unschedulable": True,
            "taints": [{"key": "gpu", "effect": "NoSchedule"}, {"key": "soft", "effect": "PreferNoSchedule"}],
        },
        status={
            "allocatable": {"cpu": "15890m", "memory": "64Gi", "pods": "110", "nvidia.com/gpu": "2"},
            "conditions": [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": "True"}],
        },
    )
    assert (found.cpu, found.memory, found.pods, found.gpus) == (15890, 64 * 2**30, 110, 2)
    assert (found.ready, found.cordoned, found.blocked, found.virtual) == (True, True, ("gpu",), False)


def test_the_annotation_names_the_gpu_before_the_label() -> None:
    gpu: dict[str, Any] = {"status": {"allocatable": {"nvidia.com/gpu": 1}}}
    assert node({"nvidia.com/gpu.product": "Tesla-T4"}, **gpu).gpu_model == "Tesla-T4"
    assert node({"nvidia.com/gpu.product": "Tesla-T4"}, {"berth.dev/gpu-model": "T4"}, **gpu).gpu_model == "T4"
    assert node({"nvidia.com/gpu.product": "Tesla-T4"}).gpu_model == ""


@pytest.mark.parametrize("status", ["False", "Unknown"])
def test_a_kubelet_that_says_nothing_is_not_ready(status: str) -> None:
    assert not node(status={"conditions": [{"type": "Ready", "status": status}]}).ready
    assert not node().ready


@pytest.mark.parametrize("labels", [{"type": "virtual-kubelet"}, {"eks.amazonaws.com/compute-type": "fargate"}])
def test_nodes_without_a_machine_are_told(labels: dict[str, str]) -> None:
    assert node(labels).virtual


@given(
    st.recursive(
        st.none() | st.text() | st.floats(allow_nan=False), lambda x: st.dictionaries(st.text(), x) | st.lists(x)
    )
)
def test_anything_else_is_one_error(thing: object) -> None:
    with pytest.raises(NodeSpecError):
        read_node(json.dumps({"metadata": {"name": 1}, "spec": thing}).encode())


def test_an_unreadable_quantity_is_one_too() -> None:
    with pytest.raises(NodeSpecError, match="quantity"):
        node(status={"allocatable": {"cpu": "many"}})
