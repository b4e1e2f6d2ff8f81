"""Whatever a body holds, the answer is a result or the caller's fault, never a defect of the server."""

from __future__ import annotations

import json
from typing import Any

import grpc
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protos.inference import inference_pb2 as pb
from tests.services.serving.running import Service, infer_request

pytestmark = pytest.mark.process

NUMBERS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
VALUES = st.recursive(
    NUMBERS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)
# two numbers would be a valid wish to sleep or to fail
PODS = st.just([0, 0]) | VALUES.filter(lambda value: not (isinstance(value, list) and len(value) == 2))
V1_BODIES = VALUES | st.fixed_dictionaries({"instances": VALUES, "pod": PODS}, optional={"features_digest": VALUES})
TENSORS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["nodes", "pod", ""]),
        "shape": st.lists(st.integers(-2, 2**33) | st.sampled_from([60, 2, 1, 0]), max_size=3) | VALUES,
        "datatype": st.sampled_from(["FP32", "FP64", "fp32", "BYTES", "FP16", "?"]),
    },
    optional={"data": VALUES, "parameters": VALUES | st.just({"binary_data_size": 8})},
)
V2_BODIES = st.fixed_dictionaries({"inputs": st.lists(TENSORS, max_size=3) | VALUES}, optional={"parameters": VALUES})


def status(tiny: Service, path: str, body: Any, headers: dict[str, str] | None = None) -> int:
    """The answer's status; NaN and infinity go out as Python writes them."""
    content = json.dumps(body).encode()
    return tiny.http.post(
        path, content=content, headers={"content-type": "application/json"} | (headers or {})
    ).status_code


@settings(max_examples=60)
@given(body=V1_BODIES, verb=st.sampled_from(["predict", "explain"]))
def test_v1(tiny: Service, body: Any, verb: str) -> None:
    assert status(tiny, f"/v1/models/tiny:{verb}", body) in (200, 400)


@settings(max_examples=60)
@given(body=V2_BODIES)
def test_v2(tiny: Service, body: Any) -> None:
    assert status(tiny, "/v2/models/tiny/infer", body) in (200, 400)


@settings(max_examples=40)
@given(body=V2_BODIES, length=st.integers(-1, 300) | st.just(-2))
@example(body={"inputs": [], "parameters": True}, length=-2)
def test_v2_binary(tiny: Service, body: Any, length: int) -> None:
    size = len(json.dumps(body).encode()) if length == -2 else length
    headers = {"content-type": "application/octet-stream", "inference-header-content-length": str(size)}
    assert status(tiny, "/v2/models/tiny/infer", body, headers) in (200, 400)


@settings(max_examples=60)
@given(position=st.integers(0, 10_000), byte=st.integers(0, 255), cut=st.integers(0, 3))
def test_grpc_with_a_changed_byte(tiny: Service, position: int, byte: int, cut: int) -> None:
    whole = infer_request(tiny.metadata(), np.ones((1, 60), np.float32), np.zeros(2, np.float32))
    raw = bytearray(whole.SerializeToString())
    raw[position % (len(raw) - 8)] = byte  # the pod's own 8 bytes stay: they would make the model sleep
    call = tiny.channel.unary_unary(
        "/inference.GRPCInferenceService/ModelInfer", response_deserializer=pb.ModelInferResponse.FromString
    )
    error = call.future(bytes(raw[: len(raw) - cut]), timeout=5).exception()
    if error is None or "Error parsing message" in (error.details() or ""):  # grpc itself, UNKNOWN
        return
    allowed = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.DEADLINE_EXCEEDED)
    assert error.code() in allowed


@pytest.fixture(autouse=True, scope="module")
def _still_healthy(tiny: Service) -> Any:
    yield
    assert tiny.http.get("/readyz").status_code == 200
