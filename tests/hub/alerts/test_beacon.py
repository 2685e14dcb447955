"""The beacon calls while an alert waits, by the highest band, and its faults are its own."""

from __future__ import annotations

import asyncio
import os
import pty
import subprocess
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import ValidationError

from hub.alerts.beacon import Beacon, BeaconError, Signal, calling, signal_of
from hub.alerts.beacon_output import (
    GET_LINE,
    LINE_REQUEST,
    LINE_VALUES,
    SET_VALUES,
    InThread,
    Pin,
    WrittenFile,
    output_of,
)
from hub.alerts.life import AlertState
from hub.assessment.news2 import Band
from hub.configuration.beacon import Beacon as Settings
from hub.configuration.file import load
from hub.configuration.settings import files, settings
from hub.doctor.daemon import _beacon
from hub.doctor.findings import Verdict
from hub.store.rows import AlertRow
from hub.uplink.cloudevents import Event
from hub.uplink.contract import Acknowledgement
from tests.rigs.house import write_configuration

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALERT = UUID(int=7)
ROW = AlertRow(ALERT, "R-0412", Band.HIGH.value, AlertState.RAISED.value, NOON, None, 1, 1, "{}")
RAISED = Event(
    id="1",
    source="uk.careport.rose-house.hub-1",
    type="uk.careport.alert.raised.v1",
    time=NOON,
    subject="R-0412",
    data={},
    extensions={"alert": str(ALERT), "band": "medium"},
)


class Lamp:
    """An output that notes what it is told, and can be broken."""

    def __init__(self) -> None:
        self.shown: list[bool] = []
        self.broken = False
        self.heard = asyncio.Event()

    async def switch(self, *, on: bool) -> None:
        self.heard.set()
        if self.broken:
            raise BeaconError("the lamp is broken")
        self.shown.append(on)

    def close(self) -> None:
        pass

    async def next(self) -> bool:
        """What it is told next, that differs from what it was told before."""
        before = self.shown[-1] if self.shown else None
        while not self.shown or self.shown[-1] is before:
            self.heard.clear()
            await self.heard.wait()
            await asyncio.sleep(0)
        return self.shown[-1]


