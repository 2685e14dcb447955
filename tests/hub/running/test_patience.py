"""Waiting no longer than so long, also in a task that is being cancelled."""

from __future__ import annotations

import asyncio

import pytest

from hub.running.patience import within


async def test_work_that_is_done_in_time_gives_its_result() -> None:
    async def work() -> str:
        return "done"

    assert await within(5, work()) == "done"


async def test_work_that_fails_raises_its_own_error() -> None:
    async def work() -> None:
        raise LookupError("no such thing")

    with pytest.raises(LookupError):
        await within(5, work())


async def test_work_that_takes_too_long_is_cancelled() -> None:
    cancelled = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(TimeoutError):
        await within(0.01, work())
    assert cancelled.is_set()


async def test_it_times_out_in_a_task_that_is_itself_being_cancelled() -> None:
    """With `asyncio.timeout` this fails on Python 3.11.2: the farewell ends in a CancelledError."""
    farewell: list[str] = []

    async def stopping() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            try:
                await within(0.01, asyncio.sleep(3600))
            except TimeoutError:
                farewell.append("left without an answer")

    task = asyncio.create_task(stopping())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert farewell == ["left without an answer"]


async def test_cancelling_the_wait_cancels_the_work() -> None:
    cancelled = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    waiting = asyncio.create_task(within(3600, work()))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.wait_for(cancelled.wait(), 5)
