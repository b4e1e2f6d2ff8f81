"""Who reads decisions with a token of the cluster's own accounts: a real API server under RBAC says."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.calls import Replay
from tests.charts.helm import Helm
from tests.extender.replica import Replica, replica
from tests.lab.control_plane import ControlPlane
from tests.lab.credentials import private

pytestmark = pytest.mark.long

NAMESPACE = "berth-reviews"
GROUP = "rbac.authorization.k8s.io"
BINDINGS = f"/apis/{GROUP}/v1/clusterrolebindings"


@pytest.fixture(scope="module")
def installed(helm: Helm, cluster: ControlPlane) -> Iterator[ControlPlane]:
    """The extender's chart, which lets the API server be asked, and two accounts of people's."""
    cluster.api.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    with_reviews = ("-n", NAMESPACE, "--set", "access.tokenReview=true")
    helm("install", "berth", "extender", *with_reviews, kubeconfig=cluster.kubeconfig)
    for account in ("reader", "stranger"):
        cluster.api.create(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", {"metadata": {"name": account}})
    subject = {"kind": "ServiceAccount", "name": "reader", "namespace": NAMESPACE}
    role = {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": f"{NAMESPACE}-berth-extender-reader",
    }
    binding = {"metadata": {"name": "people-read-berth"}, "roleRef": role, "subjects": [subject]}
    cluster.api.create(BINDINGS, binding)
    yield cluster
    cluster.api.delete(f"{BINDINGS}/people-read-berth")
    helm("uninstall", "berth", "-n", NAMESPACE, kubeconfig=cluster.kubeconfig)
    cluster.api.delete(f"/api/v1/namespaces/{NAMESPACE}")


def settings(plane: ControlPlane, port: int, folder: Path) -> dict[str, str]:
    """An extender that asks this API server, as the account of its chart, and opens to nobody else."""
    account = folder / "account"
    private(account, plane.api.token_of(NAMESPACE, "berth-extender"))
    review = {
        "ENABLED": "true",
        "SERVER": f"https://127.0.0.1:{port}",
        "TOKEN_FILE": str(account),
        "CA_FILE": str(plane.credentials.authority),
    }
    return {"ACCESS__OPEN_TO": "[]", **{f"ACCESS__REVIEW__{name}": value for name, value in review.items()}}


def status(running: Replica, path: str, token: str) -> int:
    """What the extender answers to who shows this token."""
    return running.caller.call("GET", path, headers={"Authorization": f"Bearer {token}"}).status


def test_accounts_with_the_readers_role_read_and_all_others_are_told_why_not(
    installed: ControlPlane, nearby: Replay, tmp_path: Path
) -> None:
    reader, stranger = (installed.api.token_of(NAMESPACE, name) for name in ("reader", "stranger"))
    with replica(nearby.mesh, settings(installed, installed.port, tmp_path), degraded=True) as running:
        for path in ("/metrics", "/v1/state", "/v1/decisions"):
            assert status(running, path, reader) == 200, path
            assert status(running, path, stranger) == 403, path
            assert status(running, path, stranger[:-4] + "AAAA") == 401, path
        assert status(running, "/docs", reader) == 403
        assert running.caller.call("GET", "/v1/state").status == 401
        told = running.caller.call("GET", "/v1/state", headers={"Authorization": f"Bearer {stranger}"})
        assert stranger not in told.body.decode()


def test_who_was_let_in_stays_so_for_a_while_when_nobody_can_be_asked_and_nobody_else_is(
    installed: ControlPlane, nearby: Replay, tmp_path: Path
) -> None:
    reader, stranger = (installed.api.token_of(NAMESPACE, name) for name in ("reader", "stranger"))
    log = tmp_path / "log"
    with replica(nearby.mesh, settings(installed, installed.port, tmp_path), log=log, degraded=True) as running:
        assert status(running, "/v1/state", reader) == 200
        installed.api_server.popen.send_signal(signal.SIGSTOP)
        try:
            assert status(running, "/v1/state", reader) == 200
            assert status(running, "/v1/state", stranger) == 503
            assert running.caller.call("GET", "/healthz").status == 200
        finally:
            installed.api_server.popen.send_signal(signal.SIGCONT)
        assert status(running, "/v1/state", stranger) == 403
    assert reader not in log.read_text("utf-8")
