"""What filter found is there for prioritize, once, and never too much of it."""

from __future__ import annotations

import time

from extender.decide import Circumstances, empty
from extender.memos import AGE_S, NAMES, PODS, Memo, Memos


def memo(nodes: int = 1, age_s: float = 0.0) -> Memo:
    around = Circumstances("filter", "active", "r", 0, 1, 0.0, {})
    return Memo(empty([f"n{i}" for i in range(nodes)], ""), None, time.monotonic() - age_s, False, around)


def test_a_memo_is_taken_once() -> None:
    memos, kept = Memos(), memo()
    memos.keep("a", kept)
    assert memos.take("a") is kept
    assert memos.take("a") is None
    assert memos.names == 0


def test_a_later_memo_of_a_pod_replaces_the_one_before() -> None:
    memos, later = Memos(), memo(3)
    memos.keep("a", memo(2))
    memos.keep("a", later)
    assert memos.names == 3
    assert memos.take("a") is later


def test_an_old_memo_is_not_answered_from_and_makes_room() -> None:
    memos = Memos()
    memos.keep("old", memo(age_s=AGE_S + 1.0))
    assert memos.take("old") is None
    memos.keep("old", memo(age_s=AGE_S + 1.0))
    memos.keep("new", memo())
    assert list(memos.by_uid) == ["new"]


def test_a_pod_without_uid_has_no_memo() -> None:
    memos = Memos()
    memos.keep("", memo())
    assert memos.take("") is None


def test_pods_are_bounded() -> None:
    memos = Memos()
    for i in range(PODS + 5):
        memos.keep(f"p{i}", memo())
    assert next(iter(memos.by_uid)) == "p5"
    assert len(memos.by_uid) == memos.names == PODS


def test_names_are_bounded_but_one_pod_has_its_memo() -> None:
    memos, big = Memos(), memo(NAMES // 2)
    for uid in "abc":
        memos.keep(uid, big)
    assert (list(memos.by_uid), memos.names) == (["b", "c"], NAMES // 2 * 2)
    memos.keep("all", memo(NAMES + 1))
    assert list(memos.by_uid) == ["all"]
