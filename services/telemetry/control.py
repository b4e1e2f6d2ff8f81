"""Replay control: routes for demo and tests, mounted in replay mode only."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter

from berth.simulator.disturbances import SetLoad
from berth.simulator.errors import SimulatorError
from services.telemetry.bodies import (
    BindAnswer,
    BindBody,
    Done,
    FaultBody,
    LoadBody,
    OneOrList,
    PublishBody,
    Published,
    ReleaseBody,
)
from services.telemetry.loop import Telemetry
from services.telemetry.replay import ReplaySource

ASKED_S = 5.0
"""How long a publication that was asked for tries again: one slow answer of the store is no refusal."""


class NotBuiltError(Exception):
    """The replayed cluster is still being built."""


def built(telemetry: Telemetry[ReplaySource]) -> ReplaySource:
    """The source. Raises NotBuiltError."""
    if telemetry.source is None:
        raise NotBuiltError("the replayed cluster is being built")
    return telemetry.source


def replay_router(telemetry: Telemetry[ReplaySource]) -> APIRouter:
    """All routes under /replay. SimulatorErrors reach the application's handler."""
    router = APIRouter(prefix="/replay", tags=["replay"])

    @router.post("/bind")
    async def bind(body: OneOrList) -> list[BindAnswer] | Done:
        source = built(telemetry)
        if isinstance(body, list):
            return await asyncio.to_thread(bind_all, source, body)
        await asyncio.to_thread(source.bind, body.pod(), body.node)
        return Done()

    @router.post("/release")
    async def release(body: ReleaseBody) -> dict[str, str]:
        return {"node": await asyncio.to_thread(built(telemetry).release, body.uid)}

    @router.post("/load")
    async def load(body: LoadBody) -> Done:
        held = None if body.cpu is None and body.memory is None else SetLoad(body.cpu, body.memory)
        async with telemetry.lock:
            built(telemetry).set_load(body.node, held)
        return Done()

    @router.post("/fault")
    async def fault(body: FaultBody) -> Done:
        async with telemetry.lock:
            built(telemetry).set_fault(body.node, body.kind)
        return Done()

    @router.post("/publish")
    async def publish(body: PublishBody | None = None) -> Published:
        built(telemetry)
        await telemetry.advance(body.steps if body else 0)
        return Published(version=await telemetry.deliver(ASKED_S))

    @router.post("/pause")
    async def pause() -> Done:
        telemetry.paused = True
        return Done()

    @router.post("/resume")
    async def resume() -> Done:
        telemetry.paused = False
        return Done()

    @router.get("/nodes")
    async def nodes() -> list[dict[str, Any]]:
        return await asyncio.to_thread(built(telemetry).nodes)

    return router


def bind_all(source: ReplaySource, bodies: list[BindBody]) -> list[BindAnswer]:
    """Binds one after another; what does not fit is said, not raised."""
    answers = []
    for body in bodies:
        try:
            source.bind(body.pod(), body.node)
            answers.append(BindAnswer(uid=body.uid, bound=True))
        except SimulatorError as error:
            answers.append(BindAnswer(uid=body.uid, bound=False, reason=str(error)))
    return answers
