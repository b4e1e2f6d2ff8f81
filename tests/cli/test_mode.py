"""`berth mode`: written with an audit, obeyed by the running extender."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis

from berth.cluster import keys
from cli.endpoint import get_json
from cli.mode import seconds
from cli.supervisor import Mesh
from tests.cli.command import berth

pytestmark = pytest.mark.mesh


@pytest.fixture
def redis(mesh: Mesh) -> Iterator[Redis]:
    """The mesh's Redis; the override is cleared afterwards."""
    with Redis.from_url(mesh.redis_url) as client:
        yield client
        client.delete(keys.OVERRIDE)
        state_becomes(mesh, lambda state: state["mode_source"] == "settings" and state["rollout_percent"] == 100.0)


def state_becomes(mesh: Mesh, holds: Callable[[dict[str, Any]], bool]) -> None:
    end = time.monotonic() + 5
    while not holds(get_json(f"{mesh.url()}/v1/state")):
        assert time.monotonic() < end
        time.sleep(0.05)


def set_mode(mesh: Mesh, *arguments: str) -> None:
    ended = berth("mode", *arguments, "--redis-url", mesh.redis_url)
    assert ended.returncode == 0, ended.stderr


def test_the_extender_obeys_and_goes_back(mesh: Mesh, redis: Redis) -> None:
    set_mode(mesh, "shadow", "--why", "a test")
    state_becomes(mesh, lambda state: state["mode"] == "shadow" and state["mode_source"] == "override")
    set_mode(mesh, "--clear")
    state_becomes(mesh, lambda state: state["mode"] == "active" and state["mode_source"] == "settings")


def test_what_is_not_named_stays(mesh: Mesh, redis: Redis) -> None:
    set_mode(mesh, "shadow")
    set_mode(mesh, "--rollout", "10")
    state_becomes(mesh, lambda state: state["mode"] == "shadow" and state["rollout_percent"] == 10.0)


def test_it_ends_by_itself(mesh: Mesh, redis: Redis) -> None:
    set_mode(mesh, "off", "--for", "2s")
    state_becomes(mesh, lambda state: state["mode"] == "off")
    state_becomes(mesh, lambda state: state["mode"] == "active")


def test_audit_says_who_when_and_why(mesh: Mesh, redis: Redis) -> None:
    before = time.time() * 1000
    set_mode(mesh, "off", "--why", "pool is being replaced")
    newest: Any = redis.xrevrange(keys.OVERRIDE_AUDIT, count=1)
    entry = newest[0][1]
    assert entry[b"why"] == b"pool is being replaced"
    assert b"@" in entry[b"by"]
    assert before <= int(entry[b"at_ms"]) <= time.time() * 1000
    assert json.loads(entry[b"override"])["mode"] == "off"


def test_shows_what_is_in_force(mesh: Mesh) -> None:
    ended = berth("mode", "--url", mesh.url())
    assert ended.returncode == 0
    assert "active (from settings)" in ended.stdout
    assert "degraded  nothing" in ended.stdout


def test_a_redis_that_is_not_there_is_told(mesh: Mesh) -> None:
    ended = berth("mode", "off", "--redis-url", "redis://127.0.0.1:1/0")
    assert ended.returncode == 1
    assert "Redis does not take the override" in ended.stderr


@pytest.mark.parametrize("text", ["", "2", "2w", "-1h", "0s", "h"])
def test_bad_durations_are_refused(text: str) -> None:
    ended = berth("mode", "off", "--for", text or " ", "--redis-url", "redis://127.0.0.1:1/0")
    assert ended.returncode == 2


def test_durations() -> None:
    assert [seconds(text) for text in ("90s", "30m", "2h", "1d", "1.5m")] == [90.0, 1800.0, 7200.0, 86400.0, 90.0]
