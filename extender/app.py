"""The HTTP door: decode, call, encode; nothing else.

kube-scheduler's two verbs are plain Starlette routes inside the FastAPI app: they speak Go's JSON, not ours, and
validation twice would cost more than scoring. Status codes: 400 undecodable, 413 too large, 200 for all else.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec
from fastapi import FastAPI, HTTPException, Query
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from berth import __version__
from berth.decisions.record import encode
from extender.errors import InvalidError, TooLargeError, UndecodableError
from extender.metrics import Metrics
from extender.overview import readiness, report, state_of
from extender.records import Recorder
from extender.state import State
from extender.verbs import Verbs
from extender.wire import Arguments, decode, filter_answer, filter_error, priorities

log = logging.getLogger("extender.app")

JSON = "application/json"
THREAD_FROM = 256 * 1024
"""Bodies from this size are decoded in a thread, so that other calls and health checks are read meanwhile."""

Answer = Callable[[Arguments], Awaitable[bytes]]


@dataclass(frozen=True)
class Verb:
    """How one verb is answered: `neutral` changes nothing for a call, `invalid` answers what is no usable call."""

    name: str
    handle: Answer
    neutral: Callable[[Arguments], bytes]
    invalid: Callable[[str], bytes]


def create_app(state: State, verbs: Verbs, recorder: Recorder) -> FastAPI:
    """The application; nothing is started by making it."""
    app = FastAPI(title="Berth extender", version=__version__, docs_url="/docs", redoc_url=None)
    add_verbs(app, state, verbs)
    add_health(app, state)
    add_views(app, state, recorder)
    return app


def add_verbs(app: FastAPI, state: State, verbs: Verbs) -> None:
    """kube-scheduler's verbs."""
    known = (
        Verb("filter", verbs.filter, lambda call: filter_answer(call, {}), filter_error),
        Verb("prioritize", verbs.prioritize, no_priorities, lambda _: priorities([], [])),
    )
    for verb in known:
        app.add_route(f"/scheduler/{verb.name}", route(state, verb), methods=["POST"], include_in_schema=False)


def route(state: State, verb: Verb) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of one verb."""
    seconds = state.metrics.verb_seconds.labels(verb.name)

    async def answer(request: Request) -> Response:
        started = time.perf_counter()
        content, code = await respond(request, state.settings.server.body_limit_mib * 2**20, verb)
        seconds.observe(time.perf_counter() - started)
        state.metrics.answers.labels(verb.name, str(code)).inc()
        return Response(content, code, media_type=JSON)

    return answer


async def respond(request: Request, limit: int, verb: Verb) -> tuple[bytes, int]:
    """Body and status of an answer. No exception text leaves: what went wrong is in the log."""
    try:
        body = await read_body(request, limit)
        call = await asyncio.to_thread(decode, body) if len(body) >= THREAD_FROM else decode(body)
    except UndecodableError:
        return b'{"error":"the body is not a JSON object"}', 400
    except TooLargeError:
        return b'{"error":"the body is larger than server.body_limit_mib"}', 413
    except ClientDisconnect:
        return b"", 400
    except InvalidError as error:
        return verb.invalid(f"berth: {error}"), 200
    try:
        return await verb.handle(call), 200
    except Exception:
        log.exception("%s failed; answered neutrally", verb.name)
        return verb.neutral(call), 200


def no_priorities(call: Arguments) -> bytes:
    """Every node once, score 0."""
    names = call.distinct
    return priorities(names, [0] * len(names))


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body. Raises TooLargeError as soon as it is known to pass the limit."""
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told) > limit:
        raise TooLargeError
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise TooLargeError
        chunks.append(chunk)
    return b"".join(chunks)


def add_health(app: FastAPI, state: State) -> None:
    """Liveness, readiness, metrics."""

    @app.get("/healthz", tags=["health"])
    async def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"])
    async def readyz() -> dict[str, object]:
        """Ready whenever it can answer, also with models down; `degraded` says what is missing."""
        return readiness(state)

    async def metrics(_: Request) -> Response:
        refresh_gauges(state, state.metrics)
        return Response(generate_latest(state.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    app.add_route("/metrics", metrics, methods=["GET"], include_in_schema=False)


def refresh_gauges(state: State, metrics: Metrics) -> None:
    """Values that are worked out when somebody looks."""
    age = state.age_s()
    metrics.snapshot_age.set(float("nan") if age is None else age)
    metrics.inflight.set(len(state.ledger))
    for name, client in state.clients.items():
        metrics.breaker_open.labels(name).set(client.breaker.open)
    for mode in ("off", "shadow", "active"):
        metrics.mode.labels(mode).set(state.controls.mode == mode)


def add_views(app: FastAPI, state: State, recorder: Recorder) -> None:
    """What people and scripts read."""

    @app.get("/v1/state", tags=["decisions"])
    async def v1_state() -> dict[str, object]:
        """Mode, snapshot, models, cache and in-flight pods, as they are now."""
        return state_of(state, recorder)

    @app.get("/v1/report", tags=["decisions"])
    async def v1_report() -> dict[str, object]:
        """This replica's recent decisions, summed up."""
        return report(recorder)

    @app.get("/v1/decisions", tags=["decisions"])
    async def v1_decisions(limit: int = Query(50, ge=1, le=1000, description="newest first")) -> Response:
        """This replica's newest decisions."""
        newest = list(reversed(recorder.recent.values()))[:limit]
        return Response(msgspec.json.encode(newest), media_type=JSON)

    @app.get("/v1/decisions/{uid}", tags=["decisions"])
    async def v1_decision(uid: str) -> Response:
        """The newest decision for a pod, by its uid or its name, made by any replica."""
        found = await recorder.find(uid)
        if found is None:
            raise HTTPException(404, "no decision for this pod is kept")
        return Response(encode(found), media_type=JSON)
