"""Definitions of others' objects, from their published Go modules at test time; none is copied into the repository."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from tests.calls import until
from tests.charts.modules import Module, unpacked
from tests.lab.api import Api

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NEEDED = ("certificates", "servicemonitors", "prometheusrules", "inferenceservices")
WATCHED = ("clusterservingruntimes", "inferencegraphs", "servingruntimes", "trainedmodels")
"""What KServe's own controller asks for beside."""
CERT_MANAGER = Module(
    "github.com/cert-manager/cert-manager", "v1.21.2", "h1:UWgoYM+KLNtRlqmoWOKjKBOBUPVHeepQ6/ac3ERJW68="
)
PROMETHEUS_OPERATOR = Module(
    "github.com/prometheus-operator/prometheus-operator", "v0.85.0", "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s="
)
KSERVE = Module("github.com/kserve/kserve", "v0.20.0", "h1:Bs7HxmGV4KFqqptDcWseKv+mwD4YOYHJWcuVgPG2Gug=")
FOLDERS = {
    CERT_MANAGER: "deploy/crds",
    PROMETHEUS_OPERATOR: "example/prometheus-operator-crd",
    KSERVE: "config/crd/full",
}
"""Where each has its definitions."""


def definitions(module: Module) -> Iterator[dict[str, object]]:
    """Those that Berth's charts and KServe's controller use."""
    for path in sorted((unpacked(module) / FOLDERS[module]).glob("*.yaml")):
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
