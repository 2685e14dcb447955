"""The virtual sockets, through pyserial and the kernel's own pseudo-terminals."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import serial

from drivers.usb.bus import Change, Key, Kind, UsbDevice, UsbError
from drivers.virtual import VirtualWardError
from drivers.virtual.onetouch import OneTouchMeter
from drivers.virtual.usb import VirtualUsb
from drivers.virtual.usb_scenario import PLUGGED_IN, VALUES, ScenarioDevice, load_usb_scenario, measure
from drivers.virtual.wrong_baud import misheard

METER = UsbDevice("1-1.4", Kind.SERIAL, "", 0x10C4, 0xEA60, "platform-xhci-hcd.0-usb-0:1.4", "A9XK2P7Q")
READER = UsbDevice(
    "1-1.3", Kind.KEYBOARD, "/dev/input/event5", 0x05E0, 0x1200, "platform-xhci-hcd.0-usb-0:1.3"
)


class Echo:
    """Says again what it hears, and ten bytes by itself whenever it is told to."""

    def __init__(self) -> None:
        self.heard = b""
        self.to_say = b""

    def hear(self, octets: bytes, at: float) -> bytes:
        self.heard += octets
        return octets

    def due(self, at: float) -> bytes:
        said, self.to_say = self.to_say, b""
        return said


@contextlib.contextmanager
def opened(device: UsbDevice, baud: int = 9600) -> Iterator[serial.Serial]:
    line = serial.Serial(device.node, baud, timeout=0, exclusive=True)
    try:
        yield line
    finally:
        line.close()


@contextlib.contextmanager
def opened_plainly(device: UsbDevice) -> Iterator[int]:
    """Not through pyserial, which throws away what it finds, and reads b"" where there is nothing."""
    line = os.open(device.node, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        yield line
    finally:
        os.close(line)


async def until(so: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not so():
            await asyncio.sleep(0.002)


async def read(line: serial.Serial, octets: int) -> bytes:
    got = bytearray()

    def whole() -> bool:
        got.extend(line.read(octets - len(got)))
        return len(got) == octets

    await until(whole)
    return bytes(got)


async def test_a_plugged_in_device_is_a_line_that_pyserial_opens_by_its_path() -> None:
    async with VirtualUsb.open() as usb:
        plugged = usb.plug(METER, echo := Echo())
        assert replace(plugged, node="") == METER
        assert usb.plugged_in == (plugged,)
        with opened(plugged) as line:
            every_octet = bytes(range(256))
            line.write(every_octet)
            assert await read(line, 256) == every_octet
            assert echo.heard == every_octet
            echo.to_say = b"by itself"
            assert await read(line, 9) == b"by itself"


async def test_what_is_said_while_nobody_has_it_open_is_heard_by_nobody() -> None:
    async with VirtualUsb.open() as usb:
        plugged = usb.plug(METER, echo := Echo())
        echo.to_say = b"to nobody"
        await until(lambda: not echo.to_say)
        with opened_plainly(plugged) as line:
            await asyncio.sleep(0.02)
            with pytest.raises(BlockingIOError):
                os.read(line, 100)
            echo.to_say = b"to somebody"
            await until(lambda: not echo.to_say)
            assert os.read(line, 100) == b"to somebody"


async def test_what_is_written_right_before_it_is_closed_arrives() -> None:
    async with VirtualUsb.open() as usb:
        plugged = usb.plug(METER, echo := Echo())
        with opened(plugged) as line:
            line.write(b"stop")
        await until(lambda: echo.heard == b"stop")


async def test_a_device_pulled_out_hangs_up_as_the_kernel_does_to_a_usb_adapter() -> None:
    async with VirtualUsb.open() as usb:
        plugged = usb.plug(METER, Echo())
        with opened(plugged) as line:
            await usb.unplug(plugged)
            assert not Path(plugged.node).exists()
            assert os.read(line.fileno(), 10) == b""
            with pytest.raises(OSError, match="Input/output error"):
                os.write(line.fileno(), b"?")
        assert usb.plugged_in == ()
        with pytest.raises(VirtualWardError, match="not plugged in"):
            await usb.unplug(plugged)


async def test_a_device_pulled_out_in_the_middle_of_a_frame_has_said_half_of_it() -> None:
    async with VirtualUsb.open() as usb:
        plugged = usb.plug(METER, echo := Echo())
        with opened_plainly(plugged) as line:
            pulling = asyncio.create_task(usb.unplug(plugged, mid_frame=True))
            await asyncio.sleep(0)
            echo.to_say = b"0123456789"
            said = bytearray()

            def hung_up() -> bool:
                with contextlib.suppress(BlockingIOError):
                    said.extend(octets := os.read(line, 100))
                    return not octets
                return False

            await until(hung_up)
            assert said == b"01234"
            await pulling


async def test_changes_are_first_what_is_there_and_then_what_comes_and_goes() -> None:
    async with VirtualUsb.open() as usb:
        reader = usb.plug_keyboard(READER)
        changes = usb.changes()
        assert [await anext(changes) for _ in range(2)] == [Change(reader, present=True), None]
        meter = usb.plug(METER, Echo())
        await usb.unplug(meter)
        again = usb.plug(METER, Echo())
        assert [await anext(changes) for _ in range(3)] == [
            Change(meter, present=True),
            Change(meter, present=False),
            Change(again, present=True),
        ]
        usb.fail("udev has gone")
        with pytest.raises(UsbError, match="udev has gone"):
            await anext(changes)
        assert [await anext(asked_again) for asked_again in [usb.changes()] * 3] == [
            Change(reader, present=True),
            Change(again, present=True),
            None,
        ]


async def test_a_taken_keyboard_types_to_its_taker_and_else_to_the_console() -> None:
    """The codes are those of Linux's input-event-codes.h: KEY_R 19, KEY_LEFTSHIFT 42, KEY_7 8, KEY_MINUS 12,
    KEY_ENTER 28, KEY_0 11, KEY_M 50."""
    async with VirtualUsb.open() as usb:
        usb.plug_keyboard(READER)
        usb.type_on(READER, "r1\n")
        async with usb.keyboard(READER) as keyboard:
            with pytest.raises(UsbError, match="another program"):
                async with usb.keyboard(READER):
                    pass
            usb.type_on(READER, "R7-0m\n")
            keys = keyboard.keys()
            said = [await anext(keys) for _ in range(14)]
            assert said == [
                *(Key(42), Key(19), Key(19, down=False), Key(42, down=False)),
                *(Key(8), Key(8, down=False)),
                *(Key(12), Key(12, down=False)),
                *(Key(11), Key(11, down=False)),
                *(Key(50), Key(50, down=False)),
                *(Key(28), Key(28, down=False)),
            ]
            usb.lose_keys(READER)
            assert await anext(keys) is None
            assert usb.on_console(READER) == "r1\n"
        usb.type_on(READER, "x")
        assert usb.on_console(READER) == "r1\nx"
        with pytest.raises(VirtualWardError, match="no key for 'é'"):
            usb.type_on(READER, "é")


async def test_a_keyboard_pulled_out_says_so_to_its_taker_and_cannot_be_taken() -> None:
    async with VirtualUsb.open() as usb:
        usb.plug_keyboard(READER)
        async with usb.keyboard(READER) as keyboard:
            keys = keyboard.keys()
            usb.type_on(READER, "1")
            await usb.unplug(READER)
            assert [await anext(keys), await anext(keys)] == [Key(2), Key(2, down=False)]
            with pytest.raises(UsbError, match="pulled out"):
                await anext(keys)
        with pytest.raises(UsbError, match="not plugged in"):
            async with usb.keyboard(READER):
                pass
        with pytest.raises(VirtualWardError, match="is plugged in"):
            usb.type_on(READER, "1")


async def test_nothing_is_left_of_sockets_that_are_closed() -> None:
    gc.collect()  # what other tests left in it
    descriptors = set(Path("/proc/self/fd").iterdir())
    async with VirtualUsb.open() as usb:
        for number in range(20):
            usb.plug(replace(METER, id=f"1-{number}"), Echo())
        for plugged in usb.plugged_in[:10]:
            await usb.unplug(plugged)
    assert set(Path("/proc/self/fd").iterdir()) == descriptors
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_two_things_cannot_be_in_one_socket_and_a_keyboard_is_no_line() -> None:
    async with VirtualUsb.open() as usb:
        usb.plug(METER, Echo())
        with pytest.raises(VirtualWardError, match="plugged in already"):
            usb.plug(METER, Echo())
        with pytest.raises(VirtualWardError, match="is a keyboard"):
            usb.plug(READER, Echo())


async def test_a_line_that_is_set_wrongly_carries_something_else_both_ways() -> None:
    async with VirtualUsb.open() as usb:
        plugged = usb.plug(METER, echo := Echo(), baud=9600)
        with opened(plugged, 9600) as line:
            line.write(b"\x00")
            assert await read(line, 1) == b"\x00"
        with opened(plugged, 19200) as line:
            echo.to_say = b"\x00"
            assert await read(line, 2) == b"\x00\x80"
            line.write(b"\xff\xff")
            await until(lambda: len(echo.heard) > 1)
            assert echo.heard != b"\x00\xff\xff"


def test_what_a_receiver_makes_of_another_baud_rate_is_what_it_sees_in_the_middle_of_its_bits() -> None:
    # 00 at half its rate: low for nine bits of the sender's, which are eighteen of its own. A start bit and
    # eight bits of data of them are the first byte, and its stop bit is low too; the next start bit and seven
    # bits of data are low, and the eighth is the sender's stop bit.
    assert misheard(b"\x00", sent=9600, heard=19200) == b"\x00\x80"
    # FF at twice its rate: low for half a bit of its own, high ever after.
    assert misheard(b"\xff", sent=19200, heard=9600) == b"\xff"
    assert misheard(bytes(range(256)), sent=9600, heard=9600) == bytes(range(256))
    assert misheard(b"\x00", sent=None, heard=9600) == b"\x00"


async def changes_until(usb: VirtualUsb, number: int) -> list[tuple[str, bool]]:
    """So many changes: the port, and whether something is there."""
    seen: list[tuple[str, bool]] = []
    async with asyncio.timeout(10):
        async for change in usb.changes():
            if change is not None:
                seen.append((change.device.port.rpartition(":")[2], change.present))
            if len(seen) == number:
                break
    return seen


async def test_the_scenario_of_the_demo_is_played_to_its_end(caplog: pytest.LogCaptureFixture) -> None:
    script = load_usb_scenario(PLUGGED_IN)
    moved = [event for event in script.events if event.do]
    async with VirtualUsb.open(PLUGGED_IN, speed=40) as usb:

        async def read_all() -> None:
            """Whatever is there is open, as with a hub: else nothing can be cut off in the middle."""
            while True:
                for device in usb.plugged_in:
                    if device.kind is Kind.SERIAL and device.node not in lines:
                        lines[device.node] = hub.enter_context(opened(device, 115_200))
                        lines[device.node].write(
                            bytes.fromhex("7d81a180808080 8080")
                        )  # live, says Contec's document
                for line in lines.values():
                    with contextlib.suppress(OSError):
                        os.read(line.fileno(), 4096)
                await asyncio.sleep(0.002)

        lines: dict[str, serial.Serial] = {}
        with contextlib.ExitStack() as hub:
            reading = asyncio.create_task(read_all())
            seen = await changes_until(usb, len(moved))
            reading.cancel()
        assert seen == [("1.3", True), ("1.1", True), ("1.2", True), ("1.1", False), ("1.1", True)]
        assert usb.on_console(script.devices["reader"].device) == "R-0412\n"
        await until(lambda: not usb.playing)
    assert caplog.records == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("title = ", "is no scenario"),
        ('[devices.b]\nkind = "toaster"\nusb = "0403:6001"\nport = "p"', "devices.b.kind"),
        ('[devices.b]\nkind = "contec_cms50"\nusb = "0403"\nport = "p"', "devices.b.usb"),
        (
            '[devices.b]\nkind = "contec_cms50"\nusb = "0403:6001"\nport = "a port"',
            "devices.b: give a USB address",
        ),
        (
            '[devices.b]\nkind = "contec_cms50"\nusb = "0403:6001"\nport = "p"\noptions = { colour = 1 }',
            "options",
        ),
        ('[devices.b]\nkind = "contec_cms50"\nusb = "0403:6001"\nport = "p:1.1"', "the port of two devices"),
        ("[[events]]\nat = 1\ndevice = 'b'\ndo = 'plug in'", "at 1 s: there is no device b, only a, r"),
        ("[[events]]\nat = 1\ndevice = 'a'", "give one of do, values and scan"),
        ("[[events]]\nat = 1\ndevice = 'a'\ndo = 'pull out'", "a is not plugged in"),
        ("[[events]]\nat = 1\ndevice = 'a'\ndo = 'dance'", "events.0.do"),
        ("[[events]]\nat = 1\ndevice = 'a'\nvalues = { glucose = 1 }", "has the values inside, pulse, sat"),
        ("[[events]]\nat = 1\ndevice = 'a'\nscan = '1'", "a is no reader that is plugged in"),
        ("[[events]]\nat = 1\ndevice = 'r'\nscan = '1'", "r is no reader that is plugged in"),
        ("[[events]]\nat = -1\ndevice = 'a'\ndo = 'plug in'", "events.0.at"),
        (
            "[[events]]\nat = 1\ndevice = 'r'\ndo = 'plug in'\n[[events]]\nat = 2\ndevice = 'r'\nscan = 'é'",
            "no key",
        ),
    ],
)
def test_a_wrong_scenario_names_what_is_wrong(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "scenario.toml"
    begins = (
        'title = "x"\n[devices.a]\nkind = "contec_cms50"\nusb = "10c4:ea60"\nport = "p:1.1"\n'
        '[devices.r]\nkind = "wristband_reader"\nusb = "0c2e:0b61"\nport = "p:1.2"\n'
    )
    path.write_text(text if text.startswith("title") else begins + text, encoding="utf-8")
    with pytest.raises(VirtualWardError, match=complaint) as caught:
        load_usb_scenario(path)
    assert str(path) in str(caught.value)


def test_what_a_device_measures_can_be_said_of_each_kind() -> None:
    for kind, names in VALUES.items():
        emulator = ScenarioDevice(kind=kind, usb="0403:6001", port="p").emulator()
        for name in names - {"milligrams_per_decilitre"}:
            target = getattr(emulator, "finger", emulator) if "contec" in kind else emulator
            assert hasattr(target, name)
            measure(emulator, {name: 42})
            assert getattr(target, name) == 42


def test_a_glucose_that_is_measured_is_a_record_by_the_meters_clock() -> None:
    meter = OneTouchMeter(clock=1_000)
    meter.due(5.0)
    measure(meter, {"milligrams_per_decilitre": 99})
    assert meter.records == [(1_005, 99)]
