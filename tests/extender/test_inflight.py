from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from extender.inflight import Change, Ledger, decoder, encoder, placement_of
from tests.extender.samples import placement, pod


def test_a_retry_changes_nothing_and_a_move_replaces() -> None:
    ledger = Ledger(60.0, 100)
    first = placement(node="n1", at=1.0)
    assert ledger.put(first) == Change(None, first)
    assert ledger.put(placement(node="n1", at=2.0)) is None
    moved = placement(node="n2", at=3.0)
    assert ledger.put(moved) == Change(first, moved)
    assert len(ledger) == 1


def test_of_two_replicas_the_later_holds() -> None:
    ledger = Ledger(60.0, 100)
    later = placement(node="n2", at=9.0)
    ledger.put(later)
    assert ledger.put(placement(node="n1", at=3.0)) is None
    assert list(ledger) == [later]


def test_expires_by_age_and_by_number() -> None:
    ledger = Ledger(60.0, 3)
    for i in range(5):
        ledger.put(placement(uid=f"p{i}", at=float(i)))
    assert [c.before.uid for c in ledger.expire(50.0) if c.before] == ["p0", "p1"]
    assert [c.before.uid for c in ledger.expire(63.5) if c.before] == ["p2", "p3"]
    assert ledger.expire(64.0) == []
    assert len(ledger) == 1


def test_the_watched_binding_replaces_the_guess() -> None:
    ledger = Ledger(60.0, 100)
    ledger.put(placement(node="n1"))
    change = ledger.follow("p", "n4")
    assert change is not None
    assert change.after is not None
    assert change.after.node == "n4"
    assert ledger.follow("p", "n4") is None
    assert ledger.follow("other", "n4") is None


def test_a_placement_is_taken_back_unless_there_is_a_later_one() -> None:
    ledger = Ledger(60.0, 100)
    made = placement(node="n1", at=5.0)
    ledger.put(made)
    assert ledger.drop("p", 4.0) is None
    assert ledger.drop("p", 6.0) == Change(made, None)
    assert ledger.drop("p", 7.0) is None
    assert len(ledger) == 0


@given(st.floats(0, 1e5), st.floats(0, 1e5), st.integers(0, 64), st.integers(0, 1000), st.text())
def test_a_placement_survives_redis(cpu: float, memory: float, gpus: int, milli: int, uid: str) -> None:
    made = placement_of(pod(uid=uid, cpu=cpu, memory=memory, gpus=gpus, gpu_milli=milli), "n1", 5.0, "r")
    assert decoder.decode(encoder.encode([made])) == [made]


@given(st.binary(max_size=60))
def test_what_is_no_placement_raises_one_error(raw: bytes) -> None:
    try:
        decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
