"""A grpc.aio server with KServe's servicer: bound where the settings say, with bounded connection age.

KServe's own GRPCServer binds every interface and limits a message to 8 MiB, without options for either.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from grpc import StatusCode, aio
from grpc_interceptor import AsyncServerInterceptor
from kserve.errors import InvalidInput, ModelNotFound, ModelNotReady
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc as pb_grpc
from kserve.protocol.grpc.servicer import InferenceServicer

from protos.inference import inference_pb2
from services.serving.data_plane import FixedRepository, ModelDataPlane
from services.serving.errors import DeadlinePassedError, ModelFailedError, OverloadedError
from services.serving.settings import ModelServiceSettings
from services.serving.worker import DEADLINE

STATUSES: dict[type[Exception], StatusCode] = {
    InvalidInput: StatusCode.INVALID_ARGUMENT,
    ModelNotFound: StatusCode.NOT_FOUND,
    ModelNotReady: StatusCode.UNAVAILABLE,
    NotImplementedError: StatusCode.UNIMPLEMENTED,
    ModelFailedError: StatusCode.INTERNAL,
    OverloadedError: StatusCode.RESOURCE_EXHAUSTED,
    DeadlinePassedError: StatusCode.DEADLINE_EXCEEDED,
}

log = logging.getLogger(__name__)


class ModelServicer(InferenceServicer):
    """KServe's servicer, with the call's deadline told to the worker and whole metadata."""

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802 (the protocol's name)
        """Raises what STATUSES maps."""
        remaining = context.time_remaining()
        DEADLINE.set(None if remaining is None else time.monotonic() + remaining)
        return await super().ModelInfer(request, context)

    async def ModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802 (the protocol's name)
        """KServe's message knows no `properties` (field 6); as an unknown field they reach the wire all the
        same."""
        metadata = await self._data_plane.model_metadata(model_name=request.name)
        whole = inference_pb2.ModelMetadataResponse(**metadata)
        return pb.ModelMetadataResponse.FromString(whole.SerializeToString())


class ErrorsToStatus(AsyncServerInterceptor):
    """Errors to gRPC statuses. KServe's interceptor logs a traceback for each mistake of a caller, and fails
    on ModelNotReady and NotImplementedError."""

    async def intercept(self, method: Any, request: Any, context: Any, method_name: str) -> Any:
        """Raises AbortError."""
        try:
            return await method(request, context)
        except tuple(STATUSES) as error:
            status = next(code for kind, code in STATUSES.items() if isinstance(error, kind))
            await context.abort(status, str(error))
        except aio.AbortError:
            raise
        except Exception:  # the outermost edge: the log has the reason, the caller does not
            log.exception("%s failed", method_name)
            await context.abort(StatusCode.INTERNAL, "internal error")


def build_rpc(data_plane: ModelDataPlane, repository: FixedRepository, settings: ModelServiceSettings) -> aio.Server:
    """The gRPC server with its servicer, not bound, not started."""
    server = aio.server(interceptors=[ErrorsToStatus()], options=options(settings))
    pb_grpc.add_GRPCInferenceServiceServicer_to_server(ModelServicer(data_plane, repository), server)
    return server


def options(settings: ModelServiceSettings) -> list[tuple[str, int]]:
    """gRPC channel arguments."""
    largest = settings.max_message_mib * 2**20
    return [
        ("grpc.max_receive_message_length", largest),
        ("grpc.max_send_message_length", largest),
        ("grpc.max_connection_age_ms", round(settings.connection_age_seconds * 1000)),
        ("grpc.max_connection_age_grace_ms", round(settings.connection_grace_seconds * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),  # clients may look for a dead server with pings
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
        ("grpc.so_reuseport", 0),  # or a second server would share the port and half of the calls
    ]
