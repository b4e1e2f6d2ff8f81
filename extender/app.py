"""The HTTP door for people and scripts: health, metrics, state, decisions; nothing else."""

from __future__ import annotations

from fastapi import FastAPI, HTTPException, Query
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from berth import __version__
from berth.decisions.record import encode
from extender.metrics import Metrics
from extender.overview import readiness, report, state_of
from extender.records import Recorder
from extender.state import State

JSON = "application/json"


def create_app(state: State, recorder: Recorder) -> FastAPI:
    """Everything but kube-scheduler's verbs (`front.py`); nothing is started by making it."""
    app = FastAPI(title="Berth extender", version=__version__, docs_url="/docs", redoc_url=None)
    add_health(app, state)
    add_metrics(app, state, recorder)
    add_views(app, state, recorder)
    return app


def add_health(app: FastAPI, state: State) -> None:
    """Liveness and readiness."""

    @app.get("/healthz", tags=["health"])
    async def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"])
    async def readyz(response: Response) -> dict[str, object]:
        """Ready whenever it can answer, also with models down; `degraded` says what is missing. 503 while it ends."""
        response.status_code = 503 if state.draining else 200
        return readiness(state)


def add_metrics(app: FastAPI, state: State, recorder: Recorder) -> None:
    """What Prometheus reads."""

    async def metrics(_: Request) -> Response:
        await recorder.accounted()  # who was answered before is counted
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
        await recorder.accounted()
        return state_of(state, recorder)

    @app.get("/v1/report", tags=["decisions"])
    async def v1_report() -> dict[str, object]:
        """This replica's recent decisions, summed up."""
        await recorder.caught_up()
        return report(recorder)

    @app.get("/v1/decisions", tags=["decisions"])
    async def v1_decisions(limit: int = Query(50, ge=1, le=1000, description="newest first")) -> Response:
        """This replica's newest decisions."""
        await recorder.caught_up()
        return Response(b"[" + b",".join(recorder.recent.newest(limit)) + b"]", media_type=JSON)

    @app.get("/v1/decisions/{uid}", tags=["decisions"])
    async def v1_decision(uid: str) -> Response:
        """The newest decision for a pod, by its uid or its name, made by any replica."""
        found = await recorder.find(uid)
        if found is None:
            raise HTTPException(404, "no decision for this pod is kept")
        return Response(encode(found), media_type=JSON)
