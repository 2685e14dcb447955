"""Readers of wristbands on the kernel's own USB: what they type goes to the hub, and to no console."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from time import monotonic

import pytest

from tests.vm.guest.scenarios.conftest import Measured
from tests.vm.guest.sockets import Console, Sockets, collecting, reader
from tests.vm.guest.stage import until

CODE = "WB-00421"
TYPED = "wb-00421"
READER = reader("SCAN0001")
ADDRESS = READER[0]


@pytest.fixture
def console() -> Iterator[Console]:
    """Somebody waits at the console."""
    made = Console()
    made.clear()
    yield made
    made.close()


async def test_a_code_reaches_the_hub_and_no_console(
    sockets: Sockets, console: Console, measured: Measured
) -> None:
    """The control is what was typed before and after the hub ran: that is on the console."""
    sockets.plug_keyboard("1", "SCAN0001")
    await sockets.keyboard_is_ready("SCAN0001")
    await sockets.type("before\n")
    await asyncio.sleep(0.5)
    assert (console.line(), console.screen()) == ("before\n", "before")
    async with collecting(READER) as hub:
        took = await hub.opened(ADDRESS)
        began = monotonic()
        await sockets.type(f"{TYPED}\n")
        await until(lambda: hub.codes != [], 5)
        assert hub.codes == [CODE]
        measured(taken_after=took, code_after=monotonic() - began)
        assert (console.line(), console.screen()) == ("", "before")
    await sockets.type("after\n")
    await asyncio.sleep(0.5)
    assert (console.line(), console.screen()) == ("after\n", "before after")


async def test_what_is_typed_while_the_hub_takes_the_reader_is_no_code(
    sockets: Sockets, console: Console, measured: Measured
) -> None:
    """A scan that begins before the hub has the reader: its end alone might be another's code."""
    sockets.plug_keyboard("1", "SCAN0001")
    await sockets.keyboard_is_ready("SCAN0001")

    async def scan() -> None:
        await sockets.type("0123456789" * 4 + "\n")

    scanning = asyncio.create_task(scan())
    await until(lambda: console.screen() != "", 5)
    async with collecting(READER) as hub:
        await scanning
        await hub.opened(ADDRESS)
        on_console = console.screen()
        measured(on_the_console=f"{len(on_console)} of 40 signs")
        await sockets.type(f"{TYPED}\n")
        await until(lambda: hub.codes not in ([], [None]), 5)
    assert 0 < len(on_console) < 40, "it was taken in the midst"
    assert [code for code in hub.codes if code is not None] == [CODE]


async def test_a_reader_is_pulled_out_in_the_midst_of_a_code(
    sockets: Sockets, console: Console, measured: Measured
) -> None:
    async with collecting(READER) as hub:
        plugged = sockets.plug_keyboard("1", "SCAN0001")
        await hub.opened(ADDRESS)
        await sockets.type(TYPED[:5])
        began = monotonic()
        sockets.pull(plugged)
        await until(lambda: hub.unheard == [str(ADDRESS)] * 2, 5)  # before it was taken, and now
        measured(told_after=monotonic() - began)
        await hub.gone(ADDRESS)
        sockets.plug_keyboard("2", "SCAN0001")
        measured(taken_again_after=await hub.opened(ADDRESS))
        await sockets.type(f"{TYPED[5:]}\n")
        await sockets.type(f"{TYPED}\n")
        await until(lambda: len(hub.codes) == 2, 5)
        assert hub.codes == [CODE[5:], CODE]
        assert console.screen() == ""


async def test_two_readers_are_told_apart(sockets: Sockets, console: Console) -> None:
    other = reader("SCAN0002")
    async with collecting(READER, other) as hub:
        sockets.plug_keyboard("1", "SCAN0001")
        await hub.opened(ADDRESS)
        await sockets.type("first\n")
        plugged = sockets.plug_keyboard("2", "SCAN0002")
        await hub.opened(other[0])
        await sockets.type("second\n")
        await until(lambda: len(hub.codes) == 2, 5)
        sockets.pull(plugged)
        await hub.gone(other[0])
        await sockets.type("third\n")
        await until(lambda: len(hub.codes) == 3, 5)
        assert console.screen() == ""
    assert hub.scanned == [
        (str(ADDRESS), "FIRST"),
        (str(other[0]), "SECOND"),
        (str(ADDRESS), "THIRD"),
    ]


async def test_a_keyboard_that_is_not_enrolled_is_left_alone(sockets: Sockets, console: Console) -> None:
    async with collecting(READER) as hub:
        sockets.plug_keyboard("1", "DESK")
        await hub.sighting()
        await sockets.keyboard_is_ready("DESK")
        await sockets.type("ls\n")
        await until(lambda: console.line() == "ls\n", 5)
        assert hub.codes == []
