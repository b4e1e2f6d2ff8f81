"""The extender's life: build, start, serve, drain, stop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import grpc
import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter

from berth.access import Gate
from berth.ending import ended
from berth.guarded import Guarded
from berth.rotation import Certificates
from berth.tls import Tls, load_tls
from extender import background
from extender.app import create_app
from extender.door import PlacementDoor
from extender.drain import DrainingServer
from extender.front import Front
from extender.health import keep_health
from extender.heap import fill_small_arrays, keep_large_apart, reserve
from extender.metrics import Metrics
from extender.protocol import VerbProtocol
from extender.records import Recorder
from extender.settings import ExtenderSettings, Server
from extender.snapshot import Watcher
from extender.state import State
from extender.transport import credentials, held, shown
from extender.verbs import Verbs
from extender.watchdog import Watchdog
from protos.berth.v1 import placement_pb2_grpc

log = logging.getLogger("extender")

GRACE_S = 8
"""Given to calls that are under way at the end."""
CLOSE_S = 3.0
"""Given to connections to the models and to Redis."""
SERVER = "extender.server"
"""Where the settings of its doors are."""
START_FAILED = 3
"""Exit code, as uvicorn's own."""
AGAIN_S = 1.0
RESERVED_MIB = 12
"""For small objects: between a quiet and the busiest moment at 5,000 nodes lie about 6."""

Work = Callable[[], Coroutine[Any, Any, None]]


class Extender:
    """All of one replica. `path` is the settings file to watch, if any. Raises InvalidSettings where TLS files cannot
    be used."""

    def __init__(self, settings: ExtenderSettings, path: Path | None = None) -> None:
        self.settings, self.path = settings, path
        tls = load_tls(settings.server, SERVER)
        self.metrics = Metrics(CollectorRegistry())
        self.certificates = certificates_of(settings.server, tls, self.metrics) if tls else None
        self.held = held(settings.models)
        self.state = State(settings, self.metrics)
        self.recorder = Recorder(settings.records, self.state.store, self.metrics)
        self.verbs = Verbs(self.state, self.recorder)
        self.watcher = Watcher(self.state.store, self.metrics, settings.snapshot.poll_s, self.state.take_snapshot)
        self.watchdog = Watchdog(settings.watchdog.stall_s)

    def app(self) -> Front:
        """The HTTP application, which runs the background work while it lives."""
        app = create_app(self.state, self.recorder)
        app.router.lifespan_context = self.running
        gate = Gate(lambda: self.state.settings.access, certified=bool(self.settings.server.tls_client_ca))
        guarded = Guarded(app, gate, time.monotonic, lambda code: self.metrics.refused.labels(str(code)).inc())
        return Front(guarded, self.state, self.verbs)

    @contextlib.asynccontextmanager
    async def running(self, _: FastAPI) -> AsyncIterator[None]:
        """Background work and the gRPC door, ended in order."""
        for client in self.state.clients.values():
            client.connect(credentials(self.held))
        tasks = [
            asyncio.create_task(keep_going(name, work, self.metrics.defects), name=name)
            for name, work in self._work().items()
        ]
        server = grpc.aio.server()
        placement_pb2_grpc.add_PlacementServicer_to_server(PlacementDoor(self.state, self.verbs), server)  # type: ignore[no-untyped-call]
        where = self.settings.server
        address = f"{where.host}:{where.grpc_port}"
        if self.certificates:
            server.add_secure_port(address, shown(self.certificates))
        else:
            server.add_insecure_port(address)
        await server.start()
        self.watchdog.start()
        keep_large_apart()
        fill_small_arrays()
        self.reserved = reserve(RESERVED_MIB)
        spare_the_collector()
        log.info(
            "listening on %s:%d, gRPC %d, %s, mode %s",
            where.host,
            where.port,
            where.grpc_port,
            "TLS" if self.certificates else "plain",
            self.settings.mode,
        )
        try:
            yield
        finally:
            self.watchdog.stop()
            await server.stop(grace=2.0)
            await self._end(tasks)

    def _work(self) -> dict[str, Work]:
        work: dict[str, Work] = {
            "snapshot": self.watcher.run,
            "records": self.recorder.run,
            "records-send": self.recorder.send,
            "override": functools.partial(background.keep_override, self.state),
            "expiry": functools.partial(background.expire_placements, self.state),
            "inflight": self.state.sharing.run,
            "heartbeat": self.watchdog.beat,
        }
        for name, client in self.state.clients.items():
            work[name] = functools.partial(background.keep_models, self.state, client)
        if self.settings.server.health_port:
            work["health"] = functools.partial(keep_health, self.state, self.settings.server)
        if self.certificates:
            work["certificates"] = self.certificates.keep
        if self.held:
            work["model-certificates"] = functools.partial(background.keep_credentials, self.state, self.held)
        if self.path is not None:
            work["settings"] = functools.partial(background.watch_settings, self.state, self.path)
        return work

    async def _end(self, tasks: list[asyncio.Task[None]]) -> None:
        await self.recorder.delivered()
        await ended(tasks)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await asyncio.gather(*(client.close() for client in self.state.clients.values()))
                await self.state.store.close()
        self.recorder.close()

    def serve(self) -> None:
        """Serve until SIGTERM or SIGINT, drain, then answer what is under way."""
        where, certificates = self.settings.server, self.certificates
        config = uvicorn.Config(
            self.app(),
            host=where.host,
            port=where.port,
            loop="uvloop",
            http=VerbProtocol,
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # nobody's word about who is calling is taken
            server_header=False,
            date_header=False,
            timeout_keep_alive=where.keep_alive_s,
            timeout_graceful_shutdown=GRACE_S,
            ssl_context_factory=(lambda *_: certificates.http) if certificates else None,
        )
        server = DrainingServer(config, where.drain_s, self.state.drain)
        server.run()
        if not server.started:
            raise SystemExit(START_FAILED)


def certificates_of(server: Server, tls: Tls, metrics: Metrics) -> Certificates:
    """What is renewed while it runs, with what is told of it."""
    return Certificates(server, SERVER, tls, metrics.certificate_reloads, metrics.certificate_expires)


def spare_the_collector() -> None:
    """What is alive now stays alive: leave it out of collections, and collect less often. A full collection over
    everything stops the loop for 40 ms."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


async def keep_going(name: str, work: Work, defects: Counter) -> None:
    """Background work never ends the process and never stays ended: a defect is logged and counted, and the work
    starts anew."""
    while True:
        try:
            await work()
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("background work '%s' has ended; starting it again in %.0f s", name, AGAIN_S)
            defects.labels(name).inc()
        await asyncio.sleep(AGAIN_S)
