"""Redis over TLS: snapshots and scores come through it, and an extender that does not trust it answers neutrally."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from tests.calls import Replay, pod, scores_of
from tests.extender.replica import replica
from tests.relay import relayed

pytestmark = pytest.mark.mesh


@contextmanager
def encrypted(port: int, context: ssl.SSLContext) -> Iterator[int]:
    """A TLS door before a port of loopback: the embedded Valkey itself speaks none."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await relayed(str(port), (reader, writer))

    async def opened() -> asyncio.Server:
        return await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)

    async def closed(server: asyncio.Server) -> None:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    server = asyncio.run_coroutine_threadsafe(opened(), loop).result(10.0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        asyncio.run_coroutine_threadsafe(closed(server), loop).result(10.0)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def door(replay: Replay, tmp_path: Path) -> Iterator[str]:
    """URL of the mesh's Redis behind TLS, whose callers show a certificate; files are below `tmp_path`."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    caller = authority.issue_cert("extender")
    caller.private_key_pem.write_to_path(str(tmp_path / "tls.key"))
    caller.cert_chain_pems[0].write_to_path(str(tmp_path / "tls.crt"))
    with encrypted(urlsplit(replay.mesh.redis_url).port or 0, context) as port:
        yield f"rediss://127.0.0.1:{port}/0"


def shown(folder: Path, authority: str = "ca.crt") -> str:
    """What a URL says of certificates."""
    return f"ssl_ca_certs={folder / authority}&ssl_certfile={folder / 'tls.crt'}&ssl_keyfile={folder / 'tls.key'}"


def test_snapshots_and_scores_come_over_mutual_tls(replay: Replay, door: str, tmp_path: Path) -> None:
    with replica(replay.mesh, {"REDIS__URL": f"{door}?{shown(tmp_path)}"}) as running:
        assert running.caller.get("/v1/state")["snapshot"]["version"] == replay.version()
        assert max(scores_of(running.caller.prioritize(pod("over-tls"), replay.names[:30])).values()) == 10


@pytest.mark.parametrize("untrusted", ["other.crt", pytest.param("nothing shown", marks=pytest.mark.long)])
def test_without_trust_nothing_is_read_and_pods_are_answered_neutrally(
    replay: Replay, door: str, tmp_path: Path, untrusted: str
) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.crt"))
    given = f"ssl_ca_certs={tmp_path / 'ca.crt'}" if untrusted == "nothing shown" else shown(tmp_path, untrusted)
    with replica(replay.mesh, {"REDIS__URL": f"{door}?{given}"}, degraded=True) as running:
        names = replay.names[:30]
        assert set(scores_of(running.caller.prioritize(pod("distrusted"), names)).values()) == {0}
        state = running.caller.get("/v1/state")
        assert state["degraded"]
        assert str(tmp_path) not in str(state)
