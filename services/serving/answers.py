"""Answers in the three forms that callers ask for: gRPC message, v2 REST, v1 REST."""

from __future__ import annotations

import uuid
from typing import Any

from kserve import InferOutput, InferRequest, InferResponse
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from services.serving.contract import Floats
from services.serving.inputs import DIGEST
from services.serving.signature import Signature


def grpc_answer(signature: Signature, request: InferRequest, output: Floats) -> pb.ModelInferResponse:
    """A ready message with raw little-endian FP32; KServe's servicer passes it on as it is."""
    tensor = pb.ModelInferResponse.InferOutputTensor(name=signature.output, datatype="FP32", shape=list(output.shape))
    return pb.ModelInferResponse(
        model_name=signature.name,
        model_version=signature.version,
        id=request.id,
        parameters={DIGEST: pb.InferParameter(string_param=signature.digest)},
        outputs=[tensor],
        raw_output_contents=[output.astype("<f4", copy=False).tobytes()],
    )


def rest_answer(signature: Signature, request: InferRequest, output: Floats) -> InferResponse:
    """v2 REST: JSON with null for NaN, or the binary extension where the request asks for it."""
    tensor = InferOutput(name=signature.output, shape=list(output.shape), datatype="FP32")
    if wants_binary(request):
        tensor.set_data_from_numpy(output, binary_data=True)
    else:
        tensor.data = output.ravel().tolist()
    return InferResponse(
        response_id=request.id or str(uuid.uuid4()),
        model_name=signature.name,
        model_version=signature.version,
        infer_outputs=[tensor],
        parameters={DIGEST: signature.digest},
        use_binary_outputs=request.use_binary_outputs,
        requested_outputs=request.request_outputs,
    )


def wants_binary(request: InferRequest) -> bool:
    """Whether the output goes back as bytes; the named output's own wish wins."""
    for output in request.request_outputs or ():
        return bool(output.binary_data)
    return bool(request.use_binary_outputs)


def v1_answer(signature: Signature, output: Floats) -> dict[str, Any]:
    """v1 REST: a row of predictions for each instance; NaN becomes null."""
    return {"predictions": output.tolist(), "columns": list(signature.columns), **identity(signature)}


def v1_explanations(signature: Signature, rows: list[dict[str, float]]) -> dict[str, Any]:
    """v1 REST: for each instance, how much each column moved the output, largest first."""
    return {"explanations": rows, **identity(signature)}


def identity(signature: Signature) -> dict[str, str]:
    """Which model answered."""
    return {"model_name": signature.name, "model_version": signature.version, DIGEST: signature.digest}
