"""Decoding and encoding. Values of pod requests follow k8s.io/component-helpers/resource/helpers.go and its tests."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from berth.cluster.pods import PodRequest
from extender.errors import InvalidError, UndecodableError
from extender.wire import decode, filter_answer, filter_error, no_priorities, priorities

GI = 2**30


def body(pod: object = None, **more: object) -> bytes:
    fields: dict[str, object] = {"Pod": {"metadata": {}} if pod is None else pod, "Nodes": None, "NodeNames": ["a"]}
    return json.dumps({**fields, **more}).encode()


def asks(**spec: Any) -> PodRequest:
    return decode(body({"metadata": {"name": "p"}, "spec": spec})).pod


def container(policy: str | None = None, limits: dict[str, str] | None = None, **requests: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"resources": {"requests": requests, "limits": limits}}
    return made if policy is None else {**made, "restartPolicy": policy}


def test_containers_add_up() -> None:
    pod = asks(containers=[container(cpu="250m", memory="1Gi"), container(cpu="1.5", memory="512Mi"), {}])
    assert (pod.cpu, pod.memory) == (1.75, 1.5)


def test_the_largest_init_container_counts_when_it_asks_for_more() -> None:
    pod = asks(
        containers=[container(cpu="1", memory="3Gi")],
        initContainers=[container(cpu="2", memory="1Gi"), container(cpu="1500m", memory="2Gi")],
    )
    assert (pod.cpu, pod.memory) == (2.0, 3.0)


def test_sidecars_run_on_and_count_with_containers_and_with_later_init_containers() -> None:
    sidecar = container("Always", cpu="1")
    assert asks(containers=[container(cpu="1")], initContainers=[sidecar]).cpu == 2.0
    assert asks(containers=[container(cpu="1")], initContainers=[sidecar, container(cpu="3")]).cpu == 4.0
    assert asks(containers=[container(cpu="1")], initContainers=[container(cpu="3"), sidecar]).cpu == 3.0
    assert asks(containers=[], initContainers=[sidecar, sidecar]).cpu == 2.0


def test_overhead_is_added_to_the_peak() -> None:
    pod = asks(containers=[container(cpu="1")], initContainers=[container(cpu="2")], overhead={"cpu": "500m"})
    assert pod.cpu == 2.5


def test_pod_level_requests_win_over_the_containers_sum_and_overhead_still_counts() -> None:
    pod = asks(
        containers=[container(cpu="1", memory="1Gi")],
        resources={"requests": {"cpu": "5"}},
        overhead={"cpu": "1", "memory": "1Gi"},
    )
    assert (pod.cpu, pod.memory) == (6.0, 2.0)


def test_an_extended_resource_may_be_given_as_a_limit_alone() -> None:
    assert asks(containers=[container(limits={"nvidia.com/gpu": "2"})]).gpus == 2


@pytest.mark.parametrize(
    ("annotations", "gpus", "expected"),
    [
        ({}, "2", (2, 0)),
        ({"berth.dev/gpu-milli": "250"}, "1", (1, 250)),
        ({"berth.dev/gpu-milli": "250"}, None, (1, 250)),
        ({"berth.dev/gpu-milli": "250"}, "2", (2, 0)),
        ({"berth.dev/gpu-milli": "5000"}, "1", (1, 1000)),
        ({"berth.dev/gpu-milli": "99999"}, None, (0, 0)),
        ({"berth.dev/gpu-milli": "-5"}, None, (0, 0)),
        ({"berth.dev/gpu-milli": "٣"}, None, (0, 0)),
        ({"berth.dev/gpu-milli": ""}, "1", (1, 0)),
        ({}, "9999", (64, 0)),
    ],
)
def test_gpus_and_shares(annotations: dict[str, str], gpus: str | None, expected: tuple[int, int]) -> None:
    asked: dict[str, Any] = {"nvidia.com/gpu": gpus} if gpus else {}
    spec = {"containers": [container(**asked)]}
    pod = decode(body({"metadata": {"annotations": annotations}, "spec": spec})).pod
    assert (pod.gpus, pod.gpu_milli) == expected


def test_gpu_models_are_split() -> None:
    pod = decode(body({"metadata": {"annotations": {"berth.dev/gpu-model": "T4|V100M16||"}}})).pod
    assert pod.gpu_models == ("T4", "V100M16")


def test_everything_else_that_placement_reads() -> None:
    meta = {
        "name": "web-1",
        "namespace": "shop",
        "uid": "u-1",
        "labels": {"a": "b"},
        "ownerReferences": [
            {"kind": "Note", "uid": "x"},
            {"kind": "ReplicaSet", "uid": "rs", "controller": True, "name": "web", "apiVersion": "apps/v1"},
        ],
        "managedFields": [{"manager": "kubelet"}],
    }
    spec = {"priority": -5, "schedulerName": "berth", "containers": [{"name": "c", "image": "i", "ports": [1]}]}
    status = {"nominatedNodeName": "n9", "qosClass": "BestEffort", "conditions": [{}]}
    pod = decode(body({"metadata": meta, "spec": spec, "status": status})).pod
    assert (pod.uid, pod.namespace, pod.name, pod.labels) == ("u-1", "shop", "web-1", {"a": "b"})
    assert (pod.owner_kind, pod.owner_uid, pod.priority, pod.scheduler_name) == ("ReplicaSet", "rs", -5, "berth")
    assert (pod.nominated_node, pod.qos) == ("n9", "BestEffort")


def test_a_bare_pod_has_the_default_scheduler_s_name_and_no_owner() -> None:
    pod = decode(body()).pod
    assert (pod.scheduler_name, pod.owner_kind, pod.qos) == ("default-scheduler", "", "Burstable")


@pytest.mark.parametrize(
    "keys", [("Pod", "Nodes", "NodeNames"), ("pod", "nodes", "nodenames"), ("POD", "x", "nodeNAMES")]
)
def test_keys_are_matched_without_regard_to_case(keys: tuple[str, str, str]) -> None:
    pod, nodes, names = keys
    assert decode(json.dumps({pod: {"metadata": {}}, nodes: None, names: ["a"]}).encode()).names == ["a"]


@pytest.mark.parametrize("raw", [b"", b"{", b"null", b"[]", b"1", b"\xff", b'{"Pod":NaN}', b"{}}", b'{"a":' * 5000])
def test_what_is_no_json_object_is_undecodable(raw: bytes) -> None:
    with pytest.raises(UndecodableError):
        decode(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        body(NodeNames=None),
        body(Nodes={"items": []}),
        body(NodeNames="a"),
        body(NodeNames=[1]),
        body(NodeNames=[None]),
        body(NodeNames=None, Nodes=[]),
        body(NodeNames=None, Nodes={"items": [{}]}),
        body(NodeNames=None, Nodes={"items": [{"metadata": {}}]}),
        body(NodeNames=None, Nodes={"items": {}}),
        b'{"Pod":null,"NodeNames":["a"]}',
        body([]),
        body({"spec": {}}),
        body({"metadata": {"labels": {"a": 1}}}),
        body({"metadata": {}, "spec": {"priority": "high"}}),
        body({"metadata": {}, "spec": {"priority": 1e999}}),
        body({"metadata": {}, "spec": {"containers": [{"resources": {"requests": {"cpu": "lots"}}}]}}),
        body({"metadata": {}, "spec": {"containers": [{"resources": {"requests": {"cpu": []}}}]}}),
    ],
)
def test_json_that_is_no_call_is_invalid_without_exception_text(raw: bytes) -> None:
    with pytest.raises((InvalidError, UndecodableError)) as refused:
        decode(raw)
    assert "msgspec" not in str(refused.value)
    assert "$" not in str(refused.value)


@pytest.mark.parametrize("text", ["9e307", "1e999", "1E18", "99999999999999999999Ei", "-1", "-1e999", 1e300, -3, 7])
def test_absurd_quantities_are_capped_as_kubernetes_does(text: object) -> None:
    asked: dict[str, Any] = {"cpu": text, "memory": text, "nvidia.com/gpu": text}
    pod = asks(containers=[container(**asked)] * 3)
    assert 0.0 <= pod.cpu <= 3 * 2.0**63
    assert 0 <= pod.gpus <= 64


def test_filter_gives_back_names_or_nodes_in_the_form_that_came_in() -> None:
    names = json.loads(filter_answer(decode(body(NodeNames=["b", "a"])), {}))
    assert names == {
        "Nodes": None,
        "NodeNames": ["b", "a"],
        "FailedNodes": {},
        "FailedAndUnresolvableNodes": None,
        "Error": "",
    }
    items = [{"metadata": {"name": n, "x": [1, {"y": None}]}, "status": {"z": 1.50}} for n in "ab"]
    nodes = json.loads(filter_answer(decode(body(NodeNames=None, Nodes={"metadata": {}, "items": items})), {}))
    assert nodes["NodeNames"] is None
    assert nodes["Nodes"] == {"metadata": {}, "items": items}


def test_a_removed_node_is_named_in_both_forms() -> None:
    names = json.loads(filter_answer(decode(body(NodeNames=["a", "b"])), {"a": "why"}))
    assert (names["NodeNames"], names["FailedNodes"]) == (["b"], {"a": "why"})
    items = [{"metadata": {"name": n}} for n in "ab"]
    nodes = json.loads(filter_answer(decode(body(NodeNames=None, Nodes={"items": items})), {"a": "why"}))
    assert (nodes["Nodes"]["items"], nodes["FailedNodes"]) == ([items[1]], {"a": "why"})


@given(st.lists(st.text(max_size=5), max_size=20))
def test_repeated_names_come_back_once_in_order(names: list[str]) -> None:
    names = [name.encode("utf-8", "ignore").decode() for name in names]
    answer = json.loads(filter_answer(decode(body(NodeNames=names)), {}))
    assert answer["NodeNames"] == list(dict.fromkeys(names))


def test_an_error_names_no_nodes_and_priorities_are_bare_integers() -> None:
    assert json.loads(filter_error("why"))["Error"] == "why"
    assert priorities(["a", "b"], [7, 0]) == b'[{"Host":"a","Score":7},{"Host":"b","Score":0}]'
    assert priorities([], []) == b"[]"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(json_values, json_values, json_values)
def test_any_json_is_a_call_or_one_of_two_errors(pod: object, nodes: object, names: object) -> None:
    try:
        call = decode(msgspec.json.encode({"Pod": pod, "Nodes": nodes, "NodeNames": names}))
    except (UndecodableError, InvalidError):
        return
    assert set(json.loads(filter_answer(call, {}))["NodeNames"] or call.names) == set(call.names)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_call_or_one_of_two_errors(raw: bytes) -> None:
    with pytest.raises((UndecodableError, InvalidError)):
        decode(raw)


NAME = st.one_of(st.text(max_size=5), st.sampled_from([",", '"', '","', "\\", ",\\", '\\"', " ", "", "ä"]))


@given(st.lists(NAME, max_size=8), st.booleans(), st.booleans())
@example(["", ","], True, False)
def test_a_neutral_answer_has_each_name_once_whatever_the_names(names: list[str], blanks: bool, escaped: bool) -> None:
    separators = None if blanks else (",", ":")
    raw = json.dumps(
        {"Pod": {"metadata": {}}, "Nodes": None, "NodeNames": names}, separators=separators, ensure_ascii=escaped
    )
    answered = json.loads(no_priorities(decode(raw.encode())))
    assert answered == [{"Host": name, "Score": 0} for name in dict.fromkeys(names)]
