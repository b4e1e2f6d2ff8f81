"""TLS between the real kube-scheduler and the extender: who is let in, and that nobody's pods wait for it."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest

from tests.calls import Replay
from tests.extender.certificates import Certificates, score
from tests.extender.replica import Replica, replica
from tests.lab.control_plane import ControlPlane
from tests.lab.objects import pod
from tests.lab.placing import Placed, place
from tests.lab.scheduler import Config, Scheduler, example

PODS = 5


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates")).make()


@pytest.fixture(scope="module")
def secured(recorded: Replay, certificates: Certificates) -> Iterator[Replica]:
    """An extender that asks its callers for certificates."""
    files = {"CERT": ("ours", "server"), "KEY": ("ours", "server-key"), "CLIENT_CA": ("ours", "ca")}
    settings = {f"SERVER__TLS_{field}": str(certificates.of(*file)) for field, file in files.items()}
    with replica(recorded.mesh, settings, context=certificates.context()) as running:
        yield running


def over_tls(secured: Replica, certificates: Certificates, authority: str, client: str) -> Config:
    """The documented second scheduler over TLS, trusting an authority, with a client certificate of one or ''."""
    config = example("second-scheduler", f"https://127.0.0.1:{secured.port}/scheduler")
    tls = {"caFile": str(certificates.of(authority, "ca"))}
    if client:
        tls["certFile"] = str(certificates.of(client, "client"))
        tls["keyFile"] = str(certificates.of(client, "client-key"))
    config["extenders"][0] |= {"enableHTTPS": True, "tlsConfig": tls}
    return config


def run(plane: ControlPlane, config: Config) -> Placed:
    """A few pods through a scheduler of their own: all are bound."""
    with Scheduler(plane, config):
        return place(plane, [pod(f"tls-{i}", cpu=f"{i + 1}00m") for i in range(PODS)])


def answered(secured: Replica) -> float:
    """Answers of any kind to kube-scheduler's verbs."""
    return sum(secured.caller.metrics("berth_answers_total").values())


def test_with_a_certificate_of_the_right_authority_pods_are_scored(
    plane: ControlPlane, secured: Replica, certificates: Certificates
) -> None:
    before = answered(secured)
    placed = run(plane, over_tls(secured, certificates, "ours", "ours"))
    assert answered(secured) == before + 2 * PODS
    for bind in placed.values():
        assert secured.caller.decision(bind.uid)["top"][0]["score"] == 10


@pytest.mark.parametrize(
    ("authority", "client"),
    [
        pytest.param("ours", "theirs", id="client certificate of another authority"),
        pytest.param("ours", "", id="no client certificate"),
        pytest.param("theirs", "ours", id="extender certificate of another authority"),
    ],
)
def test_who_is_not_trusted_is_refused_and_pods_are_bound_all_the_same(
    plane: ControlPlane, secured: Replica, certificates: Certificates, authority: str, client: str
) -> None:
    unscored(plane, secured, over_tls(secured, certificates, authority, client))


def test_plain_http_is_refused_and_pods_are_bound_all_the_same(plane: ControlPlane, secured: Replica) -> None:
    unscored(plane, secured, example("second-scheduler", f"http://127.0.0.1:{secured.port}/scheduler"))


def unscored(plane: ControlPlane, secured: Replica, config: Config) -> None:
    """Pods are bound, and the extender has answered nobody."""
    before = answered(secured)
    placed = run(plane, config)
    assert answered(secured) == before
    for bind in placed.values():
        assert secured.caller.call("GET", f"/v1/decisions/{bind.uid}").status == 404


def test_the_grpc_door_asks_for_the_same_certificates(
    plane: ControlPlane, recorded: Replay, secured: Replica, certificates: Certificates
) -> None:
    names = recorded.names[:50]
    assert max(score(secured.grpc_port, certificates.credentials("ours", "ours"), names).scores) == 10
    for refused in (certificates.credentials("ours", "theirs"), certificates.credentials("ours", ""), None):
        with pytest.raises(grpc.RpcError) as error:
            score(secured.grpc_port, refused, names)
        assert error.value.code() == grpc.StatusCode.UNAVAILABLE
