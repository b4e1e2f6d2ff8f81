"""helm, and charts that are ready for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.calls import Replay
from tests.charts import kserve, modules
from tests.charts.crds import CERT_MANAGER, KSERVE, PROMETHEUS_OPERATOR, apply
from tests.charts.helm import Helm, ready
from tests.lab.berth import berth
from tests.lab.build import HELM, NETPOLICY, binary, tool
from tests.lab.control_plane import ControlPlane

BUILT: dict[str, Callable[[], Path]] = {
    "helm": partial(tool, HELM),
    "helm_4": modules.helm_4,
    "netpolicy": partial(tool, NETPOLICY),
    "kserve": kserve.controller,
}
"""What fixtures need built before."""
INSTALLED = "installed"
"""Name of what a test tells of one example of a chart."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever needs a program built from Go modules is of the lab's tier."""
    for item in items:
        if {"helm", "helm_4"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.lab)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build before any test's time begins, and let the builder say so."""
    capture = session.config.pluginmanager.getplugin("capturemanager")
    wanted = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    if capture and not session.config.option.collectonly:
        with capture.global_and_fixture_disabled():
            for fixture, make in BUILT.items():
                if fixture in wanted:
                    make()


@pytest.fixture(scope="package")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Over charts that are ready for it."""
    return ready(tmp_path_factory.mktemp("helm"), tool(HELM))


@pytest.fixture(scope="package")
def helm_4(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """helm 4 over the same charts."""
    return ready(tmp_path_factory.mktemp("helm-4"), modules.helm_4())


@pytest.fixture(scope="package")
def netpolicy() -> Path:
    """np-guard's analyzer of NetworkPolicies."""
    return tool(NETPOLICY)


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane that checks rights and knows what cert-manager and the Prometheus operator define."""
    with ControlPlane(binary(), tmp_path_factory.mktemp("charts-plane"), authorization="RBAC") as plane:
        for module in (CERT_MANAGER, PROMETHEUS_OPERATOR):
            apply(plane.api, module)
        yield plane


@pytest.fixture(scope="package")
def inference_services(cluster: ControlPlane) -> None:
    """KServe's definitions, for those who need them."""
    apply(cluster.api, KSERVE)


@pytest.fixture(scope="package")
def nearby(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    """Berth over a few recorded nodes."""
    with berth(tmp_path_factory.mktemp("berth"), 20) as replay:
        yield replay


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was installed for real, and what is rendered and not run."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    told = [value for report in reports for name, value in report.user_properties if name == INSTALLED]
    if told:
        terminalreporter.section("charts in the lab's API server, by real helm")
        for line in told:
            terminalreporter.write_line(str(line))
        terminalreporter.write_line("not run: `helm test` pods and every image, as no kubelet is there")
