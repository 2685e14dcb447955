"""Real python-evdev over a device node that umockdev plays, with events as the kernel writes them. That
nobody else gets what is typed is the kernel's doing: `tests/vm` shows it."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from unittest import mock

import evdev
import pytest

from drivers.usb import keyboard as keyboard_module
from drivers.usb.bus import Key, UsbDevice, UsbError
from drivers.usb.keyboard import open_keyboard
from drivers.usb.udev import UdevBus
from drivers.usb.wedge import ScanLostError, Wedge
from hub.running.patience import within
from tests.rigs.umockdev import PlayedKeyboard, Plug, Testbed, on_a_testbed

Event = tuple[int, int, int]  # type, code and value of linux/input.h
SYN = (0, 0, 0)  # EV_SYN, SYN_REPORT: the end of what happened at once
DROPPED = (0, 3, 0)  # EV_SYN, SYN_DROPPED: the kernel's buffer has run over
SHIFT, ENTER, KEY_A, KEY_B, KEY_C = 42, 28, 30, 48, 46
DIGITS = {str(digit): digit + 1 if digit else 11 for digit in range(10)}


def down(code: int) -> tuple[Event, ...]:
    """A key goes down: EV_MSC, MSC_SCAN with the usage first, as usbhid does; EV_KEY; EV_SYN."""
    return ((4, 4, 0x70000 + code), (1, code, 1), SYN)


def up(code: int) -> tuple[Event, ...]:
    return ((4, 4, 0x70000 + code), (1, code, 0), SYN)


def tapped(*codes: int) -> tuple[Event, ...]:
    return tuple(event for code in codes for event in (*down(code), *up(code)))


def scanned(digits: str) -> tuple[Event, ...]:
    return tapped(*(DIGITS[digit] for digit in digits), ENTER)


class Typed:
    """What a keyboard that was taken tells."""

    def __init__(self, keys: AsyncIterator[Key | None]) -> None:
        self._keys = keys

    async def next(self, count: int) -> list[Key | None]:
        return await within(20, self._some(count))

    async def _some(self, count: int) -> list[Key | None]:
        return [await anext(self._keys) for _ in range(count)]


@asynccontextmanager
async def taken(played: PlayedKeyboard, *, quiet: float = 0.05) -> AsyncIterator[Typed]:
    """Nobody types here when it is taken, unless a test says so: it need not be quiet for long."""
    with mock.patch.object(keyboard_module, "_QUIET", quiet):
        async with open_keyboard(played.node) as keyboard:
            yield Typed(keyboard.keys())


@on_a_testbed
async def test_keys_are_told_as_they_go_down_and_come_up(testbed: Testbed) -> None:
    played = testbed.played_keyboard()
    async with taken(played) as typed:
        played.send(*down(SHIFT), *tapped(KEY_A), *up(SHIFT))
        assert await typed.next(4) == [
            Key(SHIFT),
            Key(KEY_A),
            Key(KEY_A, down=False),
            Key(SHIFT, down=False),
        ]
        played.send((1, KEY_B, 2), SYN)
        assert await typed.next(1) == [Key(KEY_B, repeats=True)]


@on_a_testbed
async def test_what_was_typed_before_it_was_taken_is_dropped(testbed: Testbed) -> None:
    played = testbed.played_keyboard()
    played.send(*tapped(KEY_A))
    async with taken(played) as typed:
        played.send(*tapped(KEY_B))
        assert await typed.next(2) == [Key(KEY_B), Key(KEY_B, down=False)]


@on_a_testbed
async def test_what_is_being_typed_when_it_is_taken_is_dropped_to_its_end(testbed: Testbed) -> None:
    """A reader is in the midst of a code: the rest of it may be another's code."""
    played = testbed.played_keyboard()

    async def reader() -> None:
        for digit in "9434765919":
            played.send(*tapped(DIGITS[digit]))
            await asyncio.sleep(0.005)
        played.send(*tapped(ENTER))

    typing = asyncio.create_task(reader())
    await asyncio.sleep(0.012)
    async with taken(played, quiet=1) as typed:
        assert typing.done()
        played.send(*tapped(KEY_C))
        assert await typed.next(2) == [Key(KEY_C), Key(KEY_C, down=False)]


@on_a_testbed
async def test_it_is_taken_before_anything_is_read(testbed: Testbed) -> None:
    played = testbed.played_keyboard()
    done: list[str] = []
    grab, read = evdev.InputDevice.grab, evdev.InputDevice.read

    def noted_grab(device: evdev.InputDevice[str]) -> None:
        done.append("grab")
        grab(device)

    def noted_read(device: evdev.InputDevice[str]) -> object:
        done.append("read")
        return read(device)

    played.send(*tapped(KEY_A))
    with (
        mock.patch.object(evdev.InputDevice, "grab", noted_grab),
        mock.patch.object(evdev.InputDevice, "read", noted_read),
    ):
        async with taken(played):
            assert done == ["grab", "read"]


@on_a_testbed
async def test_where_the_kernel_has_lost_keys_that_is_told(testbed: Testbed) -> None:
    """Until the next SYN_REPORT nothing is to be believed (the kernel's event-codes.rst)."""
    played = testbed.played_keyboard()
    async with taken(played) as typed:
        played.send(*down(KEY_A), DROPPED, (1, KEY_B, 1), SYN, *down(KEY_C))
        assert await typed.next(3) == [Key(KEY_A), None, Key(KEY_C)]


