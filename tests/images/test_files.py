"""Dockerfiles, constraints and docker-compose.yml fit together; no engine is needed to see it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(path.parent for path in [*ROOT.glob("*/Dockerfile"), *ROOT.glob("services/*/Dockerfile")])
LEARNING = {"torch", "kserve", "xgboost-cpu", "scikit-learn", "onnxruntime", "pandas"}
WITHOUT = ("extender", "telemetry")


def pins(name: str) -> set[str]:
    """'numpy==2.4.6' and so on, of a constraints file."""
    return set(
        re.findall(r"^([\w.-]+==[\w.]+)", (ROOT / "constraints" / f"{name}.txt").read_text("utf-8"), re.MULTILINE)
    )


def deployable(folder: Path) -> str:
    """'services/load_predictor' is 'load-predictor'."""
    return folder.name.replace("_", "-")


def project() -> dict[str, Any]:
    """docker-compose.yml."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return found


def test_there_are_five() -> None:
    assert len(FOLDERS) == 5


@pytest.mark.parametrize("folder", FOLDERS, ids=deployable)
def test_a_deployable_is_pinned_to_what_was_tested_and_composed(folder: Path) -> None:
    name = deployable(folder)
    assert pins(name) <= pins("development")
    if name in WITHOUT:
        assert {pin.split("==")[0] for pin in pins(name)}.isdisjoint(LEARNING)
    assert project()["services"][name]["build"]["dockerfile"] == str((folder / "Dockerfile").relative_to(ROOT))


@pytest.mark.parametrize("folder", FOLDERS, ids=deployable)
def test_a_dockerfile_ends_as_nobody_and_hands_signals_on(folder: Path) -> None:
    lines = (folder / "Dockerfile").read_text("utf-8").splitlines()
    assert lines.count("FROM ${BASE} AS build") == lines.count("FROM ${BASE}") == 1
    last = lines[lines.index("FROM ${BASE}") :]
    assert "USER 65532:65532" in last
    (entry,) = [line.removeprefix("ENTRYPOINT ") for line in last if line.startswith("ENTRYPOINT ")]
    assert json.loads(entry) == ["/venv/bin/python", "-m", ".".join(folder.relative_to(ROOT).parts)]


def test_every_service_is_bounded_and_open_on_this_machine_alone() -> None:
    for name, service in project()["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["mem_limit"], name
        assert service["cpus"] <= 1.0, name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
