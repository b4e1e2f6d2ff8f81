"""Starts model services as real processes on free loopback ports, and talks to them as their clients do."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import grpc
import httpx
import numpy as np

from berth.features.registry import digest
from cli.ports import free_ports
from protos.inference import inference_pb2 as pb
from services.serving.contract import Floats

ROOT = Path(__file__).parents[3]
METHODS = "/inference.GRPCInferenceService/"


@dataclass
class Service:
    """A running service."""

    process: subprocess.Popen[str]
    name: str
    http_port: int
    grpc_port: int
    http: httpx.Client
    channel: grpc.Channel
    log: IO[str]

    def said(self) -> list[str]:
        """Lines on stderr so far."""
        self.log.seek(0)
        return self.log.read().splitlines()

    def metadata(self) -> pb.ModelMetadataResponse:
        """ModelMetadata over gRPC."""
        call = self.channel.unary_unary(
            f"{METHODS}ModelMetadata",
            request_serializer=pb.ModelMetadataRequest.SerializeToString,
            response_deserializer=pb.ModelMetadataResponse.FromString,
        )
        answer: pb.ModelMetadataResponse = call(pb.ModelMetadataRequest(name=self.name), timeout=5)
        return answer

    def infer(self, request: pb.ModelInferRequest, timeout: float = 10) -> Any:
        """A started ModelInfer call: `.result()` waits for the ModelInferResponse."""
        call = self.channel.unary_unary(
            f"{METHODS}ModelInfer",
            request_serializer=pb.ModelInferRequest.SerializeToString,
            response_deserializer=pb.ModelInferResponse.FromString,
        )
        return call.future(request, timeout=timeout)


def command(module: str, section: str, **fields: object) -> dict[str, Any]:
    """Arguments for subprocess.Popen."""
    ours = {f"BERTH_{section.upper()}__{key.upper()}": str(value) for key, value in fields.items()}
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("BERTH_")}
    return {
        "args": [sys.executable, "-m", module],
        "cwd": ROOT,
        "env": inherited | ours,
        "text": True,
    }


@contextmanager
def running(module: str, section: str, name: str, **fields: object) -> Iterator[Service]:
    """A ready service; ended (if it still runs) on exit. It writes to a file: a pipe that nobody reads fills, and then
    stops the one who writes."""
    http_port, grpc_port = free_ports(2)
    ports = {"http_port": http_port, "grpc_port": grpc_port}
    with (
        tempfile.TemporaryFile("a+") as log,
        started(command(module, section, **(fields | ports)), log) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{http_port}", timeout=10, trust_env=False) as http,
        grpc.insecure_channel(f"127.0.0.1:{grpc_port}", [("grpc.enable_http_proxy", 0)]) as channel,
    ):
        service = Service(process, name, http_port, grpc_port, http, channel, log)
        wait_until_ready(service)
        yield service


@contextmanager
def started(arguments: dict[str, Any], log: IO[str]) -> Iterator[subprocess.Popen[str]]:
    """A process, killed on exit."""
    process = subprocess.Popen(**arguments, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_until_ready(service: Service) -> None:
    """Returns when /readyz says 200."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if service.process.poll() is not None:
            raise AssertionError(f"ended with {service.process.returncode}: {service.said()}")
        try:
            if service.http.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("not ready after 60 s")


def infer_request(metadata: pb.ModelMetadataResponse, nodes: Floats, pod: Floats | None = None) -> pb.ModelInferRequest:
    """A request as the extender sends it."""
    names = [n for key in ("node_features", "pod_features") for n in metadata.properties[key].split(",") if n]
    request = pb.ModelInferRequest(model_name=metadata.name, id="7")
    request.parameters["features_digest"].string_param = digest(names)
    request.inputs.add(name="nodes", datatype="FP32", shape=list(nodes.shape))
    request.raw_input_contents.append(nodes.tobytes())
    if pod is not None:
        request.inputs.add(name="pod", datatype="FP32", shape=[1, len(pod)])
        request.raw_input_contents.append(pod.tobytes())
    return request


def output(response: pb.ModelInferResponse) -> Floats:
    """The output tensor of a response."""
    (tensor,) = response.outputs
    return np.frombuffer(response.raw_output_contents[0], np.float32).reshape(list(tensor.shape))