@on_a_testbed
async def test_a_scan_of_which_keys_were_lost_is_no_code_and_the_next_is(testbed: Testbed) -> None:
    played = testbed.played_keyboard()
    heard: list[str] = []
    async with open_keyboard(played.node) as keyboard:
        for events in (
            scanned("111"),
            (*tapped(DIGITS["2"]), DROPPED, SYN, *scanned("22")),
            scanned("9434765919"),
        ):
            played.send(*events)
        wedge = Wedge()
        async for key in keyboard.keys():
            try:
                code = wedge.press(key, asyncio.get_running_loop().time())
            except ScanLostError:
                code = "lost"
            if code is not None:
                heard.append(code)
            if len(heard) == 3:
                break
    assert heard == ["111", "lost", "9434765919"]


@on_a_testbed
async def test_pulled_out_it_says_so(testbed: Testbed) -> None:
    played = testbed.played_keyboard()
    async with taken(played) as typed:
        played.send(*tapped(KEY_A))
        await typed.next(2)
        played.pull()
        with pytest.raises(UsbError):
            await typed.next(1)


@on_a_testbed
async def test_the_kernels_word_for_pulled_out(testbed: Testbed) -> None:
    """evdev answers ENODEV, which a node of umockdev's does not."""
    played = testbed.played_keyboard()
    async with taken(played) as typed:
        played.send(*tapped(KEY_A))
        gone = OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        with (
            mock.patch.object(evdev.InputDevice, "read", side_effect=gone),
            pytest.raises(UsbError, match="pulled out"),
        ):
            await typed.next(1)


@on_a_testbed
async def test_a_keyboard_that_somebody_else_has_taken_says_so(testbed: Testbed) -> None:
    """The kernel answers EBUSY; umockdev lets everybody take it."""
    played = testbed.played_keyboard()
    busy = OSError(errno.EBUSY, os.strerror(errno.EBUSY))
    with (
        mock.patch.object(evdev.InputDevice, "grab", side_effect=busy),
        pytest.raises(UsbError, match="another program"),
    ):
        await given_up(played)
    assert open_nodes(testbed) == 0


@on_a_testbed
async def test_a_keyboard_that_the_hub_may_not_open_says_what_to_install(testbed: Testbed) -> None:
    played = testbed.played_keyboard()
    for part in (testbed.root, *testbed.root.rglob("*")):  # umockdev's own sockets, too
        if part.is_dir() or part.is_socket():
            part.chmod(0o777)
    (testbed.root / "dev/input/event5").chmod(0)
    if os.geteuid() == 0:
        os.seteuid(65534)
    with pytest.raises(UsbError, match=r"systemd/udev/70-carehub-usb\.rules"):
        await given_up(played)
    os.seteuid(os.getuid())


@on_a_testbed
async def test_a_keyboard_that_is_not_there_any_more_says_so(testbed: Testbed) -> None:
    with pytest.raises(UsbError, match="not there any more"):
        await given_up(PlayedKeyboard("/dev/input/event9", -1))


@on_a_testbed
async def test_a_keyboard_that_types_without_end_is_not_taken(testbed: Testbed) -> None:
    played = testbed.played_keyboard()

    async def held_down() -> None:
        while True:
            played.send((1, KEY_A, 2), SYN)
            await asyncio.sleep(0.02)

    typing = asyncio.create_task(held_down())
    with (
        mock.patch.object(keyboard_module, "_QUIET_WITHIN", 1.3),
        pytest.raises(UsbError, match="without a pause"),
    ):
        await given_up(played, quiet=1.1)  # longer than a busy machine may pause the typing
    typing.cancel()


@on_a_testbed
async def test_it_is_let_go_at_the_end(testbed: Testbed) -> None:
    played = testbed.played_keyboard()
    for _ in range(50):
        async with taken(played, quiet=0.001):
            assert open_nodes(testbed) == 1
        assert open_nodes(testbed) == 0


@on_a_testbed
async def test_the_bus_gives_the_keyboard_of_a_device(testbed: Testbed) -> None:
    played = testbed.played_keyboard()
    testbed.plug_keyboard(Plug(), event=7)
    changes = UdevBus(Path("/dev/null")).changes()
    change = await anext(changes)
    assert change is not None
    device = UsbDevice(
        **{name: getattr(change.device, name) for name in UsbDevice.__slots__} | {"node": played.node}
    )
    async with AsyncExitStack() as stack:
        keyboard = await stack.enter_async_context(UdevBus().keyboard(device))
        played.send(*tapped(KEY_A))
        assert await Typed(keyboard.keys()).next(1) == [Key(KEY_A)]
    await changes.aclose()


def test_a_hub_without_usb_pays_for_neither_library() -> None:
    """In memory, or where they are missing."""
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, drivers.usb.udev, drivers.usb.keyboard; print(*sys.modules)"],
        capture_output=True, text=True, check=True, timeout=60,
    ).stdout.split()  # fmt: skip
    assert "drivers.usb.keyboard" in loaded
    assert not {"evdev", "pyudev", "serial"} & set(loaded)


async def given_up(played: PlayedKeyboard, *, quiet: float = 0.05) -> None:
    """It should not come so far that it is taken."""
    async with taken(played, quiet=quiet):
        pass


def open_nodes(testbed: Testbed) -> int:
    """How often this process has the keyboard open."""
    node = (testbed.root / "dev/input/event5").resolve()
    return sum(link.is_symlink() and link.readlink() == node for link in Path("/proc/self/fd").iterdir())
