"""Files of a history's root that are there as a whole or not at all; on a disk, or in an object store (fsspec)."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import fsspec
from fsspec.implementations.local import LocalFileSystem

from services.telemetry.history.errors import HistoryError, UnknownRootError

REASONS = {
    errno.ENOSPC: "no-space",
    errno.EDQUOT: "no-space",
    errno.EFBIG: "no-space",
    errno.EACCES: "refused",
    errno.EPERM: "refused",
    errno.EROFS: "refused",
}


@dataclass(frozen=True)
class File:
    """size: bytes."""

    path: str
    size: int

    @property
    def name(self) -> str:
        """Without folder and ending."""
        return self.path.rsplit("/", 1)[-1].rsplit(".", 1)[0]


class Files:
    """Below one root. Blocking: called from a worker thread. Raises HistoryError, and UnknownRootError when made."""

    def __init__(self, url: str) -> None:
        try:
            self.system, self.root = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError) as error:
            scheme = url.partition(":")[0]
            raise UnknownRootError(f"nothing that is installed can write to {scheme}: URLs") from error
        self.local = isinstance(self.system, LocalFileSystem)

    def put(self, path: str, data: bytes) -> None:
        """A new file, or the same again. Where it fails nothing has changed."""
        try:
            if self.local:
                put_locally(Path(self.root, path), data)
            else:
                self.system.pipe_file(f"{self.root}/{path}", data)  # visible when it is whole
        except OSError as error:
            raise failed(path, "written", error) from error

    def get(self, path: str) -> bytes:
        """What a file holds."""
        try:
            return bytes(self.system.cat_file(f"{self.root}/{path}"))
        except OSError as error:
            raise failed(path, "read", error) from error

    @contextlib.contextmanager
    def opened(self, path: str) -> Iterator[BinaryIO]:
        """To read a part of it. Raises OSError."""
        with self.system.open(f"{self.root}/{path}", "rb") as file:
            yield file

    def listed(self, folder: str) -> list[File]:
        """Files of a folder, by name; none where it is not there."""
        found = [one for one in self._details(folder) if one["type"] == "file" and not hidden(one["name"])]
        files = [File(f"{folder}/{one['name'].rsplit('/', 1)[-1]}", int(one["size"] or 0)) for one in found]
        return sorted(files, key=lambda file: file.path)

    def folders(self, folder: str) -> list[str]:
        """Names of the folders in one, sorted."""
        found = [one["name"].rstrip("/") for one in self._details(folder) if one["type"] == "directory"]
        return sorted(name.rsplit("/", 1)[-1] for name in found)

    def _details(self, folder: str) -> list[dict[str, str]]:
        self.system.invalidate_cache()
        try:
            return list(self.system.ls(f"{self.root}/{folder}", detail=True))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise failed(folder, "listed", error) from error

    def remove(self, path: str) -> None:
        """A file or a folder; whether it was there does not matter."""
        try:
            self.system.rm(f"{self.root}/{path}", recursive=True)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise failed(path, "removed", error) from error


def put_locally(target: Path, data: bytes) -> None:
    """Written beside, forced to the disk, then given its name. Raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with fresh.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise


def hidden(path: str) -> bool:
    """Being written, or left by a process that was killed while it wrote."""
    return path.rsplit("/", 1)[-1].startswith(".")


def failed(path: str, what: str, error: OSError) -> HistoryError:
    """For people, without the machine's paths."""
    reason = REASONS.get(error.errno or 0, "unusable")
    return HistoryError(f"history: {path} cannot be {what}: {error.strerror or type(error).__name__}", reason)
