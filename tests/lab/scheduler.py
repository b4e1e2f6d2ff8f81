"""kube-scheduler with a configuration of the test's."""

from __future__ import annotations

import copy
import http.client
import itertools
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.lab.control_plane import ControlPlane, as_flags
from tests.lab.ports import free_port

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "kube-scheduler"
ATTEMPT = "scheduler_scheduling_attempt_duration_seconds_bucket"

FAILED = {
    "filter": "Skipping extender as it returned error and has ignorable flag set",
    "prioritize": "Failed to run extender's priority function",
}
"""kube-scheduler's words in its log (pkg/scheduler/schedule_one.go)."""

NUMBERS = itertools.count()
"""Name folders and logs: a port may come again."""

Config = dict[str, Any]


def example(name: str, extender_url: str) -> Config:
    """A configuration from the documentation, pointed at an extender."""
    config: Config = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text("utf-8"))
    for extender in config.get("extenders", []):
        extender["urlPrefix"] = extender_url
    return config


def plain(name: str = "default-scheduler") -> Config:
    """kube-scheduler as it is, under any name."""
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "profiles": [{"schedulerName": name}],
    }


def scores_alone(config: Config) -> Config:
    """The same without any score plugin, over every feasible node: what the extenders say decides."""
    made = copy.deepcopy(config)
    made["percentageOfNodesToScore"] = 100
    for profile in made["profiles"]:
        profile["plugins"] = {"score": {"disabled": [{"name": "*"}]}}
    return made


def patient(config: Mapping[str, Any]) -> Config:
    """The same with time for its extenders: what fails then is a connection or an answer, not a busy machine."""
    made: Config = copy.deepcopy(dict(config))
    for extender in made.get("extenders", []):
        extender["httpTimeout"] = "5s"
    return made


class Scheduler:
    """A running kube-scheduler; a context manager. elect: as the configuration says, not at once as the only one.
    kubeconfig: of whom it acts as, the lab's administrator without one."""

    def __init__(
        self,
        plane: ControlPlane,
        config: Mapping[str, Any],
        *,
        name: str = "kube-scheduler",
        elect: bool = False,
        gates: str = "",
        program: Path | None = None,
        kubeconfig: Path | None = None,
    ) -> None:
        kubeconfig = kubeconfig or plane.kubeconfig
        self.port = free_port()
        label = f"{name}-{next(NUMBERS)}"
        folder = plane.folder / label
        folder.mkdir(parents=True)
        path = folder / "config.yaml"
        path.write_text(yaml.safe_dump(reaching(kubeconfig, config, elect)), "utf-8")
        flags = {
            "config": str(path),
            "bind-address": "127.0.0.1",
            "secure-port": str(self.port),
            "tls-cert-file": str(plane.credentials.authority),  # its own keys would take half of its start
            "tls-private-key-file": str(plane.credentials.authority_key),
            "authorization-always-allow-paths": "/metrics,/healthz,/readyz",
            "authentication-kubeconfig": str(kubeconfig),
            "authorization-kubeconfig": str(kubeconfig),
            "vmodule": "schedule_one=5",  # prioritize's failures are told at this level alone
            **({"feature-gates": gates} if gates else {}),
        }
        self.token, self.authority = plane.credentials.token, plane.credentials.authority
        # A program of the caller's is nothing but a kube-scheduler.
        command = [str(program)] if program else [str(plane.program), "kube-scheduler"]
        self.process = plane.process([*command, *as_flags(flags)], label)

    def __enter__(self) -> Scheduler:
        self.process.wait(lambda: self.get("/readyz") == "ok", "kube-scheduler")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it."""
        self.process.close()

    def failed_calls(self) -> dict[str, int]:
        """How often a call of an extender failed, by verb; both were passed over."""
        text = self.process.log.read_text("utf-8", "replace")
        return {verb: text.count(words) for verb, words in FAILED.items()}

    def get(self, path: str) -> str:
        """The body of a page, '' unless it is 200."""
        context = ssl.create_default_context(cafile=str(self.authority))
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=5.0, context=context)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}"})
            reply = connection.getresponse()
            body = reply.read().decode()
            return body if reply.status == 200 else ""
        finally:
            connection.close()

    def attempt_p99_ms(self) -> float:
        """p99 of a scheduling attempt that ended well, ms, interpolated within its bucket; NaN without one."""
        buckets: dict[float, float] = {}
        for family in text_string_to_metric_families(self.get("/metrics")):
            for sample in family.samples:
                if sample.name == ATTEMPT and sample.labels["result"] == "scheduled":
                    bound = float(sample.labels["le"])
                    buckets[bound] = buckets.get(bound, 0.0) + sample.value
        return quantile(buckets, 0.99) * 1000.0


def quantile(buckets: Mapping[float, float], share: float) -> float:
    """Of a histogram's cumulative counts by upper bound, as Prometheus' histogram_quantile does it."""
    whole = buckets.get(float("inf"), 0.0)
    if not whole:
        return float("nan")
    low, below = 0.0, 0.0
    for high, count in sorted(buckets.items()):
        if count >= share * whole:
            return low if high == float("inf") else low + (high - low) * (share * whole - below) / (count - below)
        low, below = high, count
    return low


def reaching(kubeconfig: Path, config: Mapping[str, Any], elect: bool = False) -> Config:
    """The configuration with the lab's API server in it, and limits that do not cap a measurement."""
    made: Config = copy.deepcopy(dict(config))
    made["clientConnection"] = {
        "kubeconfig": str(kubeconfig),
        "contentType": "application/vnd.kubernetes.protobuf",
        "qps": 5000,
        "burst": 5000,
    }
    if not elect:
        made["leaderElection"] = {"leaderElect": False}
    return made
