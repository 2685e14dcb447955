"""Waiting no longer than so long, also in a task that is being cancelled."""

from __future__ import annotations

import asyncio
import threading

import pytest

from hub.running.patience import OneAtATime, within

LONG = 30.0  # seconds


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


async def test_what_fails_in_the_thread_is_raised_where_it_was_asked_and_the_next_is_done() -> None:
    def fail() -> threading.Thread:
        raise LookupError("no such thing")

    one = OneAtATime[threading.Thread]()
    with pytest.raises(LookupError):
        await one.ask(fail, LONG)
    assert await one.ask(threading.current_thread, LONG) is not threading.current_thread()


async def test_while_one_hangs_no_other_is_begun_and_when_it_is_back_the_next_is_done() -> None:
    back = threading.Event()
    begun: list[str] = []

    def hang() -> threading.Thread:
        begun.append("the first")
        back.wait(LONG)
        return threading.current_thread()

    def another() -> threading.Thread:
        begun.append("another")
        return threading.current_thread()

    one = OneAtATime[threading.Thread]()
    with pytest.raises(TimeoutError):
        await one.ask(hang, 0.01)
    with pytest.raises(TimeoutError):
        await one.ask(another, 0.01)
    assert one.is_under_way
    back.set()
    await one.ask(another, LONG)
    assert not one.is_under_way
    assert begun == ["the first", "another"]
