"""Bindings that a watch shows are told of once, however often their pods are listed and change."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry, Counter

from berth.cluster.pods import BoundPod
from services.telemetry.live.copies import Copies
from tests.lab.objects import pod

BOUND = "2026-11-26T10:00:00Z"
CONDITION = {"type": "PodScheduled", "status": "True", "lastTransitionTime": BOUND}


def raw(name: str, node: str = "", **status: Any) -> msgspec.Raw:
    """A pod as the API server shows it."""
    shown = pod(name, meta={"uid": f"uid-{name}"}, **({"nodeName": node} if node else {}))
    return msgspec.Raw(json.dumps({**shown, "status": {"conditions": [CONDITION] if node else [], **status}}).encode())


@pytest.fixture
def copies() -> Copies:
    return Copies(Counter("unreadable", "of a test", ["kind"], registry=CollectorRegistry()))


def test_each_binding_is_told_of_once(copies: Copies) -> None:
    told: list[BoundPod] = []
    copies.pods.put(raw("before", "a"))
    copies.pods.put(raw("waits"))
    copies.tell_bindings(told.append)
    assert [(one.request.name, one.node) for one in told] == [("before", "a")]
    copies.pods.put(raw("waits", "b"))
    copies.pods.put(raw("waits", "b", phase="Running"))
    copies.pods.replace([raw("before", "a"), raw("waits", "b", phase="Running"), raw("missed", "c")])
    assert [(one.request.name, one.node) for one in told] == [("before", "a"), ("waits", "b"), ("missed", "c")]
    assert {one.bound for one in told} == {1795687200.0}
    assert len(copies.accounts.pods) == 3
