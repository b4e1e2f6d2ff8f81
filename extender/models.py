"""Calls to the model services: Open Inference Protocol v2 over gRPC, raw float32 tensors, one deadline a call."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import grpc
import numpy as np
from numpy.typing import NDArray

from berth.features.registry import digest
from extender.breaker import Breaker
from extender.errors import ModelFailure
from extender.settings import ModelEndpoint, Models
from protos.inference import inference_pb2 as oip

Floats = NDArray[np.float32]

METADATA = "/inference.GRPCInferenceService/ModelMetadata"
INFER = "/inference.GRPCInferenceService/ModelInfer"
REPLACED_S = 2.0
"""Calls over a channel that is replaced have so long to end."""
GRACE_S = 0.005
"""How much later than gRPC's own deadline a call is given up: its timer may be late, a pod may not."""

SERVICE_CONFIG = '{"loadBalancingConfig":[{"round_robin":{}}]}'
OPTIONS = (
    ("grpc.service_config", SERVICE_CONFIG),
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.dns_min_time_between_resolutions_ms", 5000),
    ("grpc.keepalive_time_ms", 20000),
    ("grpc.keepalive_timeout_ms", 5000),
    ("grpc.max_receive_message_length", 64 * 2**20),
    ("grpc.max_send_message_length", 64 * 2**20),
)

REASONS = {
    grpc.StatusCode.DEADLINE_EXCEEDED: "timeout",
    grpc.StatusCode.UNAVAILABLE: "refused",
    grpc.StatusCode.INVALID_ARGUMENT: "mismatch",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "busy",
}


@dataclass(frozen=True)
class Expected:
    """What the extender expects of a model: the columns it reads of its output and the range of their values."""

    name: str
    output: str
    columns: tuple[str, ...]
    low: float
    high: float


HORIZON_NAMES = ("1h", "2h", "4h")
LOAD_PREDICTOR = Expected(
    "load-predictor",
    "forecast",
    tuple(f"{m}_{h}" for m in ("cpu", "memory") for h in HORIZON_NAMES),
    -0.01,
    10.0,
)
PLACEMENT_SCORER = Expected("placement-scorer", "value", ("value",), -0.001, 1.001)
ANOMALY_DETECTOR = Expected("anomaly-detector", "health", ("health",), -0.001, 1.001)


@dataclass(frozen=True)
class Contract:
    """What a model's metadata says it takes and gives."""

    version: str
    node_features: tuple[str, ...]
    pod_features: tuple[str, ...]
    outputs: tuple[str, ...]
    digest: str


@dataclass(frozen=True)
class Answer:
    """values: float32 [rows, len(expected.columns)], NaN where the model gave none for a row."""

    values: Floats
    version: str


DOUBTED = 0.4
"""Share of its deadline that a model gets while a failure is looked into: enough for one that was late once."""


