"""What the extender recorded and counted, read between the timed phases."""

from __future__ import annotations

import re
import time
from collections.abc import Collection

import msgspec

from berth.decisions.record import Decision
from cli.endpoint import call

PATIENCE_S = 5.0
"""Records are written off the request path: the last ones may be a moment late."""
LIMIT = 1000
"""Largest page of /v1/decisions, and records that an extender keeps by default."""
SCORED = ("fresh", "memory", "redis")
"""Outcomes that are scores of the newest snapshot."""
FALLBACK_STEPS = ("aged-snapshot", "older-scores", "partial", "neutral")
"""Steps below scores of the newest snapshot from all three models."""

decoder = msgspec.json.Decoder(list[Decision])


def decisions(url: str, uids: Collection[str]) -> dict[str, Decision]:
    """The records of these pods, by uid; those that do not come are missing. Raises UnreachableError."""
    end = time.monotonic() + PATIENCE_S
    while True:
        _, raw = call("GET", f"{url}/v1/decisions?limit={LIMIT}")
        found = {d.pod_uid: d for d in decoder.decode(raw) if d.pod_uid in uids}
        if len(found) == len(uids) or time.monotonic() > end:
            return found
        time.sleep(0.05)


def fallbacks(url: str) -> dict[str, int]:
    """Counted answers by fallback step, since the extender's start. Raises UnreachableError."""
    _, raw = call("GET", f"{url}/metrics")
    counted = re.findall(r'^berth_fallback_total\{step="([a-z-]+)"\} (\S+)', raw.decode(), re.MULTILINE)
    return {step: int(float(value)) for step, value in counted if step in FALLBACK_STEPS}


def scored_by_all(decision: Decision | None) -> bool:
    """Whether all three models' scores of the newest snapshot were used."""
    return decision is not None and len(decision.models) == 3 and all(p.outcome in SCORED for p in decision.models)


def is_cold(decision: Decision) -> bool:
    """Whether a model had to be asked for this pod."""
    return any(part.outcome == "fresh" for part in decision.models)
