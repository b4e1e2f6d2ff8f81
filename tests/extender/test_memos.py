"""What filter found is there for prioritize, once, and never too much of it."""

from __future__ import annotations

import asyncio
import time

from extender.memos import AGE_S, NAMES, PODS, Kept, Memo, Memos


def kept(nodes: int = 1, age_s: float = 0.0) -> Kept:
    memo: asyncio.Future[Memo] = asyncio.get_running_loop().create_future()
    return Kept(memo, [f"n{i}" for i in range(nodes)], time.monotonic() - age_s)


async def test_a_memo_is_taken_once() -> None:
    memos, one = Memos(), kept()
    memos.keep("a", one)
    assert memos.take("a") is one.memo
    assert memos.take("a") is None
    assert memos.names == 0


async def test_a_later_memo_of_a_pod_replaces_the_one_before() -> None:
    memos, later = Memos(), kept(3)
    memos.keep("a", kept(2))
    memos.keep("a", later)
    assert memos.names == 3
    assert memos.take("a") is later.memo


async def test_an_old_memo_is_not_answered_from_and_makes_room() -> None:
    memos = Memos()
    memos.keep("old", kept(age_s=AGE_S + 1.0))
    assert memos.take("old") is None
    memos.keep("old", kept(age_s=AGE_S + 1.0))
    memos.keep("new", kept())
    assert list(memos.by_uid) == ["new"]


async def test_a_pod_without_uid_has_no_memo() -> None:
    memos = Memos()
    memos.keep("", kept())
    assert memos.take("") is None


async def test_pods_are_bounded() -> None:
    memos = Memos()
    for i in range(PODS + 5):
        memos.keep(f"p{i}", kept())
    assert next(iter(memos.by_uid)) == "p5"
    assert len(memos.by_uid) == memos.names == PODS


async def test_names_are_bounded_but_one_pod_has_its_memo() -> None:
    memos, big = Memos(), kept(NAMES // 2)
    for uid in "abc":
        memos.keep(uid, big)
    assert (list(memos.by_uid), memos.names) == (["b", "c"], NAMES // 2 * 2)
    memos.keep("all", kept(NAMES + 1))
    assert list(memos.by_uid) == ["all"]
