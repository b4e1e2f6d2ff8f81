"""A running model server answers gRPC, v2 REST and v1 REST, and refuses what it was not built for."""

from __future__ import annotations

import json
from typing import Any

import grpc
import numpy as np
import pytest

from berth.features.registry import digest
from protos.inference import inference_pb2 as pb
from tests.services.serving.running import Service, infer_request, output
from tests.services.serving.tiny_service import NODE_FEATURES, POD_FEATURES

pytestmark = pytest.mark.process

DIGEST = digest(NODE_FEATURES + POD_FEATURES)
POD = np.zeros(2, dtype=np.float32)


def request(tiny: Service, rows: int = 3) -> pb.ModelInferRequest:
    return infer_request(tiny.metadata(), np.ones((rows, 60), dtype=np.float32), POD)


def refusal(tiny: Service, bad: pb.ModelInferRequest) -> tuple[grpc.StatusCode, str]:
    error = tiny.infer(bad).exception()
    assert isinstance(error, grpc.RpcError)
    return error.code(), str(error.details())


def varint(number: int) -> bytes:
    """Below 2**14, as protobuf writes it."""
    return bytes([number]) if number < 128 else bytes([number & 127 | 128, number >> 7])


def v2_body(**changes: Any) -> dict[str, Any]:
    nodes = {"name": "nodes", "datatype": "FP32", "shape": [2, 60], "data": [1.0, None] * 60}
    pod = {"name": "pod", "datatype": "FP32", "shape": [1, 2], "data": [0.0, 0.0]}
    return {"id": "7", "inputs": [nodes | changes, pod]}


def test_metadata_is_the_same_in_grpc_and_rest(tiny: Service) -> None:
    answer = tiny.metadata()
    assert dict(answer.properties) == {
        "node_features": ",".join(NODE_FEATURES),
        "pod_features": "seconds,fails",
        "outputs": "mean,known",
        "features_digest": DIGEST,
        "model_version": "v1",
    }
    assert (answer.name, answer.platform, list(answer.versions)) == ("tiny", "berth", ["v1"])
    assert [(t.name, t.datatype, list(t.shape)) for t in answer.inputs] == [
        ("nodes", "FP32", [-1, 60]),
        ("pod", "FP32", [1, 2]),
    ]
    rest = tiny.http.get("/v2/models/tiny").json()
    assert rest["properties"] == dict(answer.properties)
    assert rest["versions"] == ["v1"]
    assert rest["outputs"] == [{"name": "answer", "datatype": "FP32", "shape": [-1, 2]}]


@pytest.mark.parametrize("rows", [0, 1, 5000, 20_000])
def test_grpc_answers_every_row_in_order(tiny: Service, rows: int) -> None:
    nodes = np.random.default_rng(3).normal(size=(rows, 60)).astype(np.float32)
    response = tiny.infer(infer_request(tiny.metadata(), nodes, POD)).result()
    assert (response.model_name, response.model_version, response.id) == ("tiny", "v1", "7")
    assert response.parameters["features_digest"].string_param == DIGEST
    answer = output(response)
    assert answer.shape == (rows, 2)
    np.testing.assert_allclose(answer[:, 0], nodes.mean(axis=1), rtol=1e-3, atol=1e-5)


def test_nan_and_infinity_are_missing_values(tiny: Service) -> None:
    nodes = np.full((2, 60), np.nan, dtype=np.float32)
    nodes[0, :4] = [3.0, 5.0, np.inf, -np.inf]
    answer = output(tiny.infer(infer_request(tiny.metadata(), nodes, POD)).result())
    np.testing.assert_array_equal(answer, [[4.0, 2.0], [np.nan, 0.0]])


def test_typed_contents_are_answered_like_raw_ones(tiny: Service) -> None:
    """A generic client may send no raw_input_contents; `contents` is field 5 of an input, FP32 its field 6."""
    typed = request(tiny, 1)
    del typed.raw_input_contents[:]
    for tensor, values in zip(typed.inputs, (np.full(60, 2, np.float32), POD), strict=True):
        packed = b"\x32" + varint(values.nbytes) + values.tobytes()
        tensor.MergeFromString(b"\x2a" + varint(len(packed)) + packed)
    np.testing.assert_array_equal(output(tiny.infer(typed).result()), [[2.0, 60.0]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.parameters["features_digest"].MergeFrom(pb.InferParameter(string_param="0123")),
         f"features_digest 0123, this model takes {DIGEST}"),
        (lambda r: r.parameters.clear(), f"features_digest missing, this model takes {DIGEST}"),
        (lambda r: setattr(r, "model_version", "v0"), "model_version v0, this model is v1"),
        (lambda r: setattr(r.inputs[0], "name", "rows"), "this model takes ['nodes', 'pod']"),
        (lambda r: setattr(r.inputs[1], "name", "nodes"), "this model takes ['nodes', 'pod']"),
        (lambda r: setattr(r.inputs[0], "datatype", "FP64"), "datatype FP64, this model takes FP32"),
        (lambda r: setattr(r.inputs[0], "datatype", "FLOAT"), "invalid content type"),
        (lambda r: r.inputs[0].shape.append(1), "shape [3, 60, 1], this model takes [N, 60]"),
        (lambda r: r.inputs[0].shape.__setitem__(1, 59), "shape [3, 59], this model takes [N, 60]"),
        (lambda r: r.inputs[0].shape.__setitem__(0, -3), "shape [-3, 60], this model takes [N, 60]"),
        (lambda r: r.inputs[0].shape.__setitem__(0, 20_001), "20001 rows, a call may hold 20000"),
        (lambda r: r.inputs[1].shape.__setitem__(0, 2), "shape [2, 2], this model takes [1, 2]"),
        (lambda r: r.raw_input_contents.__setitem__(0, b"\0" * 719), "719 bytes, shape [3, 60] needs 720"),
        (lambda r: r.raw_input_contents.pop(), "number of inputs (2) does not match"),
    ],
)  # fmt: skip
def test_a_request_for_another_model_is_refused(tiny: Service, change: Any, message: str) -> None:
    bad = request(tiny)
    change(bad)
    code, details = refusal(tiny, bad)
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert message in details


