"""Real libudev and pyudev over what umockdev plays; see tests/rigs/umockdev.py."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import select
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from drivers.usb import udev
from drivers.usb.bus import Change, UsbError
from drivers.usb.udev import UdevBus
from tests.rigs.umockdev import Testbed, in_a_network_of_its_own, on_a_testbed
from tests.rigs.watching_udev import CH340, FTDI, READER, THERE, Watch, watching


def open_sockets() -> int:
    """Those of libudev's monitors among them; umockdev's threads open other descriptors, now and then."""
    links = [link.readlink().name for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(name.startswith("socket:") for name in links)


@on_a_testbed
async def test_what_is_there_is_told_first_and_then_that_that_was_all(testbed: Testbed) -> None:
    testbed.plug_serial(FTDI, "ttyUSB0")
    testbed.plug_serial(CH340, "ttyUSB1")
    testbed.plug_keyboard(READER)
    async with watching() as watch:
        assert {device.node for device in await watch.there()} == {
            "/dev/ttyUSB0",
            "/dev/ttyUSB1",
            "/dev/input/event5",
        }
        await watch.nothing()


@on_a_testbed
async def test_nothing_plugged_in_is_told_too(testbed: Testbed) -> None:
    async with watching() as watch:
        assert await watch.there() == []


@on_a_testbed
async def test_a_device_comes_and_goes(testbed: Testbed) -> None:
    async with watching() as watch:
        await watch.there()
        path = testbed.plug_serial(FTDI)
        came = await watch.next()
        assert came is not None
        assert came.present
        assert (came.device.id, came.device.node) == (path, "/dev/ttyUSB0")
        testbed.pull(path, FTDI)
        assert await watch.next() == Change(came.device, present=False)
        await watch.nothing()


@on_a_testbed
async def test_what_udev_says_again_is_told_once(testbed: Testbed) -> None:
    path = testbed.plug_serial(FTDI)
    async with watching() as watch:
        await watch.there()
        for action in ("add", "change", "bind", "online"):
            testbed.tell(path, action)
        await watch.nothing()


@on_a_testbed
async def test_what_is_plugged_in_while_others_are_looked_up_is_told_once(testbed: Testbed) -> None:
    testbed.plug_serial(FTDI, "ttyUSB0")
    async with watching() as watch:
        first = await watch.next()  # it listens by now, and has looked up the first
        testbed.plug_serial(CH340, "ttyUSB1")
        later = [first, await watch.next(), await watch.next()]
        assert [change and change.device.node for change in later] == ["/dev/ttyUSB0", None, "/dev/ttyUSB1"]
        await watch.nothing()


@on_a_testbed
async def test_what_udev_says_otherwise_later_is_another_device(testbed: Testbed) -> None:
    """Looked up before udev's rules have run: sysfs says enough to be known by, and udev says it better."""
    path = testbed.plug_serial(replace(FTDI, serial="A9 XK"), says={}, tell=False)
    async with watching() as watch:
        (before,) = await watch.there()
        assert before.serial == "A9_XK"
        for name, text in replace(FTDI, serial="A9_XK").said_by_udev().items():
            testbed.set_property(path, name, text)
        testbed.tell(path)
        assert await watch.next() == Change(before, present=False)
        now = await watch.next()
        assert now is not None
        assert now.present
        assert now.device == replace(before, port="platform-fe980000.usb-usb-0:1.4")


@on_a_testbed
async def test_a_device_in_the_place_of_another_is_told_though_nobody_said_that_it_was_gone(
    testbed: Testbed,
) -> None:
    path = testbed.plug_serial(FTDI)
    async with watching() as watch:
        (before,) = await watch.there()
        testbed.pull(path, FTDI, tell=False)
        testbed.plug_serial(replace(FTDI, number=FTDI.number + 1))
        assert await watch.next() == Change(before, present=False)
        assert await watch.next() == Change(before, present=True)  # alike, and plugged in anew


@on_a_testbed
async def test_asked_again_it_begins_anew(testbed: Testbed) -> None:
    testbed.plug_serial(FTDI)
    bus = UdevBus(THERE)
    for _ in range(2):
        async with watching(bus) as watch:
            assert len(await watch.there()) == 1


@on_a_testbed
async def test_two_may_watch(testbed: Testbed) -> None:
    async with watching() as one, watching() as other:
        for watch in (one, other):
            assert await watch.there() == []
        testbed.plug_serial(FTDI)
        assert await one.next() == await other.next() is not None


