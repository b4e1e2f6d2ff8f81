"""Prometheus itself, from Debian's package, unpacked without root and kept below `.prometheus`.

`python -m tests.prometheus.program` fetches it and prints where it is.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".prometheus"
PROGRAM = CACHE / "root" / "usr" / "bin" / "prometheus"


class FetchError(Exception):
    """The package could not be had; the message holds the end of what apt said."""


def prometheus() -> Path:
    """Path of the server, fetched where it is not there yet; promtool lies beside it. Raises FetchError."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "lock").open("w") as lock:  # two test runs fetch once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not PROGRAM.exists():
            fetch()
    return PROGRAM


def fetch() -> None:
    """Download and unpack, in folders of our own: the machine's package state is not touched. Raises FetchError."""
    print("fetching Prometheus, 19 MB", file=sys.stderr, flush=True)
    if not shutil.which("apt-get"):
        raise FetchError("this machine has no apt-get")
    package = downloaded() or downloaded(refresh=True)
    if package is None:
        raise FetchError("apt-get has no package 'prometheus', and its lists could not be refreshed")
    fresh = CACHE / "root.new"
    shutil.rmtree(fresh, ignore_errors=True)
    run(["dpkg-deb", "-x", str(package), str(fresh)])
    package.unlink()
    shutil.rmtree(CACHE / "root", ignore_errors=True)
    fresh.rename(CACHE / "root")


def downloaded(refresh: bool = False) -> Path | None:
    """The package, None where apt knows of none. refresh: read the package lists first, into a folder of our own."""
    options = ["-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User="]
    if refresh:
        lists, caches = CACHE / "lists", CACHE / "caches"
        for folder in (lists / "partial", caches / "archives" / "partial"):
            folder.mkdir(parents=True, exist_ok=True)
        options += ["-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={caches}"]
        run(["apt-get", "--quiet", *options, "update"])
    done = subprocess.run(
        ["apt-get", "--quiet", *options, "download", "prometheus"], cwd=CACHE, capture_output=True, text=True
    )
    return next(CACHE.glob("prometheus_*.deb"), None) if done.returncode == 0 else None


def run(command: list[str]) -> None:
    """Raises FetchError."""
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    if done.returncode:
        raise FetchError(f"{command[0]}: {done.stderr[-1000:]}")


if __name__ == "__main__":
    print(prometheus())
