"""Others' Go modules at test time: their files, and programs built from them as they are."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.lab.build import Program, built, go


@dataclass(frozen=True)
class Module:
    """A Go module. digest: its hash, as in a go.sum."""

    name: str
    version: str
    digest: str


def unpacked(module: Module) -> Path:
    """Its folder in Go's cache; another content than was reviewed is refused."""
    command = [go(), "mod", "download", "-json", f"{module.name}@{module.version}"]
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "", "GONOSUMDB": "*"}  # the digest here is checked
    done = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True)
    told = json.loads(done.stdout)
    assert not told.get("Error"), told["Error"]
    assert told["Sum"] == module.digest, f"{module.name}: {told['Sum']}"
    return Path(told["Dir"])


def program(module: Module, package: str, name: str) -> Path:
    """Path of a command of a module, under this name, built with the versions that the module names. Raises
    BuildError."""
    return built(Program(name, unpacked(module), package=package))


HELM_4 = Module("helm.sh/helm/v4", "v4.3.1", "h1:UndCoLe9UPmNoL7IvWzaUXveL7T5t/ijoorEmgJdI9g=")


def helm_4() -> Path:
    """helm 4: 3 minutes on 2 cores from empty caches. Raises BuildError."""
    return program(HELM_4, "./cmd/helm", "helm-4")
