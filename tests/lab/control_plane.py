"""etcd, kube-apiserver and kube-controller-manager on free loopback ports, with a data folder of their own.

with ControlPlane(binary(), folder) as plane:
    plane.create([node("n1")])
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cli.ports import free_ports
from tests.lab.api import Api, ApiError
from tests.lab.credentials import Credentials
from tests.lab.process import LabError, LabProcess

CONTROLLERS = "*,-node-lifecycle-controller,-taint-eviction-controller,-node-ipam-controller,-node-route-controller"
"""No kubelet beats here: a node would be marked not ready after 40 s."""
OF_VOLUMES_AND_CLAIMS = "persistentvolume-binder-controller,resourceclaim-controller"
"""All that scheduling itself waits for."""
FEW_COLLECTIONS = {"GOGC": "400"}
"""Go collects when the heap has grown fivefold, not twofold, which takes a quarter off the API server's processor
time. For tests: what is measured or used by people runs as Kubernetes is released."""
AS_RELEASED: Mapping[str, str] = {}


class ControlPlane:
    """A context manager. `api` talks to it, `kubeconfig` lets others do so. environment: added to its processes'.
    controllers: those that run."""

    def __init__(
        self,
        program: Path,
        folder: Path,
        *,
        authorization: str = "AlwaysAllow",
        environment: Mapping[str, str] = FEW_COLLECTIONS,
        controllers: str = CONTROLLERS,
    ) -> None:
        self.program, self.folder, self.authorization = program, folder, authorization
        self.environment, self.controllers = environment, controllers
        self.credentials = Credentials.make(folder / "credentials")
        self.etcd_port, self.peer_port, self.port, self.manager_port = free_ports(4)
        self.kubeconfig = self.credentials.kubeconfig(self.port)
        self.running = ExitStack()
        self.processes: list[LabProcess] = []

    @property
    def pids(self) -> list[int]:
        """Of its own processes."""
        return [process.pid for process in self.processes]

    def __enter__(self) -> Self:
        try:
            self._start_etcd()
            self._start_api_server()
            self._start_controllers()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything, the store last."""
        self.running.close()

    def start(self, component: str, *flags: str, name: str = "") -> LabProcess:
        """Run a component of the lab's binary, logging below the folder; the caller ends it."""
        return self.process([str(self.program), component, *flags], name or component)

    def process(self, command: Sequence[str], name: str, stdout: int | None = None) -> LabProcess:
        """Run a command in the control plane's environment, logging below the folder; the caller ends it."""
        log = self.folder / "logs" / f"{name}.log"
        return LabProcess(command, log, environment=self.environment, stdout=stdout)

    def _keep(self, process: LabProcess) -> LabProcess:
        self.processes.append(self.running.enter_context(process))
        return process

    def _start_etcd(self) -> None:
        client, peer = (f"http://127.0.0.1:{port}" for port in (self.etcd_port, self.peer_port))
        flags = {
            "data-dir": str(self.folder / "etcd"),
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
            "unsafe-no-fsync": "true",
            "log-level": "error",
        }
        self._keep(self.start("etcd", *as_flags(flags)))

    def _start_api_server(self) -> None:
        self.api_server = self._keep(self._api_server_process())
        self.api_server.wait(self.credentials.authority_key.exists, "kube-apiserver")  # after the whole certificate
        self.api = Api(self.port, self.credentials.authority, self.credentials.token)
        self.running.callback(self.api.close)
        self.api_server.wait(self.answers, "kube-apiserver")

    def restart_api_server(self, away_s: float = 0.0) -> None:
        """Kill it, and start it again after a while; returns when it is ready."""
        self.api_server.popen.kill()
        self.api_server.popen.wait()
        time.sleep(away_s)
        self.api_server = self._keep(self._api_server_process())
        self.api_server.wait(self.answers, "kube-apiserver")

    def _api_server_process(self) -> LabProcess:
        key = str(self.credentials.service_accounts)
        flags = {
            "etcd-servers": f"http://127.0.0.1:{self.etcd_port}",
            "bind-address": "127.0.0.1",
            "advertise-address": "127.0.0.1",
            "secure-port": str(self.port),
            "cert-dir": str(self.credentials.folder),
            "authorization-mode": self.authorization,
            "token-auth-file": str(self.credentials.tokens),
            "disable-admission-plugins": "ServiceAccount,TaintNodesByCondition",  # no kubelet takes the taint off
            "service-account-issuer": "https://lab.berth.dev",
            "service-account-key-file": key,
            "service-account-signing-key-file": key,
            "service-cluster-ip-range": "10.96.0.0/16",
            "endpoint-reconciler-type": "none",
            "max-requests-inflight": "3000",
            "max-mutating-requests-inflight": "1000",
            "delete-collection-workers": "32",  # one by one, thousands of pods take long
        }
        return self.start("kube-apiserver", *as_flags(flags))

    def answers(self) -> bool:
        """Whether the API server is ready and its default namespace is there."""
        try:
            self.api.get("/readyz")
            self.api.get("/api/v1/namespaces/default")
        except ApiError:
            return False
        return True

    def _start_controllers(self) -> None:
        flags = {
            "kubeconfig": str(self.kubeconfig),
            "authentication-kubeconfig": str(self.kubeconfig),
            "authorization-kubeconfig": str(self.kubeconfig),
            "bind-address": "127.0.0.1",
            "secure-port": str(self.manager_port),
            "tls-cert-file": str(self.credentials.authority),
            "tls-private-key-file": str(self.credentials.authority_key),
            "controllers": self.controllers,
            "leader-elect": "false",
            "kube-api-qps": "500",
            "kube-api-burst": "1000",
        }
        self._keep(self.start("kube-controller-manager", *as_flags(flags)))

    def create(self, objects: Iterable[Mapping[str, Any]]) -> None:
        """Nodes and pods, several at once. Raises LabError for the first that is refused."""
        lines = b"".join(json.dumps(one).encode() + b"\n" for one in objects)
        self._run("create", lines)

    def delete_pods(self, selector: str = "") -> None:
        """Pods of every namespace that a label selector names (all without one); returns when none is left."""
        self._run("delete-pods", b"", f"--selector={selector}")

    def delete_nodes(self) -> None:
        """Every node."""
        self.api.call("DELETE", "/api/v1/nodes", {})

    def _run(self, task: str, lines: bytes, *flags: str) -> None:
        command = [str(self.program), task, f"--kubeconfig={self.kubeconfig}", *flags]
        done = subprocess.run(command, input=lines, capture_output=True, timeout=300.0)
        if done.returncode:
            raise LabError(f"{task}: {done.stderr.decode('utf-8', 'replace')[-500:]}")


def as_flags(flags: Mapping[str, str]) -> list[str]:
    """--name=value of each."""
    return [f"--{name}={value}" for name, value in flags.items()]
