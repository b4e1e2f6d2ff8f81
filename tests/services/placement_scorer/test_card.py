from __future__ import annotations

import hashlib
import json

from services.placement_scorer import card
from services.placement_scorer.model import ARTIFACT, FILE
from services.placement_scorer.policies import BASELINE

LIMIT = 2 * 1024 * 1024


def test_the_page_is_made_from_the_card() -> None:
    stored = json.loads((ARTIFACT / card.CARD).read_text("utf-8"))
    assert (ARTIFACT / card.PAGE).read_text("utf-8") == card.render(stored)


def test_the_card_names_the_artifact() -> None:
    stored = json.loads((ARTIFACT / card.CARD).read_text("utf-8"))
    assert stored["files"] == {FILE: hashlib.sha256((ARTIFACT / FILE).read_bytes()).hexdigest()}


def test_the_card_claims_to_beat_the_named_baseline_on_unseen_data() -> None:
    report = json.loads((ARTIFACT / card.CARD).read_text("utf-8"))["report"]
    assert report["split"] == "test"
    for figures in report["mixes"].values():
        assert figures["placement-scorer"]["reward"] > figures[BASELINE]["reward"]


def test_the_artifact_is_small() -> None:
    assert sum(path.stat().st_size for path in ARTIFACT.iterdir()) < LIMIT
