"""A model's folder is checked before it is loaded: what card.json records must be what lies there."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from services.serving.errors import StartError

CARD = "card.json"


def verify(folder: Path, digest: str = "") -> None:
    """Checks the files of `card.json`'s "files" ({name: sha256 in hex}) where it has that key, and the card itself
    where its digest is given: with it nothing of the model can be another than was reviewed.

    Raises StartError for a missing folder, card or file, an unreadable card, another digest.
    """
    if not folder.is_dir():
        raise StartError(f"artifact {folder}: no such folder")
    if digest:
        verify_card(folder, digest)
    for name, recorded in recorded_files(folder).items():
        path = folder / name
        if not path.is_file():
            raise StartError(f"artifact {path}: missing, {CARD} names it")
        actual = hashlib.sha256(path.read_bytes()).hexdigest()
        if actual != recorded:
            raise StartError(f"artifact {path}: sha256 {actual[:12]}, {CARD} records {str(recorded)[:12]}")


def verify_card(folder: Path, digest: str) -> None:
    """The card must be the one with this digest, and must hold digests itself. Raises StartError."""
    if not recorded_files(folder):
        raise StartError(f"artifact {folder / CARD}: records no files, so artifact_digest says nothing of them")
    actual = hashlib.sha256((folder / CARD).read_bytes()).hexdigest()
    if actual != digest:
        raise StartError(f"artifact {folder / CARD}: sha256 {actual[:12]}, artifact_digest wants {digest[:12]}")


def verify_version(folder: Path, version: str) -> None:
    """The loaded model's version, a digest of its files, must be the card's "version" where that is given.

    Raises StartError.
    """
    recorded = read_card(folder).get("version", version)
    if recorded != version:
        raise StartError(f"artifact {folder}: version {version}, {CARD} describes {recorded}")


def recorded_files(folder: Path) -> dict[str, str]:
    """Digests that the card records; {} where it records none. Raises StartError."""
    files = read_card(folder).get("files", {})
    if not isinstance(files, dict):
        raise StartError(f"artifact {folder / CARD}: 'files' must map names to sha256")
    return files


def read_card(folder: Path) -> dict[str, Any]:
    """The card's content. Raises StartError."""
    try:
        card = json.loads((folder / CARD).read_text("utf-8"))
    except OSError as error:
        raise StartError(f"artifact {folder / CARD}: {error.strerror}") from error
    except ValueError as error:
        raise StartError(f"artifact {folder / CARD}: not valid JSON") from error
    if not isinstance(card, dict):
        raise StartError(f"artifact {folder / CARD}: a JSON object is expected")
    return card
