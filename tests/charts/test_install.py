"""Charts installed, upgraded, rolled back and uninstalled by real helm, into a real API server that checks rights, in
a namespace where Pod Security Standard "restricted" is enforced."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.calls import until
from tests.charts.conftest import INSTALLED
from tests.charts.helm import Helm, Object, every_case, named
from tests.lab.api import ApiError
from tests.lab.control_plane import ControlPlane

GROUPS = {
    "v1": "/api/v1",
    **{
        group: f"/apis/{group}"
        for group in (
            "apps/v1",
            "policy/v1",
            "autoscaling/v2",
            "networking.k8s.io/v1",
            "rbac.authorization.k8s.io/v1",
            "monitoring.coreos.com/v1",
            "cert-manager.io/v1",
            "serving.kserve.io/v1beta1",
        )
    },
}
PLURAL = {"NetworkPolicy": "networkpolicies"}
WIDE = ("ClusterRole", "ClusterRoleBinding")
KSERVE_CASES = {"raw", "serverless", "kserve"}


def needs_kserve(case: tuple[str, Path]) -> bool:
    """Whether InferenceServices are in it."""
    return case[1].name.removesuffix("-values.yaml") in KSERVE_CASES


CASES = every_case()
WITH_HELM_4 = [case for case in CASES if case[0] == "mesh"]
"""All charts are in it."""


def path_of(one: Object, namespace: str) -> str:
    """Where the API server has an object."""
    kind, meta = one["kind"], one["metadata"]
    plural = PLURAL.get(kind, kind.lower() + "s")
    inside = "" if kind in WIDE else f"/namespaces/{meta.get('namespace', namespace)}"
    return f"{GROUPS[one['apiVersion']]}{inside}/{plural}/{meta['name']}"


@pytest.fixture
def namespace(request: pytest.FixtureRequest, cluster: ControlPlane) -> Iterator[str]:
    """A new one that admits restricted pods alone."""
    name = f"case-{abs(hash(request.node.name)) % 10**8}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.api.create("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
    yield name
    cluster.delete_pods()
    cluster.api.delete(f"/api/v1/namespaces/{name}")


@pytest.mark.long
@pytest.mark.parametrize("case", CASES, ids=named)
def test_a_chart_comes_and_goes(
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
    helm: Helm,
    cluster: ControlPlane,
    namespace: str,
    case: tuple[str, Path],
) -> None:
    if needs_kserve(case):
        request.getfixturevalue("inference_services")
    record_property(INSTALLED, come_and_gone(helm, cluster, namespace, case))


@pytest.mark.long
@pytest.mark.usefixtures("inference_services")
@pytest.mark.parametrize("case", WITH_HELM_4, ids=named)
def test_a_chart_comes_and_goes_by_helm_4(
    record_property: Callable[[str, object], None],
    helm_4: Helm,
    cluster: ControlPlane,
    namespace: str,
    case: tuple[str, Path],
) -> None:
    helm_4("lint", "--strict", case[0], "--values", case[1])
    record_property(INSTALLED, f"{come_and_gone(helm_4, cluster, namespace, case)}, by helm 4")


def come_and_gone(helm: Helm, cluster: ControlPlane, namespace: str, case: tuple[str, Path]) -> str:
    """What of a chart was installed, upgraded, rolled back and uninstalled."""
    chart, values = case
    do = Installed(helm, cluster, chart, namespace)
    assert "NOTES:" in do("install", "berth", chart, "--values", values)
    objects = [one for one in helm.rendered(chart, "--values", values, namespace=namespace) if one["kind"] != "Pod"]
    for one in objects:
        cluster.api.get(path_of(one, namespace))
    for one in objects:
        if one["kind"] == "Deployment":
            until(functools.partial(do.pods_are_made, one["metadata"]["name"]), 30.0)
    assert do.refused_pods() == []
    label = "example.com/upgraded"
    do(
        "upgrade",
        "berth",
        chart,
        "--values",
        values,
        "--set-string",
        f"{labelled(chart)}podLabels.example\\.com/upgraded=yes",
    )
    assert do.labelled(label)
    do("rollback", "berth", "1")
    assert not do.labelled(label)
    do("uninstall", "berth")
    kinds = Counter(one["kind"] for one in objects)
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    assert [one for one in objects if do.is_there(one)] == [one for one in objects if kept(one)]
    return f"{named(case):32} installed, upgraded, rolled back, uninstalled: {told}"


def labelled(chart: str) -> str:
    """Where `podLabels` is."""
    return "extender." if chart == "mesh" else ""


def kept(one: Object) -> bool:
    """Whether uninstalling leaves it."""
    return bool(one["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep")


class Installed:
    """One release. Call it to run helm against the cluster."""

    def __init__(self, helm: Helm, cluster: ControlPlane, chart: str, namespace: str) -> None:
        self.helm, self.cluster, self.chart, self.namespace = helm, cluster, chart, namespace

    def __call__(self, *arguments: str | Path) -> str:
        return self.helm(*arguments, "--namespace", self.namespace, kubeconfig=self.cluster.kubeconfig)

    def deployments(self) -> list[Any]:
        """As the API server has them."""
        items: list[Any] = self.cluster.api.get(f"/apis/apps/v1/namespaces/{self.namespace}/deployments")["items"]
        return items

    def pods_are_made(self, deployment: str) -> bool:
        """Whether the controllers have made as many pods as it wants."""
        (one,) = (one for one in self.deployments() if one["metadata"]["name"] == deployment)
        return bool(one.get("status", {}).get("replicas") == one["spec"]["replicas"])

    def refused_pods(self) -> list[str]:
        """What admission said against pods."""
        found = []
        for one in self.cluster.api.get(f"/apis/apps/v1/namespaces/{self.namespace}/replicasets")["items"]:
            conditions = one.get("status", {}).get("conditions", [])
            found += [each["message"] for each in conditions if each["type"] == "ReplicaFailure"]
        return found

    def labelled(self, label: str) -> bool:
        """Whether an upgrade's label is at a pod template, or where KServe takes it from."""
        path = f"/apis/serving.kserve.io/v1beta1/namespaces/{self.namespace}/inferenceservices"
        try:
            services = self.cluster.api.get(path)["items"]
        except ApiError:
            services = []
        given = [one["spec"]["template"]["metadata"].get("labels", {}) for one in self.deployments()]
        given += [one["spec"]["predictor"].get("labels", {}) for one in services]
        return any(label in labels for labels in given)

    def is_there(self, one: Object) -> bool:
        """Whether the API server still has an object that is not on its way out."""
        try:
            found = self.cluster.api.get(path_of(one, self.namespace))
        except ApiError as error:
            if error.status != 404:
                raise
            return False
        return "deletionTimestamp" not in found["metadata"]


def test_restricted_is_enforced(cluster: ControlPlane, namespace: str) -> None:
    pod = {"metadata": {"name": "root"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    with pytest.raises(ApiError, match="violates PodSecurity"):
        cluster.api.create(f"/api/v1/namespaces/{namespace}/pods", pod)