@on_a_testbed
async def test_what_is_pulled_out_while_it_is_read_is_not_there(testbed: Testbed) -> None:
    async with watching() as watch:
        await watch.there()
        path = testbed.plug_serial(FTDI)
        testbed.pull(path, FTDI)  # both messages wait, and sysfs has it no more
        await watch.nothing()
        testbed.plug_serial(CH340)
        change = await watch.next()
        assert change is not None
        assert (change.device.vendor, change.present) == (0x1A86, True)


@on_a_testbed
async def test_a_storm_of_messages_leaves_the_others_their_turn(testbed: Testbed) -> None:
    turns = 0

    async def another() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    path = testbed.plug_serial(FTDI)
    changes = UdevBus(THERE).changes()
    while await anext(changes) is not None:
        pass
    task = asyncio.create_task(another())
    before = 0
    for n in range(260):  # each message while the one before it is being told of
        testbed.set_property(path, "ID_SERIAL_SHORT", f"A{n}")
        testbed.tell(path, "change")
        await anext(changes)
        await anext(changes)
        before = before or turns  # after the first, which it had to wait for
    assert turns > before
    task.cancel()
    await changes.aclose()


@in_a_network_of_its_own
async def test_where_messages_were_lost_what_is_there_is_looked_up_anew(testbed: Testbed) -> None:
    """The kernel's own overrun: it has more for a listener than fits into its buffer, and throws it away. It
    goes on doing so until the buffer has been emptied, and says it once."""
    looked_up, still_to_read = udev._Watch.looked_up, []

    def noted(watch: udev._Watch) -> Iterator[Change]:
        still_to_read.append(bool(select.select([watch.descriptor], [], [], 0)[0]))
        return looked_up(watch)

    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(udev._Watch, "looked_up", noted)
    with testbed.kernels_own_messages():
        watch = Watch(UdevBus(THERE).changes())
        machines_own = await watch.there()  # none, on a machine without USB
        flood = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15)
    path = testbed.plug_serial(CH340)
    await watch.nothing()
    overrun(flood)
    for device in machines_own:
        assert await watch.next() == Change(device, present=False)
    came = await watch.next()
    assert came is not None
    assert (came.device.id, came.present) == (path, True)
    testbed.pull(path, CH340)
    await watch.nothing()
    overrun(flood)
    assert await watch.next() == Change(came.device, present=False)
    with contextlib.suppress(OSError):
        flood.sendto(b"x", (0, 2))
    await watch.nothing()
    assert still_to_read == [False, False, False]  # at the beginning, and once for each overrun
    flood.close()
    await watch.end()


def overrun(flood: socket.socket) -> None:
    """Send 12 MB to those who listen to udev (group 2), which no program without rights has a buffer for."""
    for _ in range(3000):
        # Others get it all the same; the kernel itself, who is told too, does not know what it is.
        with contextlib.suppress(OSError):
            flood.sendto(4000 * b"x", (0, 2))


async def test_without_udev_it_says_what_to_do(tmp_path: Path) -> None:
    async with watching(UdevBus(tmp_path / "control")) as watch:
        with pytest.raises(UsbError, match="systemctl status systemd-udevd"):
            await watch.there()


@on_a_testbed
async def test_it_can_be_left_at_any_time(testbed: Testbed) -> None:
    testbed.plug_serial(FTDI)
    async with watching() as watch:
        await watch.there()
        asking = asyncio.ensure_future(watch.next())
        await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled()


@on_a_testbed
async def test_200_devices_plugged_in_and_pulled_out_leave_nothing_behind(testbed: Testbed) -> None:
    plug = replace(FTDI, chain="1")
    path = testbed.plug_serial(plug)
    async with watching() as watch:
        (the_adapter,) = await watch.there()
        testbed.pull(path, plug)
        await watch.next()

        async def cycle() -> None:
            path = testbed.plug_serial(plug)
            came = await watch.next()
            testbed.pull(path, plug)
            gone = await watch.next()
            assert came == Change(the_adapter, present=True)
            assert gone == Change(the_adapter, present=False)

        for _ in range(5):
            await cycle()
        gc.collect()
        before = open_sockets()
        for _ in range(200):
            await cycle()
        gc.collect()
        assert open_sockets() <= before + 1  # umockdev's own may come late


@on_a_testbed
async def test_watching_200_times_leaves_nothing_open(testbed: Testbed) -> None:
    bus = UdevBus(THERE)
    before = 0
    for n in range(205):
        if n == 5:
            before = open_sockets()
        async with watching(bus) as watch:
            await watch.there()
    assert open_sockets() <= before + 1  # umockdev's own may come late
