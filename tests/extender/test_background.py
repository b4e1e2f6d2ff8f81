"""Background work that fails is told, counted and started again."""

from __future__ import annotations

import asyncio
import logging

import pytest
from prometheus_client import CollectorRegistry

from berth.ending import ended
from extender import process
from extender.metrics import Metrics


async def test_a_defect_is_logged_and_counted_and_the_work_starts_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(process, "AGAIN_S", 0.01)
    metrics, again = Metrics(CollectorRegistry()), asyncio.Event()
    starts: list[int] = []

    async def failing_once() -> None:
        starts.append(len(starts))
        if starts == [0]:
            raise ValueError("once")
        again.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(process.keep_going("sweeping", failing_once, metrics.defects))
    with caplog.at_level(logging.ERROR):
        await asyncio.wait_for(again.wait(), 5.0)
    assert starts == [0, 1]
    assert "background work 'sweeping' has ended" in caplog.text
    assert metrics.registry.get_sample_value("berth_defects_total", {"where": "sweeping"}) == 1.0
    await ended([task])
    assert task.cancelled()
