"""Records and bindings in any order, twice, late, never, and more of them than may wait."""

from __future__ import annotations

import pytest

from berth.decisions.record import encode
from services.telemetry.bindings.join import AT_ONCE, PATIENCE_S, RECORD_S, SETTLE_S, Join
from tests.services.telemetry.bindings.samples import Counted, bound, decision

LATE = encode(decision(decided=1e15))
HIGH = encode(decision()).replace(b'"score":10', b'"score":99999999999')


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
def join(counted: Counted) -> Join:
    return counted.join()


@pytest.mark.parametrize("record_first", [True, False])
def test_either_may_come_first(join: Join, counted: Counted, record_first: bool) -> None:
    if record_first:
        join.take_record(encode(decision()), 1.0)
    join.take_bound(bound(node="b"), 1.0)
    if not record_first:
        join.take_record(encode(decision()), 1.0)
    assert join.due(SETTLE_S) == []  # another attempt's record may still be on its way
    assert [(row["pod_uid"], row["rank"]) for row in join.due(1.0 + SETTLE_S)] == [("u", 2)]
    assert join.due(1000.0) == []
    assert counted.value("bindings", "joined") == 1.0


def test_of_several_attempts_the_newest_counts_in_whatever_order_they_come(join: Join) -> None:
    for decided in (20.0, 30.0, 10.0):
        join.take_record(encode(decision(decided=decided, totals={f"n{decided:.0f}": 1.0, "m": 0.5})), 0.0)
    join.take_bound(bound(node="n30"), 0.0)
    join.take_record(encode(decision(decided=25.0, totals={"n25": 1.0, "m": 0.5})), 4.0)
    assert [row["best_node"] for row in join.due(SETTLE_S)] == ["n30"]


def test_what_comes_twice_is_kept_once(join: Join, counted: Counted) -> None:
    for now in (0.0, 2.0, 20.0, 40.0):  # the first two before it is given, the others after
        join.take_record(encode(decision()), now)
        join.take_bound(bound(node="b" if now else "a"), now)
        if now == 2.0:
            assert [row["node"] for row in join.due(SETTLE_S)] == ["a"]
    assert join.due(1000.0) == []
    assert not join.records
    assert join.bytes == 0
    assert counted.value("bindings", "joined") == 1.0


def test_a_restart_in_the_middle_gives_the_rest_and_nothing_twice(counted: Counted) -> None:
    before, after = counted.join(), counted.join()
    for uid in ("written", "open"):
        before.take_record(encode(decision(uid)), 0.0)
        before.take_bound(bound(uid), 0.0 if uid == "written" else 1.0)
    assert [row["pod_uid"] for row in before.due(SETTLE_S)] == ["written"]
    after.remember("written")  # as history says
    for uid in ("written", "open"):  # the list and the stream tell of the last hour again
        after.take_record(encode(decision(uid)), 0.0)
        after.take_bound(bound(uid), 0.0)
    assert [row["pod_uid"] for row in after.due(SETTLE_S)] == ["open"]


def test_who_has_no_record_is_counted_and_not_kept(join: Join, counted: Counted) -> None:
    join.take_bound(bound(), 0.0)
    assert join.due(PATIENCE_S - 1.0) == []
    assert counted.value("bindings", "without-record") == 0.0
    assert join.due(PATIENCE_S) == []
    assert counted.value("bindings", "without-record") == 1.0
    assert not join.bound


def test_nobody_is_given_up_while_records_cannot_be_read(join: Join) -> None:
    join.take_bound(bound(), 100.0)
    assert join.due(50.0) == []  # when all records were last read
    join.take_record(encode(decision()), 5000.0)
    assert len(join.due(5000.0)) == 1


def test_a_record_that_no_binding_follows_is_let_go(join: Join) -> None:
    join.take_record(encode(decision("old")), 0.0)
    join.take_record(encode(decision("new")), 10.0)
    join.due(RECORD_S + 1.0)
    assert set(join.records) == {"new"}


def test_of_too_many_the_oldest_give_way_and_are_counted(counted: Counted) -> None:
    join = counted.join(most=3)
    for number in range(5):
        join.take_record(encode(decision(f"r{number}")), 0.0)
        join.take_bound(bound(f"b{number}"), 0.0)
    assert list(join.records) == ["r2", "r3", "r4"]
    assert list(join.bound) == ["b2", "b3", "b4"]
    assert (counted.value("losses", "record"), counted.value("losses", "binding")) == (2.0, 2.0)


def test_many_are_given_bit_by_bit(join: Join) -> None:
    for number in range(AT_ONCE + 1):
        join.take_record(encode(decision(f"u{number}")), 0.0)
        join.take_bound(bound(f"u{number}"), 0.0)
    assert [len(join.due(100.0)) for _ in range(3)] == [AT_ONCE, 1, 0]


def test_records_are_bounded_by_their_bytes_too(counted: Counted) -> None:
    size = len(encode(decision("r0")))
    join = counted.join(most_bytes=int(2.5 * size))
    for number in range(4):
        join.take_record(encode(decision(f"r{number}")), 0.0)
    assert list(join.records) == ["r2", "r3"]
    assert join.bytes == 2 * size


@pytest.mark.parametrize("raw", [b"", b"{}", b"\xff\xfe", b"[1]", b'{"pod_uid": 7}', LATE, HIGH])
def test_what_is_no_record_is_said(join: Join, raw: bytes) -> None:
    assert join.take_record(raw, 0.0) is False
    assert not join.records


def test_an_open_binding_is_found_by_uid_and_name(join: Join) -> None:
    join.take_record(encode(decision()), 0.0)
    join.take_bound(bound(node="c"), 0.0)
    join.take_bound(bound("other"), 0.0)
    assert [row["rank"] for row in (*join.find("u"), *join.find("name-u"))] == [3, 3]
    assert join.find("other") == []
