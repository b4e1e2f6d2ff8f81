"""Requests to float32 matrices: Open Inference Protocol v2 (gRPC and REST) and KServe v1.

Refused with InvalidInput, never guessed: unknown, missing or repeated tensors and columns, other datatypes,
shapes and lengths, another features_digest or model version. Missing values are NaN, in JSON null; infinity
counts as missing too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from kserve import InferInput, InferRequest
from kserve.errors import InvalidInput
from numpy.typing import NDArray

from services.serving.contract import Floats
from services.serving.signature import NODES, POD, Signature

MAX_ROWS = 20_000
"""Rows a call may hold; four times the largest cluster Kubernetes supports."""
DIGEST = "features_digest"
DTYPES: dict[str, np.dtype[Any]] = {"FP32": np.dtype("<f4"), "FP64": np.dtype("<f8")}


@dataclass(frozen=True)
class Inputs:
    """nodes: float32 [N, F], pod: float32 [P], or None for a model that knows no pod. NaN is missing."""

    nodes: Floats
    pod: Floats | None


def from_infer_request(request: InferRequest, signature: Signature) -> Inputs:
    """Tensors of a v2 request. gRPC has to name the features_digest; REST may, for requests typed by hand.
    Raises InvalidInput."""
    check_digest(parameter(request.parameters, DIGEST), signature, required=request.from_grpc)
    if request.model_version and request.model_version != signature.version:
        raise InvalidInput(f"model_version {request.model_version}, this model is {signature.version}")
    tensors = by_name(request.inputs, signature)
    check_outputs(request, signature)
    accepted = ("FP32",) if request.from_grpc else ("FP32", "FP64")
    nodes = read_tensor(tensors[NODES], len(signature.node_features), None, accepted)
    if not signature.pod_features:
        return Inputs(nodes, None)
    return Inputs(nodes, read_tensor(tensors[POD], len(signature.pod_features), 1, accepted)[0])


def from_instances(payload: object, signature: Signature) -> Inputs:
    """Rows of a v1 request: {"instances": [row, ...], "pod": row, "features_digest": "..."}. A row is a list
    in the model's order, or an object of columns where what is left out is missing. Raises InvalidInput."""
    body = parsed(payload)
    unknown = set(body) - {"instances", POD, DIGEST, "signature_name"}
    if unknown:
        raise InvalidInput(f"unknown field '{min(unknown)}'; this model takes instances, pod, {DIGEST}")
    check_digest(body.get(DIGEST), signature, required=False)
    instances = body.get("instances")
    if not isinstance(instances, list):
        raise InvalidInput("'instances' must be a list of rows")
    nodes = read_rows(instances, signature.node_features, "instances")
    if (POD in body) != bool(signature.pod_features):
        raise InvalidInput(f"'pod' is {'required' if signature.pod_features else 'not an input of this model'}")
    if not signature.pod_features:
        return Inputs(nodes, None)
    return Inputs(nodes, read_rows([body[POD]], signature.pod_features, POD)[0])


def parsed(payload: object) -> dict[str, Any]:
    """The body as an object; KServe hands over bytes where the content type is not plain application/json."""
    if isinstance(payload, bytes):
        try:
            payload = orjson.loads(payload)
        except orjson.JSONDecodeError as error:
            raise InvalidInput(f"body is not JSON: {error}") from error
    if not isinstance(payload, dict):
        raise InvalidInput("the body must be a JSON object")
    return payload


def check_digest(given: object, signature: Signature, required: bool) -> None:
    """Raises InvalidInput unless the request was built for these columns in this order."""
    if given is None and not required:
        return
    if given != signature.digest:
        raise InvalidInput(f"{DIGEST} {given or 'missing'}, this model takes {signature.digest}")


def parameter(parameters: Any, name: str) -> object:
    """A request parameter: a plain value in REST, an InferParameter in gRPC; None where it is absent.
    Raises InvalidInput: KServe checks the form of a JSON body, not of JSON in front of binary tensors."""
    if parameters is None:
        return None
    if not isinstance(parameters, Mapping):
        raise InvalidInput("'parameters' must be an object")
    value: Any = parameters.get(name)
    return value.string_param if hasattr(value, "string_param") else value


