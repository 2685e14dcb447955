"""A serial line over a real pseudo-terminal, through pyserial."""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import serial

from drivers.serial_line import LineSettings
from drivers.usb import line as line_module
from drivers.usb.bus import UsbError
from drivers.usb.line import Line, open_line
from hub.running.patience import within

SETTINGS = LineSettings(115_200)


@dataclass
class Terminal:
    """A pseudo-terminal: the sensor's end, and the path of the hub's."""

    sensor: int
    node: str
    hub: int

    def pull_out(self) -> None:
        for end in (self.sensor, self.hub):
            os.close(end)
        self.sensor = self.hub = -1


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    sensor, hub = pty.openpty()
    tty.setraw(hub)
    os.set_blocking(sensor, False)
    made = Terminal(sensor, os.ttyname(hub), hub)
    yield made
    if made.sensor >= 0:
        made.pull_out()


async def read_all(line: Line, size: int) -> bytes:
    found = b""
    async with asyncio.timeout(5):
        while len(found) < size:
            found += await line.read()
    return found


@pytest.mark.parametrize("settings", [SETTINGS, LineSettings(19_200, "O"), LineSettings(9_600, "E", 2)])
async def test_what_the_sensor_sends_is_read_and_what_is_written_reaches_it(
    terminal: Terminal, settings: LineSettings
) -> None:
    every = bytes(range(256))
    async with open_line(terminal.node, settings, rest=0.001) as line:
        os.write(terminal.sensor, every)
        assert await read_all(line, 256) == every, "no byte means anything to the terminal itself"
        line.write(every)
        sent = b""
        async with asyncio.timeout(5):
            while len(sent) < 256:
                await asyncio.sleep(0.001)
                sent += os.read(terminal.sensor, 300)
        assert sent == every


async def test_a_silent_line_still_lets_time_go_by(terminal: Terminal) -> None:
    async with open_line(terminal.node, SETTINGS, tick=0.01) as line:
        assert [await line.read() for _ in range(3)] == [b"", b"", b""]


async def test_what_was_sent_before_it_was_opened_is_not_read_as_of_now(terminal: Terminal) -> None:
    os.write(terminal.sensor, b"of yesterday")
    async with open_line(terminal.node, SETTINGS, rest=0.001, tick=0.01) as line:
        os.write(terminal.sensor, b"now")
        assert await read_all(line, 3) == b"now"


async def test_a_device_that_is_pulled_out_ends_the_line_with_what_it_sent_before(terminal: Terminal) -> None:
    async with open_line(terminal.node, SETTINGS, rest=0.001, tick=0.01) as line:
        os.write(terminal.sensor, b"half a fr")
        found = await read_all(line, 9)
        terminal.pull_out()
        line.write(b"nobody is there")
        with pytest.raises(UsbError):
            await read_all(line, 1_000)
        with pytest.raises(UsbError):
            await line.read()
    assert found == b"half a fr"


async def test_what_came_together_with_the_end_is_read_and_then_the_end() -> None:
    class Transport:
        serial = None

        def pause_reading(self) -> None:
            pass

    line = Line(rest=1.0, tick=1.0)
    line.connect(Transport())  # type: ignore[arg-type]  # as much of one as is asked here
    line.data_received(b"97\n")
    line.connection_lost(None)
    assert await line.read() == b"97\n"
    for _ in range(2):
        with pytest.raises(UsbError):
            await within(5, line.read())


async def test_pulled_out_while_it_is_being_opened_it_is_closed_and_said(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found with QEMU: the kernel hangs up before the transport is made, which sets the port once more."""

    async def opened_and_pulled_out(node: str, settings: LineSettings) -> serial.Serial:
        ports.append(await opened(node, settings))
        terminal.pull_out()
        return ports[0]

    opened = line_module._opened
    monkeypatch.setattr(line_module, "_opened", opened_and_pulled_out)
    ports: list[serial.Serial] = []
    with pytest.raises(UsbError):
        async with open_line(terminal.node, SETTINGS):
            pytest.fail("it was opened")
    assert not ports[0].is_open


async def test_nobody_else_has_a_line_that_is_open(terminal: Terminal) -> None:
    async with open_line(terminal.node, SETTINGS):
        with pytest.raises(UsbError, match="another program has it open"):
            async with open_line(terminal.node, SETTINGS):
                pytest.fail("it was opened twice")
    async with open_line(terminal.node, SETTINGS):
        pass


async def test_a_device_that_is_gone_and_one_that_is_no_line_are_said_so(tmp_path: Path) -> None:
    with pytest.raises(UsbError, match="it is gone"):
        async with open_line(str(tmp_path / "ttyUSB0"), SETTINGS):
            pytest.fail("opened what is not there")
    (tmp_path / "file").touch()
    with pytest.raises(UsbError, match="cannot be opened"):
        async with open_line(str(tmp_path / "file"), SETTINGS):
            pytest.fail("opened a file")


async def test_a_flood_is_taken_in_portions_and_memory_stays(terminal: Terminal) -> None:
    """Nobody reads for a while: no more than 64 KB and one portion wait in memory."""
    async with open_line(terminal.node, SETTINGS, rest=0.0001) as line:
        sent = 0
        for _ in range(400):
            try:
                sent += os.write(terminal.sensor, bytes(1024))
            except BlockingIOError:
                await asyncio.sleep(0.0005)
        assert sent > 70 * 1024, "what the kernel does not take either, the sensor keeps"
        assert len(await line.read()) <= 66 * 1024


async def test_two_hundred_openings_leave_no_descriptor_open(terminal: Terminal) -> None:
    async def open_once() -> None:
        async with open_line(terminal.node, SETTINGS):
            pass

    await open_once()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(200):
        await open_once()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
