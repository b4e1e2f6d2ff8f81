"""KServe's FastAPI application, with health routes, whole metadata, plain error answers and a body limit."""

from __future__ import annotations

import logging
import time
import warnings
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from kserve.errors import InvalidInput
from kserve.protocol.rest.server import RESTServer
from prometheus_client import Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from berth.access import Access, Gate
from berth.guarded import Guarded
from services.serving.data_plane import FixedRepository, ModelDataPlane
from services.serving.errors import DeadlinePassedError, ModelFailedError, OverloadedError

APP = "kserve.model_server:app"
STATUSES: dict[type[Exception], int] = {
    InvalidInput: 400,
    ModelFailedError: 500,
    OverloadedError: 503,
    DeadlinePassedError: 504,
}

REFUSED = Counter("berth_model_callers_refused", "callers over REST that were not let in, by status", ["code"])

log = logging.getLogger(__name__)


def build_rest(
    data_plane: ModelDataPlane, repository: FixedRepository, port: int, max_body: int, access: Access
) -> RESTServer:
    """KServe's REST server with its application made, not started. `max_body` in bytes."""
    from kserve.model_server import app

    # KServe answers with a response class that FastAPI calls deprecated; that is no news for an operator
    warnings.filterwarnings("ignore", message="ORJSONResponse is deprecated")

    add_routes(app, data_plane)  # first: the first route that matches wins
    app.add_middleware(BodyLimit, max_bytes=max_body)
    app.add_middleware(Guarded, gate=Gate(lambda: access), clock=time.monotonic, refused=count_refused)
    server = RESTServer(APP, data_plane, repository, port)
    server.create_application()
    for error, status in STATUSES.items():
        app.add_exception_handler(error, refusal(status))
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(Exception, failure)
    return server


def count_refused(status: int) -> None:
    """A caller that was not let in."""
    REFUSED.labels(str(status)).inc()


def add_routes(app: FastAPI, data_plane: ModelDataPlane) -> None:
    """Health for kubelets and supervisors, and the model's metadata with its properties."""

    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    async def readyz() -> JSONResponse:
        ready = await data_plane.ready()
        return JSONResponse({"ready": ready}, status_code=200 if ready else 503)

    async def metadata(model_name: str) -> dict[str, Any]:
        return await data_plane.model_metadata(model_name)

    app.add_api_route("/healthz", healthz, methods=["GET"])
    app.add_api_route("/readyz", readyz, methods=["GET"])
    app.add_api_route("/v2/models/{model_name}", metadata, methods=["GET"])


def refusal(status: int) -> Any:
    """A handler for errors whose message is meant for the caller. KServe's would log a traceback for each."""

    async def handle(_: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": str(error)}, status_code=status)

    return handle


async def malformed(_: Request, __: Exception) -> JSONResponse:
    """FastAPI's own answer repeats the body, and is a 500 where that holds NaN."""
    return JSONResponse({"error": "the body is not an inference request"}, status_code=400)


async def failure(_: Request, error: Exception) -> JSONResponse:
    """A defect: the log has the reason, the caller does not."""
    log.error("call failed", exc_info=error)
    return JSONResponse({"error": "internal error"}, status_code=500)


class BodyLimit:
    """Answers 413 to a body of more than `max_bytes`, at the latest when that many have arrived."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._max_bytes:
            await self._refuse(scope, receive, send)
            return
        await self._counted(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen, started = 0, False

        async def counting() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max_bytes:
                raise BodyTooLargeError
            return message

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, counting, sending)
        except BodyTooLargeError:
            if started:
                raise
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = JSONResponse({"error": f"a body may hold {self._max_bytes} bytes"}, status_code=413)
        await answer(scope, receive, send)


class BodyTooLargeError(Exception):
    """A body without a declared length grew beyond the limit."""