class ModelClient:
    """One model service. `connect` comes first, on the loop that calls; every failure is a ModelFailure."""

    def __init__(self, expected: Expected, endpoint: ModelEndpoint, models: Models) -> None:
        self.expected = expected
        self.enabled = endpoint.enabled
        self.timeout_s = endpoint.timeout_ms / 1000.0
        self.contract: Contract | None = None
        self.outdated = False
        self.suspected = asyncio.Event()
        self._waiting: set[asyncio.Timeout] = set()
        self.breaker = Breaker(models.breaker_failures, models.breaker_probe_s, models.breaker_probe_max_s)
        self.target = endpoint.target

    @property
    def patience_s(self) -> float:
        """How long a pod waits for it now."""
        return self.timeout_s * (DOUBTED if self.suspected.is_set() else 1.0)

    def connect(self, credentials: grpc.ChannelCredentials | None = None) -> None:
        """Open the channel, over TLS where there are credentials; it connects when it is used."""
        if credentials is None:
            self.channel = grpc.aio.insecure_channel(self.target, options=OPTIONS)
        else:
            self.channel = grpc.aio.secure_channel(self.target, credentials, options=OPTIONS)
        self._metadata = self.channel.unary_unary(
            METADATA, oip.ModelMetadataRequest.SerializeToString, oip.ModelMetadataResponse.FromString
        )
        self._infer = self.channel.unary_unary(
            INFER, oip.ModelInferRequest.SerializeToString, oip.ModelInferResponse.FromString
        )

    def reconfigure(self, endpoint: ModelEndpoint, models: Models) -> None:
        """Take changed settings; the target stays until a restart."""
        self.enabled, self.timeout_s = endpoint.enabled, endpoint.timeout_ms / 1000.0
        self.breaker.failures = models.breaker_failures
        self.breaker.pause_s, self.breaker.max_pause_s = models.breaker_probe_s, models.breaker_probe_max_s

    async def reconnect(self, credentials: grpc.ChannelCredentials | None) -> None:
        """Calls from now on use other credentials; those under way end over the old channel."""
        before = self.channel
        self.connect(credentials)
        await before.close(grace=REPLACED_S)

    async def close(self) -> None:
        """Close the channel."""
        await self.channel.close()

    async def read_contract(self, timeout_s: float) -> Contract:
        """Ask for the metadata and keep what it says. Raises ModelFailure."""
        request = oip.ModelMetadataRequest(name=self.expected.name)
        reply = await self._call(self._metadata, request, timeout_s)
        self.contract = contract_of(reply, self.expected)
        self.outdated = False
        return self.contract

    async def ask(self, nodes: Floats, pod: Floats | None, timeout_s: float, waiting: bool = True) -> Answer:
        """Values for rows of `nodes` (float32 [rows, features], in the contract's order). Raises ModelFailure.

        Feeds the breaker: a success always counts, a failure when a pod was waiting.
        """
        contract = self.contract
        if contract is None:
            raise ModelFailure("unknown-model")
        try:
            reply = await self._call(self._infer, infer_request(self.expected.name, contract, nodes, pod), timeout_s)
            answer = read_answer(reply, contract, self.expected, len(nodes))
        except ModelFailure as failure:
            if waiting:
                self.breaker.failure(time.monotonic())
                self.suspected.set()
            if failure.outcome == "mismatch":
                self.contract = None  # the background loop reads it again
            raise
        self.breaker.success()
        self.outdated = answer.version != contract.version
        return answer

    async def _call(self, method: grpc.aio.UnaryUnaryMultiCallable, request: object, timeout_s: float) -> object:
        """One RPC with a deadline that holds even where gRPC's own timer is late."""
        deadline = asyncio.timeout(timeout_s + GRACE_S)
        try:
            async with deadline:
                self._waiting.add(deadline)
                reply = await method(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            raise ModelFailure(REASONS.get(error.code(), "error")) from error
        except TimeoutError as error:
            raise ModelFailure("timeout") from error
        finally:
            self._waiting.discard(deadline)
        if reply is None:  # gRPC could not decode it
            raise ModelFailure("invalid")
        return reply

    def give_up(self) -> None:
        """Open the breaker and let go of the calls under way: whoever waits for them need not."""
        self.breaker.trip(time.monotonic())
        now = asyncio.get_running_loop().time()
        for deadline in self._waiting:
            if not deadline.expired():  # one that has run out and was not told yet lets go by itself
                deadline.reschedule(now)


def contract_of(reply: object, expected: Expected) -> Contract:
    """The contract in a metadata answer. Raises ModelFailure('mismatch') where it lacks what is expected."""
    properties = dict(reply.properties)  # type: ignore[attr-defined]
    nodes, pod, outputs = (names(properties.get(k, "")) for k in ("node_features", "pod_features", "outputs"))
    told = properties.get("features_digest", "")
    version = properties.get("model_version", "")
    if not nodes or not version or told != digest((*nodes, *pod)) or not set(expected.columns) <= set(outputs):
        raise ModelFailure("mismatch")
    return Contract(version, nodes, pod, outputs, told)


def names(text: str) -> tuple[str, ...]:
    """A comma-separated list."""
    return tuple(name for name in text.split(",") if name)


def infer_request(model: str, contract: Contract, nodes: Floats, pod: Floats | None) -> oip.ModelInferRequest:
    """The request for these rows."""
    request = oip.ModelInferRequest(model_name=model)
    request.parameters["features_digest"].string_param = contract.digest
    tensors = {"nodes": nodes} if pod is None else {"nodes": nodes, "pod": pod.reshape(1, -1)}
    for name, tensor in tensors.items():
        request.inputs.add(name=name, datatype="FP32", shape=tensor.shape)
        request.raw_input_contents.append(np.ascontiguousarray(tensor, dtype="<f4").tobytes())
    return request


def read_answer(reply: object, contract: Contract, expected: Expected, rows: int) -> Answer:
    """The values of an answer, in the order of `expected.columns`. Raises ModelFailure('invalid')."""
    width = len(contract.outputs)
    outputs, raw = reply.outputs, reply.raw_output_contents  # type: ignore[attr-defined]
    well_formed = (
        len(outputs) == len(raw) == 1
        and outputs[0].name == expected.output
        and outputs[0].datatype == "FP32"
        and tuple(outputs[0].shape) == (rows, width)
        and len(raw[0]) == rows * width * 4
    )
    if not well_formed:
        raise ModelFailure("invalid")
    values = np.frombuffer(raw[0], dtype="<f4").reshape(rows, width)
    wanted = [contract.outputs.index(column) for column in expected.columns]
    if wanted != list(range(width)):
        values = values[:, wanted]
    check_values(values, expected)
    return Answer(values, reply.model_version or contract.version)  # type: ignore[attr-defined]


def check_values(values: Floats, expected: Expected) -> None:
    """Raises ModelFailure('invalid') for infinities, values out of range, or NaN in every row."""
    missing = np.isnan(values)
    if values.size and missing.any(axis=1).all():
        raise ModelFailure("invalid")
    inside = missing | ((values >= expected.low) & (values <= expected.high))
    if not inside.all():
        raise ModelFailure("invalid")