def test_unknown_model_is_not_found(tiny: Service) -> None:
    bad = request(tiny)
    bad.model_name = "other"
    assert refusal(tiny, bad)[0] == grpc.StatusCode.NOT_FOUND
    assert tiny.http.get("/v2/models/other").status_code == 404


@pytest.mark.parametrize("fails", [1, 2])
def test_a_defect_of_the_model_is_an_internal_error_without_its_text(tiny: Service, fails: int) -> None:
    bad = infer_request(tiny.metadata(), np.ones((3, 60), np.float32), np.array([0, fails], np.float32))
    assert refusal(tiny, bad) == (grpc.StatusCode.INTERNAL, "the model failed")
    pod = {"seconds": 0, "fails": fails}
    answer = tiny.http.post("/v1/models/tiny:predict", json={"instances": [[1] * 60], "pod": pod})
    assert (answer.status_code, answer.json()) == (500, {"error": "the model failed"})


def test_v2_rest(tiny: Service) -> None:
    answer = tiny.http.post("/v2/models/tiny/infer", json=v2_body() | {"parameters": {"features_digest": DIGEST}})
    assert answer.status_code == 200
    assert answer.json() == {
        "id": "7",
        "model_name": "tiny",
        "model_version": "v1",
        "parameters": {"features_digest": DIGEST},
        "outputs": [
            {
                "name": "answer",
                "shape": [2, 2],
                "datatype": "FP32",
                "parameters": None,
                "data": [1, 30, 1, 30],
            }
        ],
    }


def test_v2_rest_null_row_gives_null(tiny: Service) -> None:
    answer = tiny.http.post("/v2/models/tiny/infer", json=v2_body(shape=[1, 60], data=[None] * 60))
    assert answer.json()["outputs"][0]["data"] == [None, 0.0]


@pytest.mark.parametrize("shape_and_data", [([0, 60], []), ([1, 60], [[1e300] * 60])])
def test_v2_rest_empty_and_nested_data(tiny: Service, shape_and_data: tuple[list[int], list[Any]]) -> None:
    shape, data = shape_and_data
    answer = tiny.http.post("/v2/models/tiny/infer", json=v2_body(shape=shape, data=data, datatype="FP64"))
    assert answer.status_code == 200
    assert answer.json()["outputs"][0]["shape"] == [shape[0], 2]


@pytest.mark.parametrize(
    "changes",
    [
        {"data": [1.0] * 119},
        {"data": ["1.0"] * 120},
        {"data": [True] * 120},
        {"data": [[1.0] * 60, [1.0] * 59]},
        {"datatype": "INT32"},
        {"shape": [2, 61]},
        {"name": "rows"},
    ],
)
def test_v2_rest_refuses(tiny: Service, changes: dict[str, Any]) -> None:
    answer = tiny.http.post("/v2/models/tiny/infer", json=v2_body(**changes))
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}


def test_another_digest_is_refused_in_rest(tiny: Service) -> None:
    message = {"error": f"features_digest x, this model takes {DIGEST}"}
    body = v2_body() | {"parameters": {"features_digest": "x"}}
    answer = tiny.http.post("/v2/models/tiny/infer", json=body)
    assert (answer.status_code, answer.json()) == (400, message)
    v1 = {"instances": [], "pod": [0, 0], "features_digest": "x"}
    answer = tiny.http.post("/v1/models/tiny:predict", json=v1)
    assert (answer.status_code, answer.json()) == (400, message)


