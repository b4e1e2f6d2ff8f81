"""One running tiny service for the protocol tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.serving.running import Service, running

TINY = "tests.services.serving.tiny_service"


@pytest.fixture(scope="package")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a card."""
    folder = tmp_path_factory.mktemp("artifact")
    (folder / "card.json").write_text("{}")
    return folder


@pytest.fixture(scope="package")
def tiny(artifact: Path) -> Iterator[Service]:
    """Shared by tests that leave it as it was."""
    with running(TINY, "tiny", "tiny", artifact=artifact, max_queue=4, max_message_mib=8) as service:
        yield service
