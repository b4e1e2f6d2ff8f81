"""Routes that a real cluster has."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any

from fastapi import APIRouter, Query

from services.telemetry.live.source import LiveSource
from services.telemetry.loop import Telemetry

MOST = 5000
"""Incidents of one answer, the newest."""


def incidents_router(telemetry: Telemetry[LiveSource]) -> APIRouter:
    """GET /v1/incidents."""
    router = APIRouter(prefix="/v1", tags=["incidents"])

    @router.get("/incidents")
    async def incidents(
        hours: Annotated[float, Query(gt=0.0, le=8784.0)] = 24.0, node: Annotated[str, Query(max_length=253)] = ""
    ) -> dict[str, Any]:
        return await asyncio.to_thread(answer, telemetry.source, hours, node)

    return router


def answer(source: LiveSource | None, hours: float, node: str) -> dict[str, Any]:
    """Newest first. complete: history could be read; left_out: older ones for which there was no room."""
    if source is None:
        return {"incidents": [], "complete": False, "left_out": 0}
    now = time.time()
    found, complete = source.vitals.chronicle.since(now - hours * 3600.0, now, node)
    shown = [one.shown() for one in found[:MOST]]
    return {"incidents": shown, "complete": complete, "left_out": len(found) - len(shown)}
