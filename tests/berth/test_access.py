"""Who is let in: by network, certificate and token, and how often."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from berth.access import KNOWN, Access, Gate


def gate(certified: bool = False, **given: object) -> Gate:
    access = Access.model_validate(given)
    return Gate(lambda: access, certified)


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("s3cret\n", "utf-8")
    return path


@pytest.mark.parametrize(
    ("peer", "status"),
    [
        ("127.0.0.1", 200),
        ("127.9.9.9", 200),
        ("::1", 200),
        ("::ffff:127.0.0.1", 200),
        ("10.0.0.7", 401),
        ("fe80::1", 401),
        ("", 401),
        ("testclient", 401),
    ],
)
def test_callers_on_this_machine_show_nothing_all_others_do(peer: str, status: int) -> None:
    assert gate().verdict(peer, "", 0.0) == status


def test_other_networks_can_be_opened_and_this_machine_closed() -> None:
    assert gate(open_to=["10.0.0.0/8"]).verdict("10.0.0.7", "", 0.0) == 200
    assert gate(open_to=["10.0.0.0/8"]).verdict("127.0.0.1", "", 0.0) == 401
    assert gate(open_to=[]).verdict("::1", "", 0.0) == 401
    with pytest.raises(ValidationError, match="open_to"):
        Access.model_validate({"open_to": ["anywhere"]})


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        ("Bearer s3cret", 200),
        ("bearer s3cret ", 200),
        ("Bearer s3cre", 401),
        ("Bearer s3crett", 401),
        ("Bearer ", 401),
        ("Basic s3cret", 401),
        ("s3cret", 401),
        ("Bearer \u20ac", 401),
        ("", 401),
    ],
)
def test_the_token_and_nothing_like_it(token: Path, shown: str, status: int) -> None:
    assert gate(token_file=token).verdict("10.0.0.7", shown, 0.0) == status


def test_a_token_is_read_anew_and_an_empty_or_missing_file_is_nobody_s(token: Path) -> None:
    door = gate(token_file=token)
    token.write_text("other", "utf-8")
    assert door.verdict("10.0.0.7", "Bearer s3cret", 0.0) == 401
    assert door.verdict("10.0.0.7", "Bearer other", 0.0) == 200
    token.write_text("\n", "utf-8")
    assert door.verdict("10.0.0.7", "Bearer ", 0.0) == 401
    token.unlink()
    assert door.verdict("10.0.0.7", "Bearer other", 0.0) == 401


def test_who_has_shown_a_certificate_needs_no_token() -> None:
    assert gate(certified=True).verdict("10.0.0.7", "", 0.0) == 200


def test_each_address_has_its_own_calls_and_they_come_back(token: Path) -> None:
    door = gate(token_file=token, per_second=2.0)
    shown = "Bearer s3cret"
    assert [door.verdict("10.0.0.7", shown, 0.0) for _ in range(11)] == [200] * 10 + [429]
    assert door.verdict("10.0.0.8", shown, 0.0) == 200
    assert [door.verdict("10.0.0.7", shown, 1.0) for _ in range(3)] == [200, 200, 429]
    assert [door.verdict("10.0.0.7", shown, 100.0) for _ in range(11)] == [200] * 10 + [429]
    assert [door.verdict("10.0.0.9", "", 0.0) for _ in range(11)] == [401] * 10 + [429]  # guessing is slow too
    assert [door.verdict("127.0.0.1", "", 0.0) for _ in range(50)] == [200] * 50


def test_addresses_are_bounded_and_the_longest_silent_is_forgotten() -> None:
    door = gate()
    for i in range(KNOWN + 50):
        door.verdict(f"10.1.{i // 256}.{i % 256}", "", 0.0)
        door.verdict("10.9.9.9", "", 0.0)
    assert len(door.left) == KNOWN
    assert "10.9.9.9" in door.left
    assert "10.1.0.0" not in door.left
