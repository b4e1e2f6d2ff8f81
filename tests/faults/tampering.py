"""A proxy before each real model service that delays, corrupts or forges answers when it is told to.

    python -m tests.faults.tampering CONTROL_PORT LISTEN=UPSTREAM...

Every gRPC call goes through as bytes. The control port takes one JSON line a connection, {"port": 9001, "mode": "nan"},
and says "ok". Modes: see TAMPER and "pass"; "delay-40" and "delay-200" hold an answer back by so many milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable

import grpc
import numpy as np

from protos.inference import inference_pb2 as oip

INFER = "/inference.GRPCInferenceService/ModelInfer"
METADATA = "/inference.GRPCInferenceService/ModelMetadata"
OPTIONS = (
    ("grpc.max_receive_message_length", 64 * 2**20),
    ("grpc.max_send_message_length", 64 * 2**20),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
)


def values(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[str, bytes], bytes]:
    """A tamper that changes an answer's values and keeps its shape."""

    def tamper(method: str, raw: bytes) -> bytes:
        if method != INFER:
            return raw
        reply = oip.ModelInferResponse.FromString(raw)
        for i, content in enumerate(reply.raw_output_contents):
            changed = change(np.frombuffer(content, dtype="<f4").copy())
            reply.raw_output_contents[i] = changed.astype("<f4").tobytes()
        return reply.SerializeToString()

    return tamper


def one_in_the_middle(number: float) -> Callable[[np.ndarray], np.ndarray]:
    """Puts one bad value among good ones."""

    def change(array: np.ndarray) -> np.ndarray:
        array[array.size // 2 : array.size // 2 + 1] = number
        return array

    return change


def wrong_shape(method: str, raw: bytes) -> bytes:
    """One row too few."""
    if method != INFER:
        return raw
    reply = oip.ModelInferResponse.FromString(raw)
    rows, columns = reply.outputs[0].shape
    reply.outputs[0].shape[0] = rows - 1
    reply.raw_output_contents[0] = reply.raw_output_contents[0][: (rows - 1) * columns * 4]
    return reply.SerializeToString()


def another_version(method: str, raw: bytes) -> bytes:
    """As after a rolling upgrade: the same columns, another model."""
    if method == INFER:
        reply = oip.ModelInferResponse.FromString(raw)
        reply.model_version = "another"
        return reply.SerializeToString()
    metadata = oip.ModelMetadataResponse.FromString(raw)
    metadata.properties["model_version"] = "another"
    return metadata.SerializeToString()


def another_digest(method: str, raw: bytes) -> bytes:
    """Metadata whose digest does not belong to its columns: a model of another contract."""
    if method != METADATA:
        return raw
    metadata = oip.ModelMetadataResponse.FromString(raw)
    metadata.properties["features_digest"] = "0" * 16
    return metadata.SerializeToString()


TAMPER: dict[str, Callable[[str, bytes], bytes]] = {
    "garbage": lambda _, raw: bytes(byte ^ 0xA5 for byte in raw[:4096]),
    "empty": lambda _, __: b"",
    "nan": values(lambda array: np.full_like(array, np.nan)),
    "infinity": values(one_in_the_middle(np.inf)),
    "out-of-range": values(one_in_the_middle(-7.0)),
    "wrong-shape": wrong_shape,
    "another-version": another_version,
    "another-digest": another_digest,
}


class Proxy(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio ships no types
    """One model service seen through a mode."""

    def __init__(self, upstream: str) -> None:
        self.upstream, self.mode = upstream, "pass"

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """Any unary method, bytes in and bytes out."""
        method = details.method

        async def forward(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
            return await self.answer(method, request, context)

        return grpc.unary_unary_rpc_method_handler(forward)

    async def answer(self, method: str, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        """The upstream's answer, tampered with."""
        mode = self.mode
        if mode == "another-digest" and method == INFER:  # what a model of another contract says
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "features_digest")
        try:
            reply = await self.channel.unary_unary(method)(request, timeout=5.0)
        except grpc.aio.AioRpcError as error:
            await context.abort(error.code(), error.details() or "")
        if mode.startswith("delay-"):
            await asyncio.sleep(float(mode.removeprefix("delay-")) / 1000.0)
        return TAMPER[mode](method, reply) if mode in TAMPER else reply

    async def listen(self, port: int) -> None:
        """Open the channel upstream and the port."""
        self.channel = grpc.aio.insecure_channel(self.upstream, options=OPTIONS)
        self.server = grpc.aio.server(options=OPTIONS)
        self.server.add_generic_rpc_handlers((self,))
        self.server.add_insecure_port(f"127.0.0.1:{port}")
        await self.server.start()


async def serve(control_port: int, routes: dict[int, str]) -> None:
    """Serve until the process is ended."""
    proxies = {port: Proxy(upstream) for port, upstream in routes.items()}
    for port, proxy in proxies.items():
        await proxy.listen(port)

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told = json.loads(await reader.readline())
        proxies[told["port"]].mode = told["mode"]
        writer.write(b"ok")
        await writer.drain()
        writer.close()

    control = await asyncio.start_server(take, "127.0.0.1", control_port)
    await control.serve_forever()


if __name__ == "__main__":
    pairs = (pair.split("=") for pair in sys.argv[2:])
    asyncio.run(serve(int(sys.argv[1]), {int(port): upstream for port, upstream in pairs}))
