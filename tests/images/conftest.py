"""One engine, one build and one running project for all tests of the images."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.images.composed import ROOT, Composed
from tests.images.engine import Engine, EngineError, compose_command, lacking

BUILD_S = 1500.0
FIRST_S = 1800
"""The first test waits for the engine and the build."""
NODES = "300"
AGE_S = "5"
"""Connections to the models are this old at most, so that a replica that is added is found soon."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever uses the engine is of the images' tier, and may have to wait for the build."""
    for item in items:
        if "engine" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.images)
            item.add_marker(pytest.mark.timeout(FIRST_S))


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A private engine. Skips where none can start, and says why."""
    if why := lacking() or ("" if compose_command() else "not installed: docker-compose"):
        pytest.skip(why)
    try:
        started = Engine(tmp_path_factory.mktemp("engine"))
    except EngineError as error:
        pytest.skip(f"no Docker engine starts here: {error}")
    with started:
        yield started


@pytest.fixture(scope="session")
def built(engine: Engine, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """All images; the file that tells docker-compose.yml of them. What is built and how large it is, is shown."""
    file: Path = tmp_path_factory.mktemp("images") / "environment"
    told = engine.environment | {"ENVIRONMENT": str(file)}
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        command = ["make", "--no-print-directory", "images", f"PYTHON={sys.executable}"]
        subprocess.run(command, cwd=ROOT, env=told, check=True, timeout=BUILD_S)
    return file


@pytest.fixture(scope="session")
def composed(engine: Engine, built: Path) -> Iterator[Composed]:
    """The running mesh, one of each. Leave it well."""
    project = Composed(engine, built, BERTH_NODES=NODES, BERTH_CONNECTION_AGE=AGE_S)
    try:
        project.up()
        yield project
    finally:
        project.close()
