from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extender.controls import Override, alive, in_force, parse_override
from extender.settings import ExtenderSettings


def settings(**more: object) -> ExtenderSettings:
    return ExtenderSettings(**more)  # type: ignore[arg-type]


def override(**fields: object) -> Override | None:
    return parse_override(json.dumps(fields).encode())


def test_settings_alone() -> None:
    now = in_force(settings(mode="shadow", rollout_percent=30.0), None, False)
    assert (now.mode, now.rollout_percent, now.source) == ("shadow", 30.0, "settings")
    assert now.weights == {"headroom": 0.3, "placement": 0.4, "health": 0.3}


def test_an_override_lies_over_them_field_by_field() -> None:
    now = in_force(settings(rollout_percent=30.0), override(mode="off"), False)
    assert (now.mode, now.rollout_percent, now.source) == ("off", 30.0, "override")
    now = in_force(settings(), override(rollout_percent=0, weights={"health": 1, "headroom": 0}), False)
    assert (now.mode, now.rollout_percent, now.source) == ("active", 0.0, "settings")
    assert now.weights == {"headroom": 0.0, "placement": 0.4, "health": 1.0}


def test_an_override_expires() -> None:
    given_one = override(mode="off", expires_ms=1000)
    assert in_force(settings(), alive(given_one, 999.0), False).mode == "off"
    assert in_force(settings(), alive(given_one, 1000.0), False).mode == "active"


@pytest.mark.parametrize(("mode", "expected"), [("active", "shadow"), ("shadow", "shadow"), ("off", "off")])
def test_a_retreat_turns_active_into_shadow_alone(mode: str, expected: str) -> None:
    now = in_force(settings(mode=mode), None, True)
    assert now.mode == expected
    assert (now.source == "retreat") == (mode == "active")


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[]",
        b'"off"',
        b"\xff\xfe",
        b'{"mode":"on"}',
        b'{"rollout_percent":101}',
        b'{"rollout_percent":NaN}',
        b'{"unknown":1}',
        b'{"weights":{"headroom":0,"placement":0,"health":0}}',
        b"[" * 200000,
    ],
)
def test_what_is_no_override_is_one_error(raw: bytes) -> None:
    with pytest.raises(ValueError, match="unreadable override"):
        parse_override(raw)


def test_nothing_is_no_override() -> None:
    assert parse_override(None) is None
    assert parse_override(b"") is None


@given(st.binary(max_size=200))
def test_poisoned_bytes_raise_nothing_else(raw: bytes) -> None:
    said = "unreadable override"
    try:
        parse_override(raw)
    except ValueError as error:
        said = str(error)
    assert said == "unreadable override"
