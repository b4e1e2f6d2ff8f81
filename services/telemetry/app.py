"""Telemetry over HTTP: health, metrics, state, and replay control. Decodes, calls, encodes; nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from berth.access import Gate
from berth.ending import ended
from berth.guarded import Guarded
from berth.simulator.errors import AlreadyBoundError, SimulatorError, UnknownNodeError, UnknownPodError
from services.telemetry.bindings.routes import answers_of, bindings_router, following_of
from services.telemetry.control import NotBuiltError, replay_router
from services.telemetry.errors import TelemetryError
from services.telemetry.loop import Telemetry
from services.telemetry.metrics import TelemetryMetrics
from services.telemetry.publish import Publisher, connect
from services.telemetry.replay import ReplaySource
from services.telemetry.settings import TelemetrySettings
from services.telemetry.source import Source

if TYPE_CHECKING:
    from services.telemetry.bindings.following import Following

S = TypeVar("S", bound=Source)

WORDS = {
    "store": "Redis does not take snapshots",
    "fenced": "another publisher leads",
    "not-listed": "the API server has not told of nodes and pods yet",
    "internal": "the last turn failed; see the log",
}
"""Why no snapshot is published, for people."""


def create_app(settings: TelemetrySettings) -> FastAPI:
    """The application over the source that the settings name."""
    if settings.source == "cluster":
        from services.telemetry.live.routes import incidents_router
        from services.telemetry.live.source import LiveSource  # its clients take a second to import

        live = telemetry_of(settings, LiveSource)
        app = application(live, settings)
        app.include_router(incidents_router(live))
        return app
    replay = telemetry_of(settings, lambda settings, _: ReplaySource.from_settings(settings))
    app = application(replay, settings)
    app.include_router(replay_router(replay))
    return app


def telemetry_of(settings: TelemetrySettings, make: Callable[[TelemetrySettings, TelemetryMetrics], S]) -> Telemetry[S]:
    """Source, publisher and pace."""
    publisher = Publisher(connect(settings.redis_url.get_secret_value(), settings.redis_timeout_s), settings.fence)
    metrics = TelemetryMetrics()
    return Telemetry(partial(make, settings, metrics), publisher, metrics, settings.interval_s)


def application(telemetry: Telemetry[S], settings: TelemetrySettings) -> FastAPI:
    """What every source has; the loop, and what follows bindings where history is kept, start and end with it."""
    following = following_of(telemetry, settings)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        running = [asyncio.create_task(one.run()) for one in (telemetry, following) if one is not None]
        yield
        await ended(running)
        await telemetry.publisher.redis.aclose()

    app = FastAPI(title="Berth telemetry", lifespan=lifespan)
    add_routes(app, telemetry, settings, following)
    app.include_router(bindings_router(answers_of(following, settings)))
    add_error_answers(app)
    refused = telemetry.metrics.refused
    app.add_middleware(
        Guarded,
        gate=Gate(lambda: settings.access),
        clock=time.monotonic,
        refused=lambda code: refused.labels(str(code)).inc(),
    )
    return app


def add_routes(
    app: FastAPI, telemetry: Telemetry[S], settings: TelemetrySettings, following: Following[S] | None
) -> None:
    """Health, metrics, state."""

    @app.get("/healthz", response_class=PlainTextResponse)
    async def healthz() -> str:
        return "ok"

    @app.get("/readyz")
    async def readyz() -> Response:
        ready = telemetry.newest is not None or telemetry.standby
        return JSONResponse({"ready": ready, "degraded": degraded(telemetry, following)}, 200 if ready else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        telemetry.metrics.age.set(telemetry.age_s())
        return Response(generate_latest(telemetry.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/v1/state")
    async def state() -> dict[str, Any]:
        return describe(telemetry, settings, following)


def degraded(telemetry: Telemetry[S], following: Following[S] | None) -> list[str]:
    """What keeps telemetry from its work, in words; empty when all is well."""
    found = [WORDS[telemetry.last_failure]] if telemetry.last_failure else []
    found += telemetry.source.degraded() if telemetry.source else ["the cluster is being built"]
    return found + (following.degraded() if following else [])


def describe(telemetry: Telemetry[S], settings: TelemetrySettings, following: Following[S] | None) -> dict[str, Any]:
    """/v1/state."""
    newest, age = telemetry.newest, telemetry.age_s()
    return {
        "source": settings.source,
        "version": newest.version if newest else None,
        "published_ms": newest.published_ms if newest else None,
        "age_s": None if math.isnan(age) else round(age, 3),
        "nodes": len(newest.nodes) if newest else 0,
        "features": len(newest.features) if newest else 0,
        "bindings": len(newest.bindings) if newest else 0,
        "interval_s": settings.interval_s,
        "paused": telemetry.paused,
        "standby": telemetry.standby,
        "degraded": degraded(telemetry, following),
        "joining": following.state() if following else None,
        settings.source: telemetry.source.state() if telemetry.source else None,
    }


def add_error_answers(app: FastAPI) -> None:
    """Every refusal is {"error": words}, written for users; no exception text."""

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        if any(problem["type"] == "json_invalid" for problem in error.errors()):
            return JSONResponse({"error": "body: not JSON"}, 400)
        problems = [f"{place(problem['loc'])}: {problem['msg']}" for problem in error.errors()[:5]]
        return JSONResponse({"error": "; ".join(problems)}, 422)

    @app.exception_handler(SimulatorError)
    async def refused(_: Request, error: SimulatorError) -> JSONResponse:
        status = 404 if isinstance(error, UnknownNodeError | UnknownPodError) else 409
        kind = "already_bound" if isinstance(error, AlreadyBoundError) else "refused"
        return JSONResponse({"error": str(error), "kind": "unknown" if status == 404 else kind}, status)

    @app.exception_handler(NotBuiltError)
    async def not_built(_: Request, __: NotBuiltError) -> JSONResponse:
        return JSONResponse({"error": "the replayed cluster is being built; ask again in a few seconds"}, 503)

    @app.exception_handler(TelemetryError)
    async def not_published(_: Request, error: TelemetryError) -> JSONResponse:
        return JSONResponse({"error": WORDS[error.reason]}, 503)


def place(location: tuple[int | str, ...] | list[int | str]) -> str:
    """Where in the body: 'cpu', '3.cpu', or 'body'."""
    parts = [str(part) for part in location if part not in ("body", "one", "list")]
    return ".".join(parts) or "body"
