"""Who gets on, who hangs, and who only waits."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.running import progress
from hub.running.progress import PATIENCE, Progress

SECONDS = st.floats(0.01, 4.0)


def stage(account: Progress, name: str) -> Any:
    stages: Any = account.data()["stages"]
    return stages[name]


class Counted:
    """Work of many tasks."""

    def __init__(self, account: Progress) -> None:
        self.done = self.waiting = 0
        account.count("work", lambda: self.done, lambda: self.waiting > 0)


@given(st.lists(st.tuples(SECONDS, st.booleans(), st.booleans()), max_size=200))
def test_it_hangs_exactly_where_work_has_waited_for_longer_than_its_patience(
    looks: list[tuple[float, bool, bool]],
) -> None:
    account = Progress()
    work = Counted(account)
    waited = 0.0
    for elapsed, waits, gets_on in looks:
        work.waiting, work.done = int(waits), work.done + gets_on
        waited = waited + elapsed if waits and not gets_on else 0.0
        account.look(elapsed)
        assert account.data()["well"] is not (waited > PATIENCE)


@given(st.lists(SECONDS, max_size=300))
def test_an_idle_stage_never_hangs_however_long_it_is_idle(looks: list[float]) -> None:
    account = Progress()
    Counted(account)
    with account.loop("loop"):
        progress.turn()
        progress.rest()
        for elapsed in looks:
            assert account.look(elapsed * 1000) == []


@given(st.lists(st.tuples(st.floats(1.0, 600.0), st.floats(0.0, 0.99)), min_size=1, max_size=50))
def test_a_loop_that_turns_in_the_time_that_it_said_never_hangs(turns: list[tuple[float, float]]) -> None:
    account = Progress()
    with account.loop("loop"):
        for within, share in turns:
            progress.turn(within)
            assert account.look(0.0) == []
            assert account.look(within * share) == []


def test_what_begins_to_hang_is_told_once_and_again_after_it_had_got_on() -> None:
    account = Progress()
    work = Counted(account)
    work.waiting = 1
    account.look(0.0)
    assert account.look(PATIENCE) == []
    assert account.look(0.1) == ["work"]
    assert account.look(100.0) == []
    work.done += 1
    assert account.look(1.0) == []
    assert account.data()["well"] is True
    assert account.look(PATIENCE + 1) == ["work"]


def test_one_stage_that_hangs_is_named_and_the_others_are_not() -> None:
    account = Progress()
    work = Counted(account)
    work.waiting = 1
    with account.loop("loop"):
        for _ in range(3):
            progress.turn()
            account.look(PATIENCE / 2)
        assert account.data() == {
            "well": False,
            "stages": {
                "work": {
                    "well": False,
                    "turned": False,
                    "words": "it has not got on for 30 s, and may take 20 s",
                },
                "loop": {"well": True, "turned": True, "words": "it gets on"},
            },
        }


async def test_a_part_that_failed_is_no_hang_and_is_not_well_until_it_has_run_for_a_minute() -> None:
    account = Progress()
    unplugged = True

    async def part() -> None:
        progress.turn()
        if unplugged:
            raise OSError("unplugged")
        while True:
            progress.turn()
            await asyncio.sleep(0)

    for _ in range(3):
        with pytest.raises(OSError, match="unplugged"):
            await account.watched("part", part)()
        assert account.look(1000.0) == [], "the watchdog would end all others"
        await asyncio.wait_for(account.until_well(), 1)
    assert account.data()["well"] is False
    said = stage(account, "part")
    assert (said["well"], said["turned"]) == (False, True)
    assert re.fullmatch(
        r"it failed 3 times since \d\d \w{3} \d\d:\d\d UTC, and is started again", said["words"]
    )

    unplugged = False
    running = asyncio.create_task(account.watched("part", part)())
    for wait, well in ((0.0, False), (30.0, False), (29.0, False), (2.0, True)):
        await asyncio.sleep(0.001)
        account.look(wait)
        assert stage(account, "part")["well"] is account.data()["well"] is well
    assert "it gets on; it failed 3 times since " in stage(account, "part")["words"]
    running.cancel()
    await asyncio.wait([running])
    assert stage(account, "part")["well"], "to be stopped is no failure"


async def test_a_stage_has_turned_as_soon_as_it_got_on_once_and_not_before() -> None:
    account = Progress()
    work = Counted(account)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def part() -> None:
        begun.set()
        await go_on.wait()
        progress.rest()
        raise OSError("unplugged")

    running = asyncio.create_task(account.watched("part", part)())
    await begun.wait()
    work.waiting = 1
    account.look(1.0)
    assert (stage(account, "part")["turned"], stage(account, "work")["turned"]) == (False, False)
    work.done += 1
    go_on.set()
    await asyncio.wait([running])
    assert (stage(account, "part")["turned"], stage(account, "work")["turned"]) == (True, True)


def test_while_the_card_holds_all_up_its_own_patience_alone_counts() -> None:
    account = Progress()
    work = Counted(account)
    work.waiting, stalled = 1, True
    account.count("card", lambda: 0, lambda: stalled, 300.0, holds_up=True)
    account.look(0.0)
    for _ in range(10):
        assert account.look(30.0) == []
    assert account.look(1.0) == ["card"]
    stalled = False
    assert account.look(PATIENCE) == []
    assert account.data()["well"] is True
    assert account.look(1.0) == ["work"], "what hangs all the same is found then"


async def test_a_loop_beside_another_is_a_stage_of_its_own() -> None:
    account = Progress()
    begun = asyncio.Event()

    async def beside() -> None:
        with progress.apart("beside"):
            progress.turn()
            begun.set()
            await asyncio.sleep(3600)

    async def part() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(beside())
            while True:
                progress.turn()
                await asyncio.sleep(0.001)

    running = asyncio.create_task(account.watched("part", part)())
    await begun.wait()
    account.look(0.0)
    for _ in range(4):
        await asyncio.sleep(0.01)
        account.look(PATIENCE / 4)
    assert account.look(1.0) == ["beside"]
    running.cancel()
    await asyncio.wait([running])


def test_outside_of_any_account_turns_are_nobodys() -> None:
    progress.turn()
    progress.rest()
    with progress.apart("nowhere"):
        progress.turn()


async def test_what_hangs_is_said_with_where_it_waits_and_the_watchdog_is_fed_again_when_it_gets_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress, "_LOOKS_EVERY", 0.01)
    account = Progress()
    go_on = asyncio.Event()

    async def waits_for_ever() -> None:
        await go_on.wait()

    async def part() -> None:
        progress.turn(0.1)
        await waits_for_ever()
        progress.rest()
        await asyncio.sleep(3600)

    tasks = [asyncio.create_task(account.watched("part", part)()), asyncio.create_task(account.watch())]
    await asyncio.wait_for(account.until_well(), 1)
    with caplog.at_level(logging.WARNING):
        while not caplog.records:
            await asyncio.sleep(0.01)
        feeding = asyncio.create_task(account.until_well())
        await asyncio.sleep(0.1)
        assert not feeding.done()
        go_on.set()
        await asyncio.wait_for(feeding, 5)
    hang, well = (record.getMessage() for record in caplog.records)
    assert hang.startswith("part hangs: it has not got on for 0 s, and may take 0.1 s (")
    assert hang.endswith("; systemd will restart the hub")
    assert "locks.py" in hang
    assert well == "what hung gets on again"
    for task in tasks:
        task.cancel()


async def test_while_nobody_could_look_time_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine slept, or somebody stopped the process: nobody could get on either."""
    monkeypatch.setattr(progress, "_LOOKS_EVERY", 0.001)
    times = iter([0.0, 3600.0, 7200.0])
    monkeypatch.setattr(progress, "monotonic", lambda: next(times, 7200.0))
    account = Progress()
    work = Counted(account)
    work.waiting = 1
    watching = asyncio.create_task(account.watch())
    await asyncio.sleep(0.05)
    assert account.data()["well"] is True
    watching.cancel()
