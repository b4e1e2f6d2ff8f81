"""Work beside the answers: in order, together, in slices, and never lost with a defect of another."""

from __future__ import annotations

import asyncio
import functools
import logging
import time

import pytest
from prometheus_client import CollectorRegistry, Counter

from extender.beside import GATHER_S, MANY, Backlog


@pytest.fixture
def backlog() -> Backlog:
    return Backlog(Counter("berth_defects", "", ["where"], registry=CollectorRegistry()))


async def test_an_account_comes_after_what_is_under_way(backlog: Backlog) -> None:
    done: list[str] = []
    backlog.once_answered(functools.partial(done.append, "account"))
    done.append("answer")
    await asyncio.sleep(0)
    assert done == ["answer", "account"]


async def test_calls_are_made_together_and_in_order(backlog: Backlog) -> None:
    done: list[int] = []
    for i in range(5):
        backlog.add(functools.partial(done.append, i))
    await asyncio.sleep(GATHER_S / 4)
    assert done == []
    await asyncio.sleep(2 * GATHER_S)
    assert done == [0, 1, 2, 3, 4]


async def test_many_do_not_wait_for_more(backlog: Backlog) -> None:
    done: list[int] = []
    for i in range(MANY):
        backlog.add(functools.partial(done.append, i))
    for _ in range(5):
        await asyncio.sleep(0)
    assert done == list(range(MANY))
    backlog.add(functools.partial(done.append, MANY))
    await asyncio.sleep(2 * GATHER_S)
    assert done[-1] == MANY


async def test_others_have_their_turn_between_long_calls(backlog: Backlog) -> None:
    seen: list[str] = []

    def long(_: int) -> None:
        time.sleep(0.002)
        seen.append("call")

    for i in range(MANY):
        backlog.add(functools.partial(long, i))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert 1 <= seen.count("call") < MANY / 2
    backlog.flush()
    assert seen.count("call") == MANY


async def test_what_a_call_adds_is_made_with_it_on_a_flush(backlog: Backlog) -> None:
    done: list[str] = []
    backlog.add(lambda: backlog.add(lambda: done.append("second")))
    backlog.flush()
    assert done == ["second"]


async def test_a_defect_costs_no_other_call(backlog: Backlog, caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []
    backlog.add(lambda: 1 // 0)
    backlog.add(lambda: done.append("next"))
    with caplog.at_level(logging.ERROR):
        await asyncio.sleep(2 * GATHER_S)
    assert done == ["next"]
    assert "ZeroDivisionError" in caplog.text
    assert backlog.defects.labels("beside")._value.get() == 1.0
