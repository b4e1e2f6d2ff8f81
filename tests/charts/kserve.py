"""KServe's own controller, built from its module, over the lab's API server.

Its webhook server listens on every address, so it runs in a network namespace of its own.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trustme
import yaml

from tests.charts.crds import KSERVE
from tests.charts.modules import program, unpacked
from tests.lab.control_plane import ControlPlane
from tests.lab.process import LabProcess

RELAY = [sys.executable, "-m", "tests.relay"]


def controller() -> Path:
    """Its binary; 6 minutes on 2 cores from empty caches. Raises BuildError."""
    return program(KSERVE, "./cmd/manager", "kserve")


def namespaces() -> list[str] | None:
    """What a command begins with to run in a network namespace of its own; nothing where a user may make none."""
    unshare = shutil.which("unshare")
    if not unshare or subprocess.run([unshare, "-Urn", "true"], capture_output=True).returncode:
        return None
    return [unshare, "-Urn"]


def settings() -> dict[str, object]:
    """KServe's own configuration as its module has it, without Knative and without a gateway before it."""
    path = unpacked(KSERVE) / "config" / "configmap" / "inferenceservice.yaml"
    config: dict[str, object] = yaml.safe_load(path.read_text("utf-8"))
    data = config["data"]
    assert isinstance(data, dict)
    data["deploy"] = json.dumps({"defaultDeploymentMode": "RawDeployment"})
    data["ingress"] = json.dumps({**json.loads(data["ingress"]), "disableIngressCreation": True})
    return config


@contextmanager
def reconciling(cluster: ControlPlane, apart: list[str], folder: Path) -> Iterator[LabProcess]:
    """The controller over a cluster that knows KServe's definitions. apart: of `namespaces`."""
    cluster.api.create("/api/v1/namespaces", {"metadata": {"name": "kserve"}})
    cluster.api.create("/api/v1/namespaces/kserve/configmaps", settings())
    certificates = folder / "k8s-webhook-server" / "serving-certs"
    certificates.mkdir(parents=True)
    issued = trustme.CA().issue_cert("localhost")
    issued.private_key_pem.write_to_path(str(certificates / "tls.key"))
    issued.cert_chain_pems[0].write_to_path(str(certificates / "tls.crt"))
    door, port = str(folder / "api"), str(cluster.port)
    flags = ["--metrics-addr=127.0.0.1:8080", "--health-probe-addr=127.0.0.1:8081"]
    inside = [*apart, *RELAY, port, door, "--", str(controller()), *flags]
    environment = {"KUBECONFIG": str(cluster.kubeconfig), "TMPDIR": str(folder)}
    with (
        LabProcess([*RELAY, door, port], folder / "relay.log"),
        LabProcess(inside, folder / "kserve.log", environment=environment) as process,
    ):
        yield process
