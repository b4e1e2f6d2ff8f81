"""A FastAPI extender that does nothing, on the extender's own server stack: what calling any such extender costs.

Decodes the list of names, gives it back, and scores 0. `python -m benchmarks.noop --port N`.
"""

from __future__ import annotations

import argparse

import msgspec
import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response


class Arguments(msgspec.Struct):
    """ExtenderArgs, as far as nothing needs them."""

    names: list[str] | None = msgspec.field(default=None, name="NodeNames")


class HostPriority(msgspec.Struct, gc=False):
    """extenderv1.HostPriority."""

    host: str = msgspec.field(name="Host")
    score: int = msgspec.field(name="Score")


decoder = msgspec.json.Decoder(Arguments)
encoder = msgspec.json.Encoder()


async def filter_all(request: Request) -> Response:
    """Every node back."""
    names = decoder.decode(await request.body()).names
    body: dict[str, object] = {"Nodes": None, "NodeNames": names, "FailedNodes": {}, "Error": ""}
    return Response(encoder.encode(body), media_type="application/json")


async def prioritize_none(request: Request) -> Response:
    """Score 0 for every node."""
    names = decoder.decode(await request.body()).names or []
    return Response(encoder.encode([HostPriority(name, 0) for name in names]), media_type="application/json")


def create_app() -> FastAPI:
    """Both verbs, as plain routes."""
    app = FastAPI(docs_url=None, redoc_url=None)
    app.add_route("/scheduler/filter", filter_all, methods=["POST"])
    app.add_route("/scheduler/prioritize", prioritize_none, methods=["POST"])
    return app


def main() -> None:
    """Serve until ended, with the extender's options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.noop", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    port = parser.parse_args().port
    uvicorn.run(
        create_app(),
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=120,
    )


if __name__ == "__main__":
    main()