@asynccontextmanager
async def running(beacon: Beacon) -> AsyncIterator[None]:
    task = asyncio.ensure_future(beacon.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def waits(band: Band, state: AlertState = AlertState.DELIVERED) -> AlertRow:
    return replace(ROW, band=band.value, state=state.value)


def test_the_highest_band_that_nobody_has_acknowledged_calls() -> None:
    assert calling([]) is None
    assert calling([waits(Band.SINGLE_RED), waits(Band.MEDIUM)]) is Band.MEDIUM
    acknowledged = waits(Band.HIGH, AlertState.ACKNOWLEDGED)
    assert calling([acknowledged]) is None
    assert calling([acknowledged, waits(Band.SINGLE_RED)]) is Band.SINGLE_RED


def test_an_alert_of_a_low_band_calls_too_since_a_concern_counts_whatever_the_score() -> None:
    assert calling([waits(Band.ZERO)]) is Band.ZERO
    assert signal_of(Band.ZERO) == signal_of(Band.SINGLE_RED)


def test_what_cannot_be_read_calls_as_the_highest() -> None:
    assert calling([replace(ROW, band="?"), waits(Band.MEDIUM)]) is Band.HIGH


def test_each_higher_band_is_on_more_of_the_time_and_none_flashes_three_times_a_second() -> None:
    signals: Sequence[Signal] = [signal_of(band) for band in (Band.SINGLE_RED, Band.MEDIUM, Band.HIGH)]
    shares = [each.on / (each.on + each.off) for each in signals]
    assert shares == sorted(set(shares))
    assert all(each.on + each.off > 1 / 3 for each in signals)


async def test_it_goes_on_when_an_alert_waits_and_off_when_somebody_took_it() -> None:
    lamp = Lamp()
    beacon = Beacon(lamp)
    async with running(beacon):
        assert await lamp.next() is False
        beacon.card_has(Band.SINGLE_RED)
        assert await lamp.next() is True
        beacon.card_has(None)
        assert await lamp.next() is False
        assert beacon.data() == {"calls": None, "trouble": None}


async def test_a_higher_band_is_called_at_once_and_not_after_the_pause_of_the_lower() -> None:
    lamp = Lamp()
    beacon = Beacon(lamp)
    beacon.card_has(Band.SINGLE_RED)
    async with running(beacon):
        assert await lamp.next() is True
        lamp.heard.clear()
        beacon.card_has(Band.HIGH)
        await lamp.heard.wait()
        await asyncio.sleep(0)
        assert lamp.shown == [True, True]  # the lower one would have gone off before


async def test_an_alert_that_the_card_does_not_take_calls_until_it_is_acknowledged() -> None:
    beacon = Beacon(Lamp())
    beacon.overhears(lambda _events: [RAISED])(["told"])
    assert beacon.data() == {"calls": "medium", "trouble": None}
    beacon.card_has(None)  # which does not know of it
    assert beacon.data() == {"calls": "medium", "trouble": None}
    said = Acknowledgement(alert=ALERT, by="Sam")
    assert beacon.overhears_kept(lambda _said, _event: False)(said, RAISED) is False
    assert beacon.data() == {"calls": "medium", "trouble": None}
    assert beacon.overhears_kept(lambda _said, _event: True)(said, RAISED) is True
    assert beacon.data() == {"calls": None, "trouble": None}


async def test_once_the_card_has_taken_all_it_alone_says_what_waits_as_soon_as_it_was_asked() -> None:
    """It may stall again before that."""
    beacon = Beacon(Lamp())
    beacon.told_from_memory(RAISED)
    beacon.card_took_all()
    assert beacon.data() == {"calls": "medium", "trouble": None}
    beacon.card_has(None)
    assert beacon.data() == {"calls": None, "trouble": None}


@pytest.mark.parametrize("output", [None, "lamp"])
async def test_what_is_in_memory_alone_is_said_for_the_page_with_or_without_a_lamp(
    output: str | None,
) -> None:
    beacon = Beacon(None if output is None else Lamp())
    beacon.told_from_memory(RAISED)
    said = {"alert": str(ALERT), "resident": "R-0412", "band": "medium", "raised_at": NOON.isoformat()}
    assert beacon.in_memory == [said]
    beacon.acknowledged_in_memory(ALERT)
    assert beacon.in_memory == []
    beacon.told_from_memory(RAISED)
    beacon.card_took_all()
    assert beacon.in_memory == []


async def test_what_else_is_told_of_an_alert_calls_nobody() -> None:
    beacon = Beacon(Lamp())
    beacon.told_from_memory(replace(RAISED, type="uk.careport.alert.escalated.v1"))
    assert beacon.data() == {"calls": None, "trouble": None}


async def test_a_broken_lamp_is_said_tried_again_and_forgotten_when_it_works() -> None:
    lamp = Lamp()
    lamp.broken = True
    beacon = Beacon(lamp)
    async with running(beacon):
        await lamp.heard.wait()
        await asyncio.sleep(0)
        assert beacon.data() == {"calls": None, "trouble": "the lamp is broken"}
        lamp.broken = False
        beacon.card_has(Band.HIGH)
        assert await lamp.next() is True
        assert beacon.data() == {"calls": "high", "trouble": None}


async def test_it_can_be_tried_and_says_so_where_it_cannot() -> None:
    lamp = Lamp()
    beacon = Beacon(lamp)
    assert "look" in str((await beacon.try_it({}))["words"])
    assert beacon.data() == {"calls": "high", "trouble": None}
    lamp.broken = True
    with pytest.raises(BeaconError, match="broken"):
        await beacon.try_it({})
    with pytest.raises(BeaconError, match="no beacon"):
        await Beacon(None).try_it({})


async def test_without_a_beacon_nothing_runs_and_nothing_is_said() -> None:
    beacon = Beacon(output_of(Settings()))
    await beacon.run()
    assert beacon.data() is None


async def test_a_plain_file_says_how_it_is(tmp_path: Path) -> None:
    lamp = tmp_path / "brightness"
    lamp.write_text("0\n")
    output = output_of(Settings(output="file", write_to=lamp))
    assert output is not None
    await output.switch(on=True)
    assert lamp.read_text() == "1\n"
    await output.switch(on=False)
    assert lamp.read_text() == "0\n"
    output.close()


async def test_of_a_longer_word_nothing_stays(tmp_path: Path) -> None:
    lamp = tmp_path / "lamp"
    lamp.touch()
    output = InThread(WrittenFile(lamp, b"on and calling", b"off"))
    await output.switch(on=True)
    await output.switch(on=False)
    assert lamp.read_text() == "off"


async def test_a_name_that_is_no_file_is_said_and_not_made(tmp_path: Path) -> None:
    output = InThread(WrittenFile(tmp_path / "ttyUSB9", b"1", b"0"))
    with pytest.raises(BeaconError, match="plugged in"):
        await output.switch(on=True)
    assert list(tmp_path.iterdir()) == []


async def test_a_relay_on_a_serial_line_gets_the_bytes_as_they_are() -> None:
    ours, theirs = pty.openpty()
    try:
        given = Settings(
            output="file", write_to=Path(os.ttyname(theirs)), on="A0 01 01 A2", off="0A 0D 13 A1"
        )
        output = output_of(given)
        assert output is not None
        await output.switch(on=True)
        assert os.read(ours, 100) == b"\xa0\x01\x01\xa2"
        await output.switch(on=False)
        assert os.read(ours, 100) == b"\x0a\x0d\x13\xa1"  # no end of line is made of it
        output.close()
    finally:
        os.close(ours)
        os.close(theirs)


async def test_what_hangs_is_given_up_and_holds_nobody_up() -> None:
    begun, let_go = threading.Event(), threading.Event()

    class Hanging:
        def switch(self, *, on: bool) -> None:
            begun.set()
            let_go.wait(10)

        def close(self) -> None:
            pass

        def words(self, error: OSError) -> str:
            return str(error)

    output = InThread(Hanging(), patience_seconds=0.01)
    for _ in range(2):
        with pytest.raises(BeaconError, match="does not answer"):
            await output.switch(on=True)
    assert await asyncio.to_thread(begun.wait, 10)
    assert output._jobs.empty(), "nothing gathers behind what hangs"
    let_go.set()


def test_a_pin_is_asked_of_the_kernel_for_output_and_set(tmp_path: Path) -> None:
    chip, line = tmp_path / "gpiochip0", os.open(os.devnull, os.O_WRONLY)
    chip.touch()
    asked: list[tuple[int, tuple[int, ...]]] = []

    def kernel(descriptor: int, request: int, argument: bytearray) -> None:
        if request == GET_LINE:
            offset, *_, consumer, flags, attributes, lines, _, _ = LINE_REQUEST.unpack(argument)
            assert consumer.rstrip(b"\0") == b"carehub beacon"
            assert (offset, flags, attributes, lines) == (17, 8 | 2, 0, 1)
            argument[588:592] = line.to_bytes(4, "little")
        else:
            asked.append((descriptor, LINE_VALUES.unpack(argument)))

    pin = Pin(chip, 17, active_low=True, ioctl=kernel)
    pin.switch(on=True)
    pin.switch(on=False)
    assert asked == [(line, (1, 1)), (line, (0, 1))]
    pin.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(line)


def test_a_pin_that_was_lost_is_asked_for_again(tmp_path: Path) -> None:
    chip = tmp_path / "gpiochip0"
    chip.touch()
    requests: list[int] = []

    def kernel(_descriptor: int, request: int, argument: bytearray) -> None:
        requests.append(request)
        if request == GET_LINE:
            argument[588:592] = os.open(os.devnull, os.O_WRONLY).to_bytes(4, "little")
        elif len(requests) == 2:
            raise OSError(19, "No such device")

    pin = Pin(chip, 17, active_low=False, ioctl=kernel)
    with suppress(OSError):
        pin.switch(on=True)
    pin.switch(on=True)
    assert requests == [GET_LINE, SET_VALUES, GET_LINE, SET_VALUES]
    pin.close()


async def test_a_chip_that_is_not_there_is_said(tmp_path: Path) -> None:
    output = output_of(Settings(output="gpio", pin=17, chip=tmp_path / "gpiochip9"))
    assert output is not None
    with pytest.raises(BeaconError, match="gpiodetect"):
        await output.switch(on=True)


@pytest.mark.skipif(not Path("/usr/include/linux/gpio.h").exists(), reason="no kernel headers here")
def test_the_structures_are_those_of_the_kernels_own_header(tmp_path: Path) -> None:
    program = tmp_path / "gpio.c"
    program.write_text(
        "#include <linux/gpio.h>\n#include <stddef.h>\n"
        f'_Static_assert(GPIO_V2_GET_LINE_IOCTL == {GET_LINE}u, "");\n'
        f'_Static_assert(GPIO_V2_LINE_SET_VALUES_IOCTL == {SET_VALUES}u, "");\n'
        f'_Static_assert(sizeof(struct gpio_v2_line_request) == {LINE_REQUEST.size}, "");\n'
        f'_Static_assert(sizeof(struct gpio_v2_line_values) == {LINE_VALUES.size}, "");\n'
        '_Static_assert(offsetof(struct gpio_v2_line_request, consumer) == 256, "");\n'
        '_Static_assert(offsetof(struct gpio_v2_line_request, config.flags) == 288, "");\n'
        '_Static_assert(offsetof(struct gpio_v2_line_request, config.num_attrs) == 296, "");\n'
        '_Static_assert(offsetof(struct gpio_v2_line_request, num_lines) == 560, "");\n'
        '_Static_assert(offsetof(struct gpio_v2_line_request, fd) == 588, "");\n'
        '_Static_assert(GPIO_V2_LINE_FLAG_OUTPUT == 8 && GPIO_V2_LINE_FLAG_ACTIVE_LOW == 2, "");\n'
    )
    done = subprocess.run(["cc", "-fsyntax-only", str(program)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"output": "gpio"}, "pin"),
        ({"output": "file"}, "write_to"),
        ({"pin": 17}, "go together"),
        ({"output": "gpio", "pin": 17, "write_to": "/dev/null"}, "go together"),
        ({"output": "file", "write_to": "/dev/null", "on": "A0 0"}, "hexadecimal"),
        ({"output": "file", "write_to": "/dev/null", "on": ""}, "at least one"),
    ],
)
def test_what_is_written_wrong_is_named(given: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Settings.model_validate(given)


def test_nobody_reads_what_a_beacon_is_written_to(tmp_path: Path) -> None:
    lamp = tmp_path / "lamp"
    config = load(write_configuration(tmp_path)).model_copy(
        update={"beacon": Settings(output="file", write_to=lamp)}
    )
    assert settings(config)["beacon.output"] == "file"
    assert "beacon.write_to" not in files(config)


def test_the_doctor_says_what_is_the_matter_with_it_and_nothing_where_there_is_none() -> None:
    assert _beacon({"beacon": None}) == _beacon({}) == []
    assert [each.verdict for each in _beacon({"beacon": {"calls": None, "trouble": None}})] == [Verdict.PASS]
    (finding,) = _beacon({"beacon": {"calls": None, "trouble": "it does not answer"}})
    assert (finding.verdict, finding.words) == (Verdict.FAIL, "it does not answer")