def by_name(tensors: list[InferInput], signature: Signature) -> dict[str, InferInput]:
    """Exactly the tensors that the model takes, each once."""
    expected = [tensor["name"] for tensor in signature.inputs()]
    found = [tensor.name for tensor in tensors]
    if sorted(found) != sorted(expected):
        raise InvalidInput(f"inputs {found}, this model takes {expected}")
    return {tensor.name: tensor for tensor in tensors}


def check_outputs(request: InferRequest, signature: Signature) -> None:
    """A request may name the outputs it wants; there is only one."""
    for output in request.request_outputs or ():
        if output.name != signature.output:
            raise InvalidInput(f"output '{output.name}', this model gives '{signature.output}'")


def read_tensor(tensor: InferInput, columns: int, rows: int | None, accepted: tuple[str, ...]) -> Floats:
    """float32 [N, columns] out of a v2 tensor; `rows` is the only N taken, None any up to MAX_ROWS."""
    if tensor.datatype not in accepted:
        raise InvalidInput(f"input '{tensor.name}': datatype {tensor.datatype}, this model takes FP32")
    shape = list(tensor.shape)
    if len(shape) != 2 or shape[1] != columns or (shape[0] != rows if rows is not None else shape[0] < 0):
        takes = f"[{'N' if rows is None else rows}, {columns}]"
        raise InvalidInput(f"input '{tensor.name}': shape {shape}, this model takes {takes}")
    check_rows(shape[0])
    # kserve's as_numpy() copies and turns raw bytes into lists; the bytes are read in place instead.
    raw = tensor._raw_data
    flat = numbers(tensor.data, tensor.name) if raw is None else from_bytes(raw, tensor, shape)
    if flat.size != shape[0] * columns:
        raise InvalidInput(f"input '{tensor.name}': {flat.size} values, shape {shape} needs {shape[0] * columns}")
    return to_float32(flat).reshape(shape)


def from_bytes(raw: bytes, tensor: InferInput, shape: list[int]) -> NDArray[Any]:
    """Little-endian row-major values, as the protocol has them. The array is read-only."""
    dtype = DTYPES[tensor.datatype]
    expected = shape[0] * shape[1] * dtype.itemsize
    if len(raw) != expected:
        raise InvalidInput(f"input '{tensor.name}': {len(raw)} bytes, shape {shape} needs {expected}")
    values: NDArray[Any] = np.frombuffer(raw, dtype=dtype)
    return values


def read_rows(rows: list[Any], columns: tuple[str, ...], what: str) -> Floats:
    """float32 [len(rows), len(columns)] out of JSON rows."""
    check_rows(len(rows))
    lists = [ordered(row, columns, what) if isinstance(row, dict) else row for row in rows]
    matrix = numbers(lists, what)
    if not lists:
        return np.empty((0, len(columns)), dtype=np.float32)
    if matrix.ndim != 2 or matrix.shape[1] != len(columns):
        raise InvalidInput(f"'{what}': each row must hold {len(columns)} values")
    return to_float32(matrix)


def ordered(row: Mapping[str, Any], columns: tuple[str, ...], what: str) -> list[Any]:
    """A row of named values in the model's order."""
    unknown = row.keys() - set(columns)
    if unknown:
        raise InvalidInput(f"'{what}': unknown column '{min(unknown)}'")
    return [row.get(column) for column in columns]


def check_rows(count: int) -> None:
    """Raises InvalidInput for more rows than a call may hold."""
    if count > MAX_ROWS:
        raise InvalidInput(f"{count} rows, a call may hold {MAX_ROWS}")


def numbers(data: Any, what: str) -> NDArray[Any]:
    """JSON numbers and nulls as float64, null as NaN. Text and truth values are refused, not converted."""
    try:
        array = np.asarray(data)
        if array.dtype.kind not in "fiuO":
            raise InvalidInput(f"'{what}': numbers or null are expected")
        if array.dtype.kind == "O" and not all(v is None or type(v) in (int, float) for v in array.flat):
            raise InvalidInput(f"'{what}': numbers or null are expected")
        return array.astype(np.float64)
    except InvalidInput:
        raise
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidInput(f"'{what}': rows of equal length with numbers or null are expected") from error


def to_float32(values: NDArray[Any]) -> Floats:
    """float32; infinity, and what float32 cannot hold, becomes NaN."""
    with np.errstate(over="ignore"):
        floats = values.astype(np.float32, copy=False)
    infinite = np.isinf(floats)
    return np.where(infinite, np.float32(np.nan), floats) if infinite.any() else floats
