"""Names in Redis. `{…}` is a hash tag: keys that are switched together live in one slot of a Redis Cluster."""

from __future__ import annotations

SNAPSHOT_CURRENT = "berth:{snapshot}:current"
"""Version of the newest snapshot, ASCII decimal."""
SNAPSHOT_CHANNEL = "berth:snapshot"
"""Pub/sub: each message is a version that has just become current."""
SNAPSHOT_FENCE = "berth:{snapshot}:fence"
"""Highest fence that has published: a smaller one is refused."""
SNAPSHOT_TTL_S = 3600

INFLIGHT_STREAM = "berth:{inflight}"
"""Stream of tentative placements, so that replicas count each other's. Field `r`: the replica; `p`: a JSON array, see
`extender/inflight.py`."""
DECISIONS_STREAM = "berth:{decisions}"
"""Stream of decision records, field `d`: JSON of berth.decisions.record.Decision."""
OVERRIDE = "berth:{override}"
"""JSON of the audited override (mode, rollout, weights), read by every replica within a second."""
OVERRIDE_AUDIT = "berth:{override}:audit"
"""Stream of who set which override when."""


def snapshot(version: int) -> str:
    """Key of one snapshot."""
    return f"berth:{{snapshot}}:v{version}"


def delta(version: int) -> str:
    """Key of what differs from the snapshot before; not there where much does."""
    return f"berth:{{snapshot}}:d{version}"


def scores(model: str, model_version: str, snapshot_id: str, pod_class: str = "") -> str:
    """Key of one model's scores of all nodes of a snapshot."""
    return f"berth:{{scores:{model}}}:{model_version}:{snapshot_id}:{pod_class}"
