"""One control plane for all tests of the lab, and Berth beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.calls import Replay
from tests.lab.berth import berth, populate
from tests.lab.build import binary
from tests.lab.control_plane import AS_RELEASED, FEW_COLLECTIONS, OF_VOLUMES_AND_CLAIMS, ControlPlane
from tests.lab.live import CORES, GIB, MEMORY, NAMES
from tests.lab.objects import LAB, RECORDED, node
from tests.lab.stream import RUNS, table
from tests.prometheus.server import Scraped, scraped

NODES = 200


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever uses the control plane is of the lab's tier."""
    for item in items:
        if "program" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.lab)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build before any test's time begins, and let the builder say so."""
    capture = session.config.pluginmanager.getplugin("capturemanager")
    if capture and not session.config.option.collectonly:
        with capture.global_and_fixture_disabled():
            for module in modules(session.items):
                binary(module)


def modules(items: list[pytest.Item]) -> list[str]:
    """Module files whose binaries these tests need."""
    current = {"go.mod" for item in items if "program" in getattr(item, "fixturenames", ())}
    parameters = [
        item.callspec.params for item in items if isinstance(item, pytest.Function) and hasattr(item, "callspec")
    ]
    older = {str(given["older"]) for given in parameters if "older" in given}
    return [*current, *sorted(older)]


@pytest.fixture(scope="package")
def program() -> Path:
    """The lab's binary."""
    return binary()


@pytest.fixture(scope="package")
def control_plane(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Started once."""
    environment = AS_RELEASED if os.environ.get("BERTH_RESULTS") else FEW_COLLECTIONS
    with ControlPlane(program, tmp_path_factory.mktemp("plane"), environment=environment) as running:
        yield running


@pytest.fixture(scope="package")
def recorded(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    """Berth over NODES recorded nodes, which the API server has too, with what runs on them. Leave it healthy, in
    `active` mode and without disturbances."""
    with berth(tmp_path_factory.mktemp("berth"), NODES) as replay:
        populate(control_plane, replay)
        yield replay


@pytest.fixture(autouse=True)
def fresh_snapshot(request: pytest.FixtureRequest) -> None:
    """Telemetry keeps no pace of its own here, and a snapshot ages after a minute: each test begins with a new one. A
    connection that was idle through others' tests has been ended by the extender."""
    if "recorded" in request.fixturenames:
        replay: Replay = request.getfixturevalue("recorded")
        replay.caller.close()
        replay.publish()


@pytest.fixture
def plane(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The control plane; pods that a test leaves are gone before the next."""
    yield control_plane
    control_plane.delete_pods(f"{LAB}!={RECORDED}")


@pytest.fixture(scope="package")
def second_plane(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Started once, for tests that bring nodes of their own; with few controllers, as all of them follow every pod."""
    folder = tmp_path_factory.mktemp("second-plane")
    with ControlPlane(program, folder, controllers=OF_VOLUMES_AND_CLAIMS) as running:
        yield running


@pytest.fixture
def empty(second_plane: ControlPlane) -> Iterator[ControlPlane]:
    """A control plane without nodes; what a test leaves is gone before the next."""
    yield second_plane
    second_plane.delete_pods()
    second_plane.delete_nodes()


@pytest.fixture
def live_nodes(empty: ControlPlane) -> ControlPlane:
    """Six nodes, one of them without a machine."""
    empty.create(node(name, cpu=str(CORES), memory="32Gi") for name in NAMES)
    empty.create([node("fargate", labels={"type": "virtual-kubelet"})])
    return empty


@pytest.fixture
def exporters(tmp_path: Path) -> Iterator[Scraped]:
    """Their exporters; the last one has none."""
    with scraped(tmp_path, NAMES) as running:
        for i, name in enumerate(NAMES[:-1]):
            running.tell(name, cores=CORES, memory_total=MEMORY, cpu=1.0 + i, memory=(2.0 + i) * GIB)
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What each fault cost the cluster."""
    if RUNS:
        terminalreporter.section("faults in the middle of a stream of pods, with kube-scheduler")
        for line in table(RUNS):
            terminalreporter.write_line(line)
