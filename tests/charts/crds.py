"""Definitions of others' objects, from their published Go modules at test time; none is copied into the repository."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.calls import until
from tests.lab.api import Api
from tests.lab.build import go

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NEEDED = ("certificates", "servicemonitors", "prometheusrules", "inferenceservices")
WATCHED = ("clusterservingruntimes", "inferencegraphs", "servingruntimes", "trainedmodels")
"""What KServe's own controller asks for beside."""


@dataclass(frozen=True)
class Module:
    """A Go module. digest: its hash, as in a go.sum; folder: of the definitions in it."""

    name: str
    version: str
    digest: str
    folder: str


CERT_MANAGER = Module(
    "github.com/cert-manager/cert-manager", "v1.21.2", "h1:UWgoYM+KLNtRlqmoWOKjKBOBUPVHeepQ6/ac3ERJW68=", "deploy/crds"
)
PROMETHEUS_OPERATOR = Module(
    "github.com/prometheus-operator/prometheus-operator",
    "v0.85.0",
    "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
    "example/prometheus-operator-crd",
)
KSERVE = Module(
    "github.com/kserve/kserve", "v0.20.0", "h1:Bs7HxmGV4KFqqptDcWseKv+mwD4YOYHJWcuVgPG2Gug=", "config/crd/full"
)


def unpacked(module: Module) -> Path:
    """Its folder in Go's cache; another content than was reviewed is refused."""
    command = [go(), "mod", "download", "-json", f"{module.name}@{module.version}"]
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "", "GONOSUMDB": "*"}  # the digest here is checked
    done = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True)
    told = json.loads(done.stdout)
    assert not told.get("Error"), told["Error"]
    assert told["Sum"] == module.digest, f"{module.name}: {told['Sum']}"
    return Path(told["Dir"])


def definitions(module: Module) -> Iterator[dict[str, object]]:
    """Those that Berth's charts and KServe's controller use."""
    for path in sorted((unpacked(module) / module.folder).glob("*.yaml")):
        if path.stem.split("_")[-1] in NEEDED + WATCHED:
            yield yaml.safe_load(path.read_text("utf-8"))


def apply(api: Api, module: Module) -> None:
    """Make them known to an API server; returns when it serves them."""
    for one in definitions(module):
        name = api.create(DEFINITIONS, one)["metadata"]["name"]
        until(lambda name=name: established(api.get(f"{DEFINITIONS}/{name}")), 30.0)


def established(definition: dict[str, dict[str, list[dict[str, str]]]]) -> bool:
    """Whether its objects can be made."""
    conditions = definition.get("status", {}).get("conditions") or []
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)
