"""helm as a user runs it, and what it renders."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.lab.build import ROOT, SOURCE, Program, kubernetes_version

CHARTS = ROOT / "charts"
NAMES = ("extender", "model-service", "telemetry", "mesh")
VERSION = kubernetes_version(Program("lab", SOURCE))

Object = dict[str, Any]


class HelmError(Exception):
    """helm refused; the message is its own."""


@dataclass(frozen=True)
class Helm:
    """helm over charts whose dependencies lie beside them. program: its binary; folder: of the charts; home: where helm
    keeps what it likes."""

    program: Path
    folder: Path
    home: Path

    def __call__(self, *arguments: str | Path, kubeconfig: Path | None = None) -> str:
        """What it prints. Raises HelmError."""
        environment = {**os.environ, "HELM_CACHE_HOME": str(self.home), "HELM_CONFIG_HOME": str(self.home)}
        environment |= {"HELM_DATA_HOME": str(self.home), "KUBECONFIG": str(kubeconfig or "/dev/null")}
        done = subprocess.run(
            [str(self.program), *map(str, arguments)], cwd=self.folder, env=environment, capture_output=True, text=True
        )
        if done.returncode:
            raise HelmError(done.stdout + done.stderr)
        return done.stdout

    def rendered(self, chart: str, *arguments: str | Path, namespace: str = "berth-system") -> list[Object]:
        """Objects of release `berth`, its tests too."""
        text = self("template", "berth", chart, "-n", namespace, "--kube-version", VERSION, *arguments)
        return [one for one in yaml.safe_load_all(text) if one]


def ready(home: Path, program: Path) -> Helm:
    """Over a copy of the charts below `home`, each with its dependencies packed into it."""
    copied = home / "charts"
    shutil.copytree(CHARTS, copied, ignore=shutil.ignore_patterns("__pycache__", "schema"))
    helm = Helm(program, copied, home / "home")
    for chart in NAMES:
        helm("dependency", "update", chart)
    return helm


def cases(chart: str) -> list[Path]:
    """A chart's example values."""
    return sorted((CHARTS / chart / "ci").glob("*-values.yaml"))


def every_case() -> list[tuple[str, Path]]:
    """Of all charts."""
    return [(chart, values) for chart in NAMES for values in cases(chart)]


def named(case: tuple[str, Path]) -> str:
    """A test's name for it."""
    return f"{case[0]}-{case[1].name.removesuffix('-values.yaml')}"


def find(objects: list[Object], kind: str, name: str) -> Object:
    """The one object of this kind and name."""
    (found,) = (one for one in objects if one["kind"] == kind and one["metadata"]["name"] == name)
    return found


def settings_of(objects: list[Object]) -> list[str]:
    """Settings files in ConfigMaps."""
    return [one["data"]["berth.yaml"] for one in objects if one["kind"] == "ConfigMap" and "berth.yaml" in one["data"]]
