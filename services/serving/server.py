"""Both servers of a model in one event loop, from start to drained end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from grpc import aio
from kserve.model_repository import ModelRepository

from berth.rotation import Certificates
from services.serving.addresses import joined, listen
from services.serving.allocator import keep_large_blocks
from services.serving.contract import TensorModel
from services.serving.data_plane import FixedRepository, ModelDataPlane
from services.serving.errors import StartError
from services.serving.kserve_model import ServedModel
from services.serving.rest import build_rest
from services.serving.rpc import build_rpc
from services.serving.settings import ModelServiceSettings
from services.serving.transport import certificates_of, shown

log = logging.getLogger("services.serving")


def run(model: TensorModel, settings: ModelServiceSettings) -> None:
    """Serves until SIGTERM or SIGINT, then drains. Raises StartError. Call it from the main thread, once a
    process: KServe has one application a process."""
    keep_large_blocks()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        if runner.run(serve(model, settings)):
            log.warning("the model still computes; its call is given up")
        logging.shutdown()
        os._exit(0)  # the interpreter would wait for threads, of the model and of gRPC, and for tasks that linger


def loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    """uvloop's loop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop


async def serve(model: TensorModel, settings: ModelServiceSettings) -> bool:
    """Serves until a signal. Returns whether the model's thread still runs. Raises StartError."""
    served = ServedModel(model, settings.max_queue)
    registry = ModelRepository()
    registry.update(served)
    data_plane, repository = ModelDataPlane(registry), FixedRepository(registry)
    rpc = build_rpc(data_plane, repository, settings)
    certificates = certificates_of(settings)
    with listen(settings.host, settings.http_port) as http_socket:
        await start_rpc(rpc, settings.host, settings.grpc_port, certificates)
        looking = asyncio.create_task(certificates.keep()) if certificates else None
        http = http_server(data_plane, repository, settings)
        http_task = asyncio.create_task(http.serve(sockets=[http_socket]))
        announce(served, settings)
        await stopped(http_task)
        await drain(served, settings.drain_seconds)
        http.should_exit = True
        await closed([asyncio.ensure_future(rpc.stop(settings.grace_seconds)), http_task], settings.grace_seconds)
        if looking:
            looking.cancel()
    served.worker.close()
    log.info("%s has ended", served.name)
    return served.worker.busy


class LoopServer(uvicorn.Server):
    """uvicorn without its own signal handlers: both servers end together, and the process with code 0."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to `stopped`."""
        yield


def http_server(data_plane: ModelDataPlane, repository: FixedRepository, settings: ModelServiceSettings) -> LoopServer:
    """uvicorn with KServe's application and configuration, on the host that the settings say."""
    rest = build_rest(data_plane, repository, settings.http_port, settings.max_message_mib * 2**20, settings.access)
    rest.config.host = settings.host  # KServe writes 0.0.0.0; the socket is bound already, this is for logs
    rest.config.access_log = False
    rest.config.timeout_graceful_shutdown = settings.grace_seconds
    return LoopServer(rest.config)


async def start_rpc(rpc: aio.Server, host: str, port: int, certificates: Certificates | None) -> None:
    """Binds and starts the gRPC server. Raises StartError."""
    try:
        if certificates:
            rpc.add_secure_port(joined(host, port), shown(certificates))
        else:
            rpc.add_insecure_port(joined(host, port))
    except RuntimeError as error:
        raise StartError(f"cannot listen on {joined(host, port)}") from error
    await rpc.start()


def announce(served: ServedModel, settings: ModelServiceSettings) -> None:
    """The one line at start."""
    rest, rpc = joined(settings.host, settings.http_port), joined(settings.host, settings.grpc_port)
    log.info("%s %s: REST %s, gRPC %s", served.name, served.signature.version, rest, rpc)


async def stopped(http_task: asyncio.Task[None]) -> None:
    """Returns at SIGTERM or SIGINT, or when the HTTP server has ended by itself."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait({waiting, http_task}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


async def closed(ending: Sequence[asyncio.Future[None]], grace_s: float) -> None:
    """Returns when both servers have closed, or a second after their calls had to."""
    done, late = await asyncio.wait(ending, timeout=grace_s + 1.0)
    for one in done:
        one.result()
    if late:
        log.warning("%d of the two servers did not close in time", len(late))


async def drain(served: ServedModel, seconds: float) -> None:
    """Not ready first, so that callers go elsewhere; calls that still come are answered meanwhile."""
    served.ready = False
    log.info("%s drains", served.name)
    await asyncio.sleep(seconds)
