"""A Docker engine of the tests' own: its data, its socket and its containers lie in one folder and go with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Self

PROGRAMS = ("dockerd", "containerd", "runc", "iptables", "docker")
START_S = 60.0
STOP_S = 60.0


class EngineError(Exception):
    """No engine starts here; the message holds the end of its log."""


class CommandError(AssertionError):
    """A command failed; the message holds the end of what it said."""


def lacking() -> str:
    """Why no engine can be started here, in words; '' where one may."""
    if os.geteuid() != 0:
        return "a Docker engine of our own needs root"
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    return f"not installed: {', '.join(missing)}" if missing else ""


def compose_command() -> tuple[str, ...]:
    """Compose as a plugin, or as Debian's program of its own; () without either."""
    if subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0:
        return ("docker", "compose")
    return ("docker-compose",) if shutil.which("docker-compose") else ()


class Engine:
    """dockerd over `folder`, until closed. Raises EngineError."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "dockerd.log"
        self.host = f"unix://{folder / 'docker.sock'}"
        self.bridged = Path("/sys/class/net/docker0").exists()
        places = ("--data-root", folder / "data", "--exec-root", folder / "exec", "--pidfile", folder / "dockerd.pid")
        with self.log.open("wb") as log:
            command = ["dockerd", "--host", self.host, *map(str, places)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            self.wait()
        except EngineError:
            self.close()
            raise

    def wait(self) -> None:
        """Returns when it answers. Raises EngineError."""
        end = time.monotonic() + START_S
        while subprocess.run(["docker", "info"], env=self.environment, capture_output=True).returncode:
            if self.process.poll() is not None or time.monotonic() > end:
                raise EngineError(self.log.read_text("utf-8", "replace")[-600:])
            time.sleep(0.5)

    @property
    def environment(self) -> dict[str, str]:
        """For a client of this engine."""
        return os.environ | {"DOCKER_HOST": self.host}

    def docker(self, *arguments: str, timeout: float = 120.0) -> str:
        """Output of a command. Raises CommandError."""
        return output(["docker", *arguments], self.environment, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends it and takes away what it has made."""
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for mounted in reversed(mounts_below(self.folder)):
            subprocess.run(["umount", "--lazy", mounted], capture_output=True)
        if not self.bridged and shutil.which("ip"):
            subprocess.run(["ip", "link", "delete", "docker0"], capture_output=True)
        subprocess.run(["rm", "-rf", "--one-file-system", str(self.folder)], capture_output=True)  # 300,000 files


def mounts_below(folder: Path) -> list[str]:
    """Mount points in the order of their making."""
    points = [line.split()[1] for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    return [point for point in points if point.startswith(f"{folder}/")]


def output(command: list[str], environment: dict[str, str], timeout: float) -> str:
    """What a command prints. Raises CommandError."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout)
    if done.returncode:
        raise CommandError(f"{' '.join(command)}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout.strip()
