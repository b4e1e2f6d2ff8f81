"""Models that are called over TLS, both sides showing a certificate, while certificates are renewed under load."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Event, Thread

import grpc
import pytest

from tests.calls import MODELS, Replay, pod, until, variable
from tests.extender.certificates import Certificates
from tests.extender.replica import Replica, replica
from tests.services.serving.running import Service, running

pytestmark = [pytest.mark.mesh, pytest.mark.long]

SERVER = {"tls_cert": "server", "tls_key": "server-key", "tls_client_ca": "ca"}
CALLER = {"TLS_CA": "ca", "TLS_CERT": "client", "TLS_KEY": "client-key"}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Those of two authorities, and `shown`: the files in use, ours until the last test renews them."""
    made = Certificates(tmp_path_factory.mktemp("certificates")).make()
    show(made, "ours")
    return made


def show(certificates: Certificates, authority: str) -> None:
    """The files in use are another authority's, each there at once."""
    for what in {*SERVER.values(), *CALLER.values()}:
        fresh = certificates.folder / "fresh"
        fresh.write_bytes(certificates.of(authority, what).read_bytes())
        os.replace(fresh, certificates.of("shown", what))


@pytest.fixture(scope="module")
def models(certificates: Certificates) -> Iterator[dict[str, Service]]:
    """The three, behind TLS."""
    files = {field: certificates.of("shown", what) for field, what in SERVER.items()}
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(running(f"services.{section}", section, name, **files))
            for name in MODELS
            for section in (name.replace("-", "_"),)
        }


def settings(certificates: Certificates, models: dict[str, Service], shown: str = "shown") -> dict[str, str]:
    """Of an extender that calls them."""
    files = {f"MODELS__{field}": str(certificates.of(shown, what)) for field, what in CALLER.items()}
    return files | {variable(name, "TARGET"): f"127.0.0.1:{service.grpc_port}" for name, service in models.items()}


def fallbacks(running: Replica) -> dict[str, float]:
    """Decisions by step of the ladder."""
    return {step: count for (step,), count in running.caller.metrics("berth_fallback_total").items()}


def test_a_stranger_s_certificate_and_plain_grpc_are_refused(
    certificates: Certificates, models: dict[str, Service]
) -> None:
    port = models["placement-scorer"].grpc_port
    for credentials in (
        certificates.credentials("ours", "theirs"),
        certificates.credentials("ours", ""),
        certificates.credentials("theirs", "ours"),
        None,
    ):
        with channel(port, credentials) as made, pytest.raises(grpc.FutureTimeoutError):
            grpc.channel_ready_future(made).result(timeout=1.0)
    with channel(port, certificates.credentials("ours", "ours")) as made:
        grpc.channel_ready_future(made).result(timeout=5.0)


def channel(port: int, credentials: grpc.ChannelCredentials | None) -> grpc.Channel:
    """To a model."""
    address = f"127.0.0.1:{port}"
    return grpc.secure_channel(address, credentials) if credentials else grpc.insecure_channel(address)


def test_an_extender_that_does_not_trust_the_models_answers_neutrally(
    replay: Replay, certificates: Certificates, models: dict[str, Service]
) -> None:
    with replica(replay.mesh, settings(certificates, models, "theirs"), degraded=True) as extender:
        answer = extender.caller.filter(pod("untrusted"), replay.names[:10])
        assert answer.json["NodeNames"] == replay.names[:10]
        assert extender.caller.get("/readyz")["status"] != "ok"


def test_calls_go_on_over_mutual_tls_while_certificates_are_renewed(
    replay: Replay, certificates: Certificates, models: dict[str, Service]
) -> None:
    with replica(replay.mesh, settings(certificates, models)) as extender:
        done = Event()
        asked: list[int] = []

        def load() -> None:
            while not done.is_set():
                uid = f"tls-{len(asked)}"
                answer = extender.caller.prioritize(pod(uid, cpu=f"{1 + len(asked) % 40}00m"), replay.names[:50])
                asked.append(answer.status)
                done.wait(0.02)

        caller = Thread(target=load)
        caller.start()
        try:
            until(lambda: len(asked) > 20, 30.0)
            show(certificates, "theirs")
            for service in models.values():
                until(lambda service=service: renewed(service), 30.0)
            known = len(asked)
            until(lambda: len(asked) > known + 100, 60.0)
        finally:
            done.set()
            caller.join()
        assert set(asked) == {200}
        replay.publish()
        until(lambda: ready(extender), 30.0)
        before = fallbacks(extender)
        answer = extender.caller.prioritize(pod("tls-after", cpu="3777m"), replay.names[:50])
        after = fallbacks(extender)
        assert answer.status == 200
        assert after["fresh"] + after["cached"] == before["fresh"] + before["cached"] + 1


def renewed(service: Service) -> bool:
    """Whether a model service has taken the new files."""
    return 'berth_certificate_reloads_total{result="taken"} ' in service.http.get("/metrics").text


def ready(extender: Replica) -> bool:
    """Whether nothing is missing."""
    return bool(extender.caller.get("/readyz")["status"] == "ok")
