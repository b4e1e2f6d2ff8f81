"""Certificates that change while an extender runs, as a Secret's files do."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import grpc
import pytest

from tests.calls import Caller, Replay, until
from tests.extender.certificates import Certificates, score
from tests.extender.replica import Replica, replica

pytestmark = pytest.mark.mesh

SHOWN = {"CERT": "server", "KEY": "server-key", "CLIENT_CA": "ca"}


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path).make()


def put(certificates: Certificates, authority: str, what: str, text: str = "") -> None:
    """The extender's file is this authority's, or holds a text; there at once, as a whole."""
    fresh = certificates.folder / "fresh"
    fresh.write_bytes(text.encode() or certificates.of(authority, what).read_bytes())
    os.replace(fresh, certificates.of("shown", what))


def reloads(running: Replica, result: str) -> float:
    """Changes of the files."""
    return running.caller.metrics("berth_certificate_reloads_total").get((result,), 0.0)


def reached(running: Replica, context: ssl.SSLContext) -> bool:
    """Whether a new connection is answered."""
    caller = Caller(running.port, context=context)
    try:
        return caller.call("GET", "/healthz").status == 200
    except OSError:
        return False
    finally:
        caller.close()


def test_new_connections_see_new_certificates_and_open_ones_go_on(replay: Replay, certificates: Certificates) -> None:
    for what in SHOWN.values():
        put(certificates, "ours", what)
    settings = {f"SERVER__TLS_{field}": str(certificates.of("shown", what)) for field, what in SHOWN.items()}
    ours, theirs = certificates.context("ours"), certificates.context("theirs")
    with replica(replay.mesh, settings, context=ours) as running:
        assert reached(running, ours)
        assert not reached(running, theirs)

        put(certificates, "theirs", "server")  # without its key: half of a change
        until(lambda: reloads(running, "refused") == 1.0)
        assert reached(running, ours)

        put(certificates, "theirs", "server-key")
        put(certificates, "theirs", "ca")
        until(lambda: reached(running, theirs))
        assert not reached(running, ours)
        assert score(running.grpc_port, certificates.credentials("theirs", "theirs"), replay.names[:10]).scores
        for refused in (certificates.credentials("ours", "ours"), certificates.credentials("theirs", "ours")):
            with pytest.raises(grpc.RpcError) as error:
                score(running.grpc_port, refused, replay.names[:10])
            assert error.value.code() == grpc.StatusCode.UNAVAILABLE
        assert reloads(running, "taken") in (1.0, 2.0)  # over the connection of before, by one look or two

        put(certificates, "", "server", "nothing of the kind")
        until(lambda: reloads(running, "refused") == 2.0)
        certificates.of("shown", "server-key").unlink()
        assert reached(running, theirs)
        put(certificates, "theirs", "server")
        put(certificates, "theirs", "server-key")
        until(lambda: reached(running, theirs))
