"""A part that fails is started again; one that is done is left alone."""

from __future__ import annotations

import asyncio
import logging

import pytest

from hub.errors import CareportError
from hub.running.supervision import keep_running


async def test_a_part_that_fails_is_started_again_until_it_is_done() -> None:
    attempts = 0

    async def run() -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 4:
            raise OSError("unplugged")

    await asyncio.wait_for(keep_running("sensor", run, least=0.001, most=0.002), 5)
    assert attempts == 4


async def test_a_foreseen_fault_is_one_line_and_an_unforeseen_one_is_told_in_full(
    caplog: pytest.LogCaptureFixture,
) -> None:
    faults: list[Exception] = [CareportError("no adapter: plug one in"), ZeroDivisionError("a bug")]

    async def run() -> None:
        if faults:
            raise faults.pop(0)

    with caplog.at_level(logging.ERROR):
        await asyncio.wait_for(keep_running("radio", run, least=0.001, most=0.002), 5)
    foreseen, unforeseen = caplog.records
    assert foreseen.getMessage() == "radio: no adapter: plug one in"
    assert foreseen.exc_info is None
    assert unforeseen.exc_info is not None


async def test_cancelling_ends_it() -> None:
    async def run() -> None:
        await asyncio.sleep(3600)

    task = asyncio.create_task(keep_running("x", run))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_one_that_waited_for_what_was_cancelled_is_started_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A task group takes a cancelled part for one that was to end, and the hub would go on without it."""
    attempts = 0

    async def run() -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            waited_for: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            waited_for.cancel()
            await waited_for

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(keep_running("forwarder", run, least=0.001, most=0.002))
    assert attempts == 2
    assert "forwarder was cancelled from within" in caplog.text
