"""A door for the kubelet: `/healthz` and `/readyz` over plain HTTP on a port of their own.

A kubelet shows no certificate. Where callers must show one (`server.tls_client_ca`), its probes would be refused at the
other door, and Kubernetes would end an extender that is well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from extender.app import add_health
from extender.settings import Server
from extender.state import State


class Quiet(uvicorn.Server):
    """A server that leaves signals to the process's own."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None."""
        yield


async def keep_health(state: State, where: Server) -> None:
    """Serve until cancelled. Ends the process, as the other doors do, where the port is taken."""
    app = FastAPI(openapi_url=None)
    add_health(app, state)
    config = uvicorn.Config(
        app,
        host=where.host,
        port=where.health_port,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
    )
    server = Quiet(config)
    serving = asyncio.create_task(server.serve(), name="health-door")
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving
