"""What is read of nodes and pods that are unwell."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from berth.cluster.health import Condition, ContainerEnd, HealthError, read_node_health, read_pod_health, read_uid
from tests.calls import pod

T0, T1, T2 = "2026-11-20T10:00:00Z", "2026-11-20T10:05:00Z", "2026-11-20T10:09:00Z"


def at(text: str) -> float:
    return datetime.fromisoformat(text).astimezone(UTC).timestamp()


def raw(thing: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(thing, separators=(",", ":")).encode())


def ended(reason: str, when: str) -> dict[str, Any]:
    return {"terminated": {"exitCode": 137, "reason": reason, "startedAt": T0, "finishedAt": when}}


def test_conditions_are_those_that_tell_of_health() -> None:
    conditions = [
        {"type": "Ready", "status": "Unknown", "lastTransitionTime": T1, "lastHeartbeatTime": T2},
        {"type": "DiskPressure", "status": "True"},
        {"type": "NetworkUnavailable", "status": "True", "lastTransitionTime": T1},
    ]
    found = read_node_health(raw({"metadata": {"name": "n1"}, "status": {"conditions": conditions}}))
    assert found.name == "n1"
    assert found.conditions == (Condition("Ready", "Unknown", at(T1)), Condition("DiskPressure", "True", 0.0))
    assert read_node_health(raw({"metadata": {"name": "n2"}, "status": {"conditions": None}})).conditions == ()


def test_a_pod_that_is_well_has_nothing_to_tell() -> None:
    running = [{"name": "c", "restartCount": 0, "state": {"running": {"startedAt": T0}}, "lastState": {}}]
    assert read_pod_health(raw(pod("u1", status={"containerStatuses": running}))) is None


def test_restarts_and_oom_kills_of_all_containers() -> None:
    status = {
        "containerStatuses": [
            {"name": "c", "restartCount": 3, "state": {}, "lastState": ended("OOMKilled", T1)},
            {"name": "d", "restartCount": 1, "state": ended("OOMKilled", T2), "lastState": ended("Error", T1)},
        ],
        "initContainerStatuses": [{"name": "i", "restartCount": 0, "state": ended("Completed", T0)}],
    }
    found = read_pod_health(raw(pod("u1", status=status, nodeName="n1")))
    assert found is not None
    assert (found.uid, found.name, found.node, found.evicted) == ("u1", "default/name-u1", "n1", 0.0)
    assert found.containers == (
        ContainerEnd("c", 3, at(T1), (at(T1),)),
        ContainerEnd("d", 1, at(T1), (at(T2),)),
        ContainerEnd("i", 0, 0.0, ()),
    )


@pytest.mark.parametrize(
    ("more", "when"),
    [
        ({"conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": T1}]}, at(T1)),
        ({"conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": "soon"}]}, at(T0)),
        ({}, at(T0)),
    ],
)
def test_an_eviction_has_one_time_however_little_is_told(more: dict[str, Any], when: float) -> None:
    status = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory. " * 9, **more}
    found = read_pod_health(raw(pod("u1", status=status, nodeName="n1", meta={"creationTimestamp": T0})))
    assert found is not None
    assert found.evicted == when
    assert found.message.startswith("The node was low on resource: memory.")
    assert len(found.message) <= 200


def test_what_failed_for_another_reason_was_not_evicted() -> None:
    status = {"phase": "Failed", "reason": "NodeLost", "message": 'said "Evicted" once'}
    found = read_pod_health(raw(pod("u1", status=status)))
    assert found is None or found.evicted == 0.0


@pytest.mark.parametrize("body", [b"", b"[]", b'{"metadata":3}', b"[" * 9999])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    for read in (read_node_health, read_uid):
        with pytest.raises(HealthError):
            read(msgspec.Raw(body))
    with pytest.raises(HealthError):
        read_pod_health(msgspec.Raw(body + b'"terminated"'))
