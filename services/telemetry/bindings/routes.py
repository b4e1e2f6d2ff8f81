"""Bindings over HTTP, where they are followed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Query
from fastapi.responses import JSONResponse, Response

from services.telemetry.history.errors import HistoryError
from services.telemetry.loop import Telemetry
from services.telemetry.settings import TelemetrySettings
from services.telemetry.source import Source

if TYPE_CHECKING:
    from services.telemetry.bindings.answers import Answers
    from services.telemetry.bindings.following import Following

S = TypeVar("S", bound=Source)
Pod = Annotated[str, Path(min_length=1, max_length=253)]
Hours = Annotated[int, Query(ge=1, le=24 * 3650)]
LongAgo = Annotated[int | None, Query(ge=1, le=24 * 3650)]


def following_of(telemetry: Telemetry[S], settings: TelemetrySettings) -> Following[S] | None:
    """What follows bindings; None where no history is kept."""
    if not settings.history.url:
        return None
    from services.telemetry.bindings.following import Following  # Parquet's libraries take a tenth of a second

    return Following(telemetry, settings)


def answers_of(following: Following[S] | None, settings: TelemetrySettings) -> Answers[S] | None:
    """What answers about them."""
    if following is None:
        return None
    from services.telemetry.bindings.answers import Answers

    return Answers(following, settings.history.keep_days)


def bindings_router(answers: Answers[S] | None) -> APIRouter:
    """Routes of what is kept; without history they say so."""
    router = APIRouter(prefix="/v1", tags=["bindings"])

    @router.get("/bindings/{pod}")
    async def binding(pod: Pod, hours: LongAgo = None) -> Response:
        if answers is None:
            return nothing_kept()
        try:
            found = await answers.binding(pod, hours)
        except HistoryError:
            return unreadable()
        return JSONResponse(found) if found else JSONResponse({"error": "no binding of this pod is kept"}, 404)

    @router.get("/agreement")
    async def agreement(hours: Hours = 24) -> Response:
        if answers is None:
            return nothing_kept()
        try:
            found: dict[str, Any] = await answers.agreement(hours)
        except HistoryError:
            return unreadable()
        return JSONResponse(found)

    return router


def nothing_kept() -> JSONResponse:
    """There is no history."""
    return JSONResponse({"error": "bindings are kept where history.url is set; it is not"}, 404)


def unreadable() -> JSONResponse:
    """There is one, and its store does not answer."""
    return JSONResponse({"error": "history cannot be read; see the log"}, 503)
