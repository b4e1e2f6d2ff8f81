from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from berth.cluster.pods import SYSTEM_CRITICAL_PRIORITY
from extender.rollout import exclusion, in_rollout, opted_in
from extender.settings import OptIn
from tests.extender.samples import pod

OPT_IN = OptIn(namespaces=("ml",))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, ""),
        ({"scheduler_name": "default-scheduler"}, "not-opted-in"),
        ({"scheduler_name": "default-scheduler", "namespace": "ml"}, ""),
        ({"scheduler_name": "default-scheduler", "labels": {"berth.dev/scoring": "true"}}, ""),
        ({"labels": {"berth.dev/scoring": "false"}}, "not-opted-in"),
        ({"labels": {"berth.dev/scoring": "False"}}, ""),
        ({"namespace": "berth-system"}, "own-namespace"),
        ({"namespace": "berth-system", "labels": {"berth.dev/scoring": "true"}}, "own-namespace"),
        ({"priority": SYSTEM_CRITICAL_PRIORITY}, "system-critical"),
        ({"priority": SYSTEM_CRITICAL_PRIORITY - 1}, ""),
        ({"owner_kind": "DaemonSet"}, "daemonset"),
        ({"owner_kind": "StatefulSet"}, ""),
        ({"nominated_node": "n1"}, "nominated-node"),
    ],
)
def test_who_is_left_to_the_default_scheduler(change: dict[str, Any], reason: str) -> None:
    assert exclusion(pod(**change), OPT_IN) == reason


def test_the_label_wins_over_namespace_and_scheduler_name() -> None:
    assert not opted_in(pod(namespace="ml", labels={"berth.dev/scoring": "false"}), OPT_IN)


@given(st.text(max_size=60), st.floats(0.0, 100.0), st.floats(0.0, 100.0))
def test_an_owner_once_in_stays_in_as_the_share_grows(owner: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    asked = pod(uid="u", owner_uid=owner)
    assert in_rollout(asked, large) or not in_rollout(asked, small)
    assert in_rollout(asked, 100.0)
    assert not in_rollout(asked, 0.0)


def test_all_pods_of_an_owner_fare_alike_and_shares_are_kept() -> None:
    owners = [f"owner-{i}" for i in range(4000)]
    share = sum(in_rollout(pod(owner_uid=o), 25.0) for o in owners) / len(owners)
    assert abs(share - 0.25) < 0.03
    for owner in owners[:50]:
        alike = {in_rollout(pod(uid=f"{owner}-{i}", owner_uid=owner), 25.0) for i in range(5)}
        assert len(alike) == 1


def test_a_bare_pod_is_its_own_owner() -> None:
    one = pod(uid="a", owner_uid="")
    assert in_rollout(one, 40.0) == in_rollout(replace(one, owner_uid="a"), 40.0)