def binary(tiny: Service, tail: bytes, header: str | None = None) -> Any:
    pod = {"name": "pod", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": 8}}
    nodes = {"name": "nodes", "datatype": "FP32", "shape": [2, 60], "parameters": {"binary_data_size": 480}}
    body = json.dumps({"inputs": [nodes, pod], "parameters": {"binary_data_output": True}}).encode()
    headers = {"inference-header-content-length": header or str(len(body))}
    headers["content-type"] = "application/octet-stream"
    return tiny.http.post("/v2/models/tiny/infer", content=body + tail, headers=headers)


def test_v2_rest_binary_extension(tiny: Service) -> None:
    answer = binary(tiny, np.ones(120, np.float32).tobytes() + POD.tobytes())
    assert answer.status_code == 200
    head = int(answer.headers["inference-header-content-length"])
    assert json.loads(answer.content[:head])["outputs"][0]["parameters"] == {"binary_data_size": 16}
    np.testing.assert_array_equal(np.frombuffer(answer.content[head:], np.float32), [1, 60, 1, 60])


@pytest.mark.parametrize(("tail", "header"), [(b"short", None), (b"", "x"), (b"", "3")])
def test_v2_rest_broken_binary_is_the_callers_fault(tiny: Service, tail: bytes, header: str | None) -> None:
    assert binary(tiny, tail, header).status_code == 400


def test_v1_rows_as_lists_and_by_name(tiny: Service) -> None:
    rows = [[2.0] * 59 + [None], {"column_3": 5, "column_4": 7}, {}]
    body = {"instances": rows, "pod": {"seconds": 0}, "features_digest": DIGEST}
    answer = tiny.http.post("/v1/models/tiny:predict", json=body)
    assert answer.status_code == 200
    assert answer.json() == {
        "predictions": [[2, 59], [6, 2], [None, 0]],
        "columns": ["mean", "known"],
        "model_name": "tiny",
        "model_version": "v1",
        "features_digest": DIGEST,
    }


def test_v1_reads_json_whatever_the_content_type(tiny: Service) -> None:
    body = json.dumps({"instances": [[1] * 60], "pod": [0, 0]})
    for content_type in ("application/x-www-form-urlencoded", "application/json; charset=utf-8"):
        headers = {"content-type": content_type}
        answer = tiny.http.post("/v1/models/tiny:predict", content=body, headers=headers)
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"instances": 5}',
        b'{"instances": [5], "pod": [0, 0]}',
        b'{"instances": [[1, 2]], "pod": [0, 0]}',
        b'{"instances": [{"cpu": 1}], "pod": [0, 0]}',
        b'{"instances": []}',
        b'{"instances": [], "pod": [0]}',
        b'{"instances": [], "pod": [0, "0"]}',
        b'{"instances": [], "pod": [0, 0], "more": 1}',
    ],
)
def test_v1_refuses(tiny: Service, body: bytes) -> None:
    for headers in ({}, {"content-type": "application/json"}):
        answer = tiny.http.post("/v1/models/tiny:predict", content=body, headers=headers)
        assert answer.status_code == 400, answer.text


def test_explain_gives_a_row_of_contributions_and_no_request_headers(tiny: Service) -> None:
    body = {"instances": [{"column_3": 5, "column_4": -7}, {}] * 12, "pod": [0, 0]}
    headers = {"authorization": "Bearer x"}
    answer = tiny.http.post("/v1/models/tiny:explain", json=body, headers=headers)
    assert answer.status_code == 200
    assert answer.json()["explanations"] == [{"column_4": -7, "column_3": 5}, {}] * 12
    assert "authorization" not in answer.headers
    body["instances"] = [{}] * 101
    assert tiny.http.post("/v1/models/tiny:explain", json=body).status_code == 400


def test_a_body_over_the_limit_is_413(tiny: Service) -> None:
    size = 8 * 2**20 + 1
    assert tiny.http.post("/v1/models/tiny:predict", content=b"x" * size).status_code == 413

    def chunks() -> Any:
        for _ in range(9):
            yield b" " * 2**20

    assert tiny.http.post("/v1/models/tiny:predict", content=chunks()).status_code == 413


def test_models_are_not_unloaded_by_request(tiny: Service) -> None:
    assert tiny.http.post("/v2/repository/models/tiny/unload").status_code == 501
    call = tiny.channel.unary_unary("/inference.GRPCInferenceService/RepositoryModelUnload")
    assert call.future(b"\n\x04tiny", timeout=5).exception().code() == grpc.StatusCode.UNIMPLEMENTED
    assert tiny.http.get("/readyz").status_code == 200


def test_metrics_count_calls_by_outcome(tiny: Service) -> None:
    def value(name: str) -> float:
        lines = tiny.http.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    calls = ('berth_model_calls_total{outcome="answered"}', 'berth_model_calls_total{outcome="refused"}')
    names = (*calls, "berth_model_rows_total")
    before = [value(name) for name in names]
    tiny.infer(request(tiny, 5)).result()
    tiny.http.post("/v1/models/tiny:predict", json={})
    assert [value(name) - start for name, start in zip(names, before, strict=True)] == [1, 1, 5]
    assert value(f'berth_model_info{{features_digest="{DIGEST}",model="tiny",version="v1"}}') == 1
