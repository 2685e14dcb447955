"""The collector of USB: which device is which, plugged in and pulled out, on virtual sockets with real
pseudo-terminals."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from drivers.usb.collector import EnrolledUsb
from hub.readings import Origin
from tests.rigs.plugging import HOME_TIME, LINES, Plugged, Talker, adapter, enrolled_reader, plugging, reader

ADAPTER = adapter()
ADDRESS = ADAPTER.address


async def test_what_is_plugged_in_is_greeted_heard_and_answered() -> None:
    async with plugging(ADDRESS) as plugged:
        talker = Talker(b"97 72\nare you there?\n")
        plugged.usb.plug(ADAPTER, talker)
        await plugged.until(lambda: len(plugged.payloads) == 2 and b"yes" in talker.heard)
        assert plugged.said == [b"97 72", b"are you there?"]
        assert {
            (each.device, each.driver, each.characteristic, each.origin) for each in plugged.payloads
        } == {("USB:0403:6001:A9XK2P7Q", "lines", "line", Origin.VIRTUAL)}
        assert talker.heard == b"hub 09:00\nyes\n"
        assert [(address, said.model) for address, said in plugged.learned] == [(str(ADDRESS), "lines")]
        status = plugged.status(ADDRESS)
        assert (status.plugged_in, status.connected, status.trouble, status.frames) == (True, True, None, 2)


async def test_a_clock_that_is_not_to_be_believed_is_not_set() -> None:
    async with plugging(ADDRESS, local_now=None) as plugged:
        talker = Talker()
        plugged.usb.plug(ADAPTER, talker)
        await plugged.until(lambda: talker.heard == b"hub no time\n")


async def test_once_the_clock_is_to_be_believed_the_sensor_is_greeted_anew_with_the_time() -> None:
    """Where a hub has no clock of its own, all is plugged in before the network has told it the time."""
    async with plugging(ADDRESS, local_now=None) as plugged:
        talker = Talker()
        plugged.usb.plug(ADAPTER, talker)
        await plugged.until(lambda: talker.heard == b"hub no time\n")
        plugged.local_now = HOME_TIME
        await plugged.until(lambda: talker.heard == b"hub no time\nhub 09:00\n")
        await asyncio.sleep(0.3)
    assert talker.heard == b"hub no time\nhub 09:00\n", "once"


async def test_what_was_there_before_the_hub_is_collected_from_as_well() -> None:
    async with plugging() as plugged:
        plugged.usb.plug(ADAPTER, Talker(b"97\n"))
        plugged.collector.enrol(EnrolledUsb(ADDRESS, LINES))
        await plugged.until(lambda: plugged.said == [b"97"])


async def test_what_is_not_enrolled_is_seen_and_never_opened() -> None:
    async with plugging() as plugged:
        talker = Talker(b"97\n")
        plugged.usb.plug(ADAPTER, talker)
        await plugged.until(lambda: len(plugged.collector.sightings()) == 1)
        await asyncio.sleep(0.05)
        assert (plugged.said, talker.heard) == ([], b"")
        (seen,) = plugged.collector.sightings()
        assert (seen.address, seen.by_port) == (str(ADDRESS), "USB:0403:6001@PLATFORM-USB-0:1.1")


async def test_half_a_frame_is_never_believed_and_the_sensor_is_back_when_it_is_back() -> None:
    async with plugging(ADDRESS) as plugged:
        device = plugged.usb.plug(ADAPTER, talker := Talker())
        await plugged.until(lambda: plugged.status(ADDRESS).connected)
        talker.to_say = b"97 72 is half"
        await plugged.usb.unplug(device, mid_frame=True)
        await plugged.until(lambda: not plugged.status(ADDRESS).plugged_in)
        assert (plugged.said, plugged.status(ADDRESS).trouble) == ([], None)
        plugged.usb.plug(ADAPTER, Talker(b" a frame\n98 70\n"))
        await plugged.until(lambda: len(plugged.said) == 2)
        assert plugged.said == [b" a frame", b"98 70"], "the half of before is not put before what came after"


async def test_a_serial_number_is_known_in_any_socket() -> None:
    async with plugging(ADDRESS) as plugged:
        for port in ("platform-usb-0:1.1", "platform-usb-0:1.4.2"):
            before = len(plugged.said)
            device = plugged.usb.plug(adapter(port=port), Talker(b"97\n"))
            await plugged.until(lambda before=before: len(plugged.said) > before)  # type: ignore[misc]  # of now
            await plugged.usb.unplug(device)
            await plugged.until(lambda: not plugged.status(ADDRESS).plugged_in)


async def test_without_a_serial_number_the_socket_tells_two_of_a_kind_apart() -> None:
    first, second = (adapter("0001", f"platform-usb-0:1.{number}") for number in (1, 2))
    async with plugging(first.address, second.address) as plugged:
        plugged.usb.plug(second, Talker(b"second\n"))
        plugged.usb.plug(first, Talker(b"first\n"))
        await plugged.until(lambda: len(plugged.payloads) == 2)
        assert {each.device: each.payload for each in plugged.payloads} == {
            str(first.by_port): b"first",
            str(second.by_port): b"second",
        }


async def test_of_two_that_say_the_same_serial_number_neither_is_taken_for_the_one() -> None:
    other = adapter(port="platform-usb-0:1.2")
    async with plugging(ADDRESS) as plugged:
        first = plugged.usb.plug(ADAPTER, Talker(b"mine\n"))
        await plugged.until(lambda: plugged.said == [b"mine"])
        second = plugged.usb.plug(other, talker := Talker(b"another's\n"))
        await plugged.until(lambda: not plugged.status(ADDRESS).connected)
        trouble = plugged.status(ADDRESS).trouble
        assert trouble is not None
        assert "2 devices" in trouble
        assert str(other.by_port) in trouble
        assert [each.address for each in plugged.collector.sightings()] == [
            str(ADAPTER.by_port),
            str(other.by_port),
        ], "to be enrolled by their sockets"
        await plugged.usb.unplug(second)
        await plugged.until(lambda: plugged.status(ADDRESS).connected)
        assert talker.heard == b""
        assert plugged.said == [b"mine"]
        await plugged.usb.unplug(first)


async def test_when_the_one_is_pulled_out_the_other_with_its_serial_number_is_not_taken_for_it() -> None:
    twin = adapter(port="platform-usb-0:1.2")
    async with plugging(ADDRESS) as plugged:
        first = plugged.usb.plug(ADAPTER, Talker(b"mine\n"))
        await plugged.until(lambda: plugged.said == [b"mine"])
        plugged.usb.plug(twin, talker := Talker(b"another's\n"))
        await plugged.until(lambda: not plugged.status(ADDRESS).connected)
        await plugged.usb.unplug(first)
        await plugged.until(lambda: len(plugged.collector.sightings()) == 1)
        assert "nobody knows which" in str(plugged.status(ADDRESS).trouble)
        assert str(twin.by_port) in str(plugged.status(ADDRESS).trouble)
        assert [each.address for each in plugged.collector.sightings()] == [str(twin.by_port)]
        back = plugged.usb.plug(ADAPTER, Talker(b"mine again, or not\n"))
        await plugged.until(lambda: len(plugged.collector.sightings()) == 2)
        await plugged.usb.unplug(back)
        await asyncio.sleep(0.05)
        assert (plugged.said, talker.heard) == ([b"mine"], b"")
        plugged.collector.enrol(EnrolledUsb(twin.by_port, LINES))
        await plugged.until(lambda: plugged.said == [b"mine", b"another's"])
        assert plugged.payloads[-1].device == str(twin.by_port)


async def test_two_in_one_socket_are_said_to_be_there() -> None:
    one = adapter(None)
    async with plugging(one.by_port) as plugged:
        plugged.usb.plug(one, Talker())
        plugged.usb.plug(replace(one, id="/sys/other"), Talker())
        await plugged.until(lambda: "2 of it in this socket" in str(plugged.status(one.by_port).trouble))


async def test_what_is_enrolled_while_udev_fails_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with plugging(ADDRESS) as plugged:
        plugged.usb.plug(ADAPTER, talker := Talker())
        await plugged.until(lambda: plugged.status(ADDRESS).connected)
        plugged.usb.fail("udev is not running")
        while plugged.collector.status().usable:
            await asyncio.sleep(0)
        plugged.collector.enrol(EnrolledUsb(adapter("B8YL3Q6R").address, LINES))  # its sessions are ending
        await plugged.until(lambda: talker.heard.count(b"hub") == 2)


async def test_both_there_from_the_start_neither_is_opened_even_for_a_moment() -> None:
    talkers = [Talker(b"97\n"), Talker(b"80\n")]
    async with plugging(ADDRESS) as plugged:
        plugged.usb.fail("udev was restarted")  # so that both are told together
        devices = [
            plugged.usb.plug(adapter(port=f"platform-usb-0:1.{number}"), talker)
            for number, talker in enumerate(talkers, 1)
        ]
        await plugged.until(lambda: plugged.status(ADDRESS).trouble is not None)
        await asyncio.sleep(0.05)
        assert (plugged.said, [each.heard for each in talkers]) == ([], [b"", b""])
        await plugged.usb.unplug(devices[1])
        await asyncio.sleep(0.05)
        assert (plugged.said, talkers[0].heard) == ([], b""), "nor the one that is left: which is it?"


async def test_one_device_that_is_enrolled_twice_is_neithers() -> None:
    """By its serial number it may be meant as another than by its socket."""
    async with plugging(ADAPTER.by_port, ADDRESS) as plugged:
        plugged.usb.plug(ADAPTER, talker := Talker(b"97\n"))
        await plugged.until(lambda: plugged.status(ADDRESS).trouble is not None)
        assert str(ADAPTER.by_port) in str(plugged.status(ADDRESS).trouble)
        assert str(ADDRESS) in str(plugged.status(ADAPTER.by_port).trouble)
        await asyncio.sleep(0.05)
        assert (plugged.said, talker.heard) == ([], b"")
        await plugged.collector.forget(str(ADAPTER.by_port))
        await plugged.until(lambda: plugged.said == [b"97"])


async def test_another_interface_of_the_same_device_is_another_sensor() -> None:
    second = replace(ADAPTER, id="/sys/other", interface=1)
    async with plugging(second.address) as plugged:
        plugged.usb.plug(ADAPTER, Talker(b"first\n"))
        plugged.usb.plug(second, Talker(b"second\n"))
        await plugged.until(lambda: plugged.said == [b"second"])


async def test_bytes_that_are_no_frames_are_said_with_what_to_do_until_a_frame_comes() -> None:
    class Noise(Talker):
        def due(self, at: float) -> bytes:
            return super().due(at) or b"\0\n"

    async with plugging(ADDRESS) as plugged:
        plugged.usb.plug(ADAPTER, noise := Noise())
        await plugged.until(lambda: plugged.status(ADDRESS).trouble is not None)
        assert "right driver" in str(plugged.status(ADDRESS).trouble)
        noise.to_say = b"97\n"
        await plugged.until(lambda: plugged.status(ADDRESS).trouble is None)


async def test_a_silent_sensor_is_no_trouble() -> None:
    async with plugging(ADDRESS) as plugged:
        plugged.usb.plug(ADAPTER, Talker())
        await plugged.until(lambda: plugged.status(ADDRESS).connected)
        await asyncio.sleep(0.2)
        assert plugged.status(ADDRESS).trouble is None


async def test_a_forgotten_device_is_closed_and_can_be_enrolled_anew() -> None:
    async with plugging(ADDRESS) as plugged:
        plugged.usb.plug(ADAPTER, talker := Talker(b"97\n"))
        await plugged.until(lambda: plugged.said == [b"97"])
        await plugged.collector.forget(str(ADDRESS))
        talker.to_say = b"nobody's\n"
        await asyncio.sleep(0.05)
        assert plugged.said == [b"97"]
        with pytest.raises(KeyError):
            await plugged.collector.forget(str(ADDRESS))
        talker.to_say = b""
        plugged.collector.enrol(EnrolledUsb(ADDRESS, LINES))
        with pytest.raises(ValueError, match="enrolled already"):
            plugged.collector.enrol(EnrolledUsb(ADDRESS, LINES))
        await plugged.until(lambda: plugged.status(ADDRESS).connected)


async def test_udev_that_fails_is_asked_again_and_all_is_collected_from_as_before(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR)
    async with plugging(ADDRESS) as plugged:
        plugged.usb.plug(ADAPTER, talker := Talker(b"97\n"))
        await plugged.until(lambda: plugged.said == [b"97"])
        plugged.usb.fail("udev is not running")
        await plugged.until(lambda: not plugged.collector.status().usable)
        assert plugged.collector.status().words == "udev is not running"
        await plugged.until(lambda: talker.heard.count(b"hub") == 2)
        talker.to_say = b"98\n"
        await plugged.until(lambda: plugged.said == [b"97", b"98"])
    assert [record.getMessage() for record in caplog.records] == [
        "no USB: udev is not running; the hub looks again"
    ]


async def test_a_wristbands_code_is_told_with_its_reader_and_reaches_no_console(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with plugging(enrolled_reader(reader())) as plugged:
        keyboard = plugged.usb.plug_keyboard(reader())
        await plugged.until(lambda: plugged.status(reader().address).connected)
        plugged.usb.type_on(keyboard, "W-0412\n")
        await plugged.until(lambda: len(plugged.scans) == 1)
        assert plugged.scans == [(str(reader().address), "W-0412")]
        assert plugged.usb.on_console(keyboard) == ""
        assert plugged.payloads == [], "a code is nobody's reading"
    assert "0412" not in caplog.text


async def test_a_reader_that_is_pulled_out_tells_that_nobody_can_be_scanned_now() -> None:
    async with plugging(enrolled_reader(reader())) as plugged:
        keyboard = plugged.usb.plug_keyboard(reader())
        await plugged.until(lambda: plugged.status(reader().address).connected)
        plugged.usb.type_on(keyboard, "W-04")
        assert plugged.unheard == [str(reader().address)], "nor what was scanned before it was taken"
        await plugged.usb.unplug(keyboard)
        await plugged.until(lambda: plugged.unheard == [str(reader().address)] * 2)
    assert plugged.scans == [], "no scan was damaged"


async def test_a_serial_sensor_is_no_reader_and_a_keyboard_no_sensor() -> None:
    keyboard = replace(reader(), vendor=ADAPTER.vendor, product=ADAPTER.product, serial=ADAPTER.serial)
    async with plugging(ADDRESS) as plugged:
        plugged.usb.plug_keyboard(keyboard)
        await plugged.until(lambda: len(plugged.collector.sightings()) == 1)
        assert not plugged.status(ADDRESS).plugged_in
        assert "is a keyboard, and lines reads a serial line" in str(plugged.status(ADDRESS).trouble)


async def test_what_was_received_is_delivered_before_it_ends() -> None:
    async with plugging(ADDRESS) as plugged:
        plugged.usb.plug(ADAPTER, Talker(b"".join(b"%d\n" % number for number in range(500))))
        await plugged.until(lambda: plugged.status(ADDRESS).frames == 500)
    assert plugged.said == [b"%d" % number for number in range(500)]


async def test_two_hundred_times_plugged_in_and_out_leave_nothing_open() -> None:
    async def once(plugged: Plugged, number: int) -> None:
        device = plugged.usb.plug(ADAPTER, Talker(b"%d\nhal" % number))
        await plugged.until(lambda: plugged.said[-1:] == [b"%d" % number])
        await plugged.usb.unplug(device)
        await plugged.until(lambda: not plugged.status(ADDRESS).plugged_in)

    async with plugging(ADDRESS) as plugged:
        await once(plugged, 0)
        descriptors, tasks = len(list(Path("/proc/self/fd").iterdir())), len(asyncio.all_tasks())
        for number in range(1, 201):
            await once(plugged, number)
        await plugged.until(
            lambda: (
                len(list(Path("/proc/self/fd").iterdir())) <= descriptors
                and len(asyncio.all_tasks()) <= tasks
            )
        )
    assert plugged.said == [b"%d" % number for number in range(201)]
