"""What a list or watch tells of a Pod; requests are tested where calls are decoded (tests/extender/test_wire.py)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from berth.cluster.pods import BoundPod
from berth.cluster.podspec import PodSpecError, read_bound_pod


def read(meta: dict[str, Any] | None = None, spec: dict[str, Any] | None = None, **status: Any) -> BoundPod:
    whole = {"metadata": {"name": "p", "uid": "u", **(meta or {})}, "spec": spec or {}, "status": status}
    return read_bound_pod(json.dumps(whole).encode())


def test_a_bound_pod_counts_until_it_has_ended() -> None:
    assert read(spec={"nodeName": "n"}, phase="Running").counts
    assert read({"deletionTimestamp": "2026-01-01T00:00:00Z"}, {"nodeName": "n"}, phase="Running").counts
    assert not read(spec={"nodeName": "n"}, phase="Succeeded").counts
    assert not read(spec={"nodeName": "n"}, phase="Failed").counts
    assert not read(phase="Pending").counts


def test_when_it_was_created() -> None:
    assert read({"creationTimestamp": "1970-01-01T00:01:00Z"}).created == 60.0
    for odd in (None, "", "yesterday", 7):
        assert read({"creationTimestamp": odd}).created == 0.0


@pytest.mark.parametrize("body", [b"", b"[]", b'{"metadata":7}', b'{"metadata":{},"spec":{"nodeName":7}}'])
def test_anything_else_is_one_error(body: bytes) -> None:
    with pytest.raises(PodSpecError):
        read_bound_pod(body)


def test_an_unreadable_quantity_is_one_too() -> None:
    with pytest.raises(PodSpecError, match="quantity"):
        read(spec={"containers": [{"resources": {"requests": {"cpu": "many"}}}]})
