"""What the images are: small, without what builds or learns, run by nobody in particular."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.calls import MODELS
from tests.images.engine import Engine

LIMITS_MB = {"extender": 400, "telemetry": 900, **dict.fromkeys(MODELS, 900)}
ABSENT = {
    **dict.fromkeys(("extender", "telemetry"), ("torch", "kserve", "xgboost", "sklearn", "pandas", "onnxruntime")),
    **dict.fromkeys(MODELS, ("torch", "sklearn")),
}
INSTALLERS = ("pip", "setuptools", "ensurepip", "wheel", "grpc_tools")
TOOLS = ("gcc", "cc", "ld", "as", "make", "go", "git", "pip", "pip3", "curl", "wget")
HARDENED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


@pytest.fixture(params=LIMITS_MB)
def name(request: pytest.FixtureRequest, built: Path) -> str:
    """Each image of our own."""
    return str(request.param)


def inspected(engine: Engine, name: str) -> dict[str, Any]:
    """What the engine knows of an image."""
    found: dict[str, Any] = json.loads(engine.docker("image", "inspect", f"berth-{name}:dev"))[0]
    return found


def python(engine: Engine, name: str, code: str) -> str:
    """What a program prints in a fresh container of the image."""
    run = ("run", "--rm", "--network", "none", *HARDENED, "--entrypoint", "/venv/bin/python")
    return engine.docker(*run, f"berth-{name}:dev", "-c", code)


def test_an_image_is_small(engine: Engine, name: str) -> None:
    assert inspected(engine, name)["Size"] / 1e6 < LIMITS_MB[name]


def test_an_image_says_what_it_is(engine: Engine, name: str) -> None:
    config = inspected(engine, name)["Config"]
    labels = {key.removeprefix("org.opencontainers.image."): value for key, value in config["Labels"].items()}
    assert labels["title"] == f"berth-{name}"
    assert labels["licenses"] == "Apache-2.0"
    assert labels["version"]
    assert labels["description"]
    assert {"revision", "source"} <= set(labels)
    assert config["User"] == "65532:65532"
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert config["Entrypoint"][:2] == ["/venv/bin/python", "-m"]


def test_nothing_that_learns_installs_or_builds_is_in_an_image(engine: Engine, name: str) -> None:
    asked = ((*ABSENT[name], *INSTALLERS), TOOLS)
    code = (
        f"import importlib.util as u, json, shutil; modules, tools = {asked!r};"
        "print(json.dumps([[m for m in modules if u.find_spec(m)], [t for t in tools if shutil.which(t)]]))"
    )
    assert json.loads(python(engine, name, code)) == [[], []]


def test_bad_settings_are_told_and_refused(engine: Engine, name: str) -> None:
    section = name.upper().replace("-", "_")
    run = ("run", "--rm", "--network", "none", *HARDENED, "--env", f"BERTH_{section}__SAIL=1", f"berth-{name}:dev")
    with pytest.raises(AssertionError, match=r": 2\n(?s:.*)no such field"):
        engine.docker(*run)
