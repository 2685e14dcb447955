"""The OneTouch Ultra Easy: bytes that others published, bytes by hand, and talks with a virtual meter."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.bluetooth.device_information import DeviceInformation
from drivers.driver import Decoded, DecodeError
from drivers.onetouch_link import DISCONNECT, EXPECTED, SENT, Packet, PacketCutter
from drivers.onetouch_ultra_easy import DRIVER, MeterConversation, decode_record
from drivers.serial_line import Heard, LineSettings
from drivers.usb.collector import EnrolledUsb
from drivers.virtual.onetouch import OneTouchMeter
from hub.clock import ClockQuality
from hub.readings import AbsentReason, DeviceTime, Flag, Measurement, Quality, RawPayload, Vital
from hub.timekeeping.timing import ClockRule, TimeQuality, measured_at
from tests.rigs.plugging import adapter, plugging

CAPTURES = {
    capture["id"]: bytes.fromhex(capture["payload_hex"])
    for capture in map(json.loads, Path(__file__).with_name("captures.jsonl").read_text().splitlines())
}
HANG_UP, READ_VERSION = CAPTURES["otultraeasy-ack"], CAPTURES["otultraeasy-ver"]

# What Thompson's program has of a meter (its facade.c).
HUNG_UP = bytes.fromhex("02060c03 06ae")
ACKNOWLEDGED = bytes.fromhex("02060603 cd41")
READ_SERIAL_NUMBER = bytes.fromhex("021200 050b0200000000846ae87300 03 9bea")
SERIAL_NUMBER = bytes.fromhex("021102 0506 433137365341304f30 03 4943")  # C176SA0O0
READ_VERSION_AGAIN = bytes.fromhex("020900 050d02 03 da71")
VERSION = bytes.fromhex("021a02 050611 5030322e30302e303032352f30352f3037 03 ab25")  # P02.00.0025/05/07

ACKNOWLEDGE = bytes.fromhex("02060703 fc72")  # acknowledge, expected 1, sent 1; CRC 0x72FC

TIME = "402aa469"  # 0x69A42A40 = 1,772,366,400 s: 2026-03-01 12:00:00
METER = "433137365341304f30"  # C176SA0O0
NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
GLUCOSE = Vital.GLUCOSE


def record(glucose: str, time: str = TIME) -> Decoded:
    return decode_record(bytes.fromhex(f"0506 {time} {glucose} {METER}"))


# --- the link


def test_what_others_published_is_what_is_sent_and_what_is_read() -> None:
    # The fixture's author calls it an acknowledgement; its link control, 08, is that of a disconnect.
    assert Packet(DISCONNECT).octets == HANG_UP
    assert Packet(SENT | EXPECTED, b"\x05\x0d\x02").octets == READ_VERSION
    assert PacketCutter().feed(ACKNOWLEDGED + SERIAL_NUMBER + VERSION, 0.0) == [
        Packet(0x06),
        Packet(0x02, b"\x05\x06C176SA0O0"),
        Packet(0x02, b"\x05\x06\x11P02.00.0025/05/07"),
    ]


def test_a_talk_begins_with_the_published_packets() -> None:
    talk = MeterConversation()
    assert talk.begin(0.0, None) == Heard(write=HANG_UP)
    assert talk.hear(HUNG_UP, 0.1) == Heard(write=READ_SERIAL_NUMBER)
    assert talk.hear(ACKNOWLEDGED, 0.2) == Heard()
    # link control 03, sent and expected 1: how many records there are
    asked = talk.hear(SERIAL_NUMBER, 0.3).write
    assert asked.startswith(ACKNOWLEDGE + bytes.fromhex("020a03 051ff501 03"))
    assert (talk.frames, talk.passed_over) == (3, 0)


def test_what_is_said_before_the_meter_has_hung_up_answers_nothing() -> None:
    talk = MeterConversation()
    talk.begin(0.0, None)
    assert talk.hear(SERIAL_NUMBER + VERSION, 0.1) == Heard()
    assert talk.hear(HUNG_UP, 0.2) == Heard(write=READ_SERIAL_NUMBER)


@given(st.lists(st.integers(1, 9), min_size=1), st.binary(max_size=30))
def test_however_it_is_split_and_whatever_comes_before_it_is_read_whole(
    sizes: list[int], noise: bytes
) -> None:
    cutter, stream, at = PacketCutter(), noise + SERIAL_NUMBER + VERSION, 0
    found = []
    while at < len(stream):
        size = sizes[at % len(sizes)]
        found += cutter.feed(stream[at : at + size], 0.0)
        at += size
    assert found[-2:] == PacketCutter().feed(SERIAL_NUMBER + VERSION, 0.0)
    assert cutter.passed_over + sum(len(packet.octets) for packet in found) == len(stream)


@given(st.integers(0, len(VERSION) * 8 - 16), st.integers(1, 0xFFFF))
def test_a_damaged_packet_is_no_packet_and_the_next_is_read(at: int, damage: int) -> None:
    """A CRC of 16 bits catches every damage that is no longer than those."""
    damaged = int.from_bytes(VERSION, "big") ^ damage << at
    cutter = PacketCutter()
    found = cutter.feed(damaged.to_bytes(len(VERSION), "big"), 0.0)
    found += cutter.feed(SERIAL_NUMBER, 1.0)
    assert found == [Packet(0x02, b"\x05\x06C176SA0O0")]
    assert cutter.passed_over == len(VERSION)


def test_half_a_packet_is_let_go_after_a_silence() -> None:
    cutter = PacketCutter()
    assert cutter.feed(VERSION[:10], 0.0) == []
    assert cutter.feed(VERSION[10:], 2.0) == []
    assert cutter.feed(VERSION, 2.0) == [Packet(0x02, VERSION[3:-3])]


# --- records


def test_a_record_is_read_field_by_field() -> None:
    assert record("6f000000") == Decoded(
        (Measurement(GLUCOSE, 6.2),),  # 0x6F = 111 mg/dL = 6.161
        device_time=DeviceTime(2026, 3, 1, 12, 0, 0),
        sequence_number=1_772_366_400,
    )


@pytest.mark.parametrize(
    ("glucose", "millimoles"),
    [
        ("70000000", 6.2),  # 112 mg/dL = 6.217
        ("68000000", 5.8),  # 104 = 5.773
        ("46000000", 3.9),  # 70 = 3.886: where hypoglycaemia begins
        ("14000000", 1.1),  # 20 = 1.110: the lowest that the meter shows
        ("58020000", 33.3),  # 600 = 33.304: the highest
    ],
)
def test_milligrams_per_decilitre_become_millimoles_per_litre(glucose: str, millimoles: float) -> None:
    assert record(glucose).measurements == (Measurement(GLUCOSE, millimoles),)
    assert record(glucose).flags == frozenset()


@pytest.mark.parametrize(
    ("glucose", "absent", "flags"),
    [
        ("13000000", AbsentReason.NEGATIVE_INFINITY, {Flag.RESULT_TOO_LOW}),  # 19
        ("00000000", AbsentReason.NEGATIVE_INFINITY, {Flag.RESULT_TOO_LOW}),
        ("59020000", AbsentReason.POSITIVE_INFINITY, {Flag.RESULT_TOO_HIGH}),  # 601
        ("ffff0000", AbsentReason.POSITIVE_INFINITY, {Flag.RESULT_TOO_HIGH}),
        ("00000100", AbsentReason.ERROR, set()),
        ("6f000001", AbsentReason.ERROR, set()),
    ],
)
def test_what_the_meter_shows_as_low_or_high_is_no_number(
    glucose: str, absent: AbsentReason, flags: set[Flag]
) -> None:
    decoded = record(glucose)
    assert decoded.measurements == (Measurement(GLUCOSE, None, absent),)
    assert decoded.flags == flags


def test_a_time_before_there_were_such_meters_is_of_a_clock_that_is_not_set() -> None:
    decoded = record("6f000000", "7f436d38")  # 0x386D437F: one second before 2000
    assert decoded.device_time == DeviceTime(1999, 12, 31, 23, 59, 59)
    assert decoded.flags == {Flag.CLOCK_NOT_SET}
    assert decoded.measurements == (Measurement(GLUCOSE, 6.2, quality=Quality.QUESTIONABLE),)


@pytest.mark.parametrize(
    "payload",
    ["", "0506", f"0506 {TIME} 6f000000", f"0509 {TIME} 6f000000 {METER}", f"0506 {TIME} 6f000000 4100"],
)
def test_what_is_no_record_of_a_known_meter_is_refused(payload: str) -> None:
    with pytest.raises(DecodeError):
        decode_record(bytes.fromhex(payload))


def test_a_record_of_last_year_is_told_at_its_own_time_and_is_one_for_ever() -> None:
    # 0x69A43148 is half an hour later: a clock that nobody set may well show noon
    payload = bytes.fromhex(f"0506 4831a469 6f000000 {METER}")
    measured = NOON + timedelta(minutes=30)
    received = [NOON + timedelta(days=400), NOON + timedelta(days=500)]
    readings = [DRIVER.read(RawPayload("USB:0403:6001:A1", DRIVER.name, payload, at)) for at in received]
    rule = ClockRule(timedelta(minutes=5), timedelta(days=30), ZoneInfo("Europe/London"))
    for reading in readings:
        assert measured_at(reading, rule, ClockQuality.SYNCHRONISED) == (measured, TimeQuality.SENSOR)
    assert readings[0].id == readings[1].id


# --- talks with a meter


class Cable:
    """A conversation and a meter, and the time between them, in seconds."""

    def __init__(self, meter: OneTouchMeter, local: datetime | None = None) -> None:
        self.meter = meter
        self.talk = MeterConversation()
        self.at = 0.0
        self.payloads: list[bytes] = []
        self.information: list[DeviceInformation] = []
        self.written = b""
        self._local = local

    def go_on(self, seconds: float) -> list[bytes]:
        """The records that come within these seconds."""
        known, until = len(self.payloads), self.at + seconds
        if not self.at:
            self._hear(self.talk.begin(self.at, self._local))
        while self.at < until:
            self.at += 0.25
            self._hear(self.talk.hear(self.meter.due(self.at), self.at))
            self._hear(self.talk.wait(self.at))
        return self.payloads[known:]

    def _hear(self, heard: Heard) -> None:
        waiting = [heard]
        for each in waiting:
            self.payloads += [payload for name, payload in each.payloads if name == "record"]
            self.information += [each.information] if each.information else []
            self.written += each.write
            if each.write and (said := self.meter.hear(each.write, self.at)):
                waiting.append(self.talk.hear(said, self.at))


def meter_with(records: int, **faults: object) -> OneTouchMeter:
    """So many records, a minute and 1 mg/dL apart."""
    meter = OneTouchMeter(**faults)  # type: ignore[arg-type]  # whatever the meter takes
    for number in range(records):
        meter.measure(100 + number, NOON + timedelta(minutes=number))
    return meter


def milligrams(payloads: list[bytes]) -> list[int]:
    return [int.from_bytes(payload[6:10], "little") for payload in payloads]


def test_a_meter_says_what_it_is_and_each_of_its_records_once() -> None:
    cable = Cable(meter_with(7))
    payloads = cable.go_on(10)
    assert (
        payloads[0]
        == bytes.fromhex(f"0506 {(1_772_366_400 + 6 * 60).to_bytes(4, 'little').hex()}")
        + bytes([106, 0, 0, 0])
        + b"C176SA0O0"
    )
    assert sorted(milligrams(payloads)) == list(range(100, 107))
    assert cable.information == [
        DeviceInformation(
            manufacturer="LifeScan",
            model="OneTouch Ultra Easy",
            serial_number="C176SA0O0",
            software="P02.00.0025/05/07",
        )
    ]
    assert cable.go_on(300) == []


@pytest.mark.parametrize("newest_first", [True, False])
def test_the_newest_record_comes_soon_whichever_end_it_is_at(newest_first: bool) -> None:
    cable = Cable(meter_with(500, newest_first=newest_first))
    assert 599 in milligrams(cable.go_on(0.25)[:2])
    assert sorted(milligrams(cable.payloads)) == list(range(100, 600))
    cable.meter.asked.clear()
    cable.meter.measure(55, NOON + timedelta(days=1))
    cable.meter.measure(56, NOON + timedelta(days=1, minutes=1))
    assert sorted(milligrams(cable.go_on(16))) == [55, 56]
    assert len(cable.meter.asked) < 10, "only what is new is read"


def test_a_meter_that_is_put_on_the_cable_later_is_read_and_again_when_it_comes_back() -> None:
    cable = Cable(meter_with(3, on_cable=False))
    assert cable.go_on(600) == []
    cable.meter.on_cable = True
    assert sorted(milligrams(cable.go_on(7))) == [100, 101, 102]
    cable.meter.on_cable = False
    assert cable.go_on(100) == []
    cable.meter.measure(180, NOON + timedelta(hours=1))
    cable.meter.on_cable = True
    assert sorted(milligrams(cable.go_on(7))) == [100, 101, 102, 180]


def test_another_meter_on_the_same_cable_is_told_apart() -> None:
    cable = Cable(meter_with(2))
    cable.go_on(5)
    cable.meter = OneTouchMeter("B42X99K17", records=[(1_772_366_400, 77)])
    payloads = cable.go_on(65)
    assert payloads == [bytes.fromhex(f"0506 {TIME} 4d000000") + b"B42X99K17"]
    assert [said.serial_number for said in cable.information] == ["C176SA0O0", "B42X99K17"]


def test_its_clock_is_set_where_it_is_wrong_and_the_home_has_a_time() -> None:
    local = datetime(2026, 6, 1, 10, 30, tzinfo=timezone(timedelta(hours=1)))
    shows = int(datetime(2026, 6, 1, 10, 30, tzinfo=UTC).timestamp())
    slow = Cable(meter_with(1, clock=shows - 3600), local)
    slow.go_on(1)
    assert slow.meter.clock == shows
    assert slow.information[0].clock_ahead == timedelta(hours=-1)
    right = Cable(meter_with(1, clock=shows + 5), local)
    right.go_on(1)
    assert right.meter.clock == shows + 5
    fast = Cable(meter_with(1, clock=shows + 30), local)
    fast.go_on(1)
    assert fast.meter.clock == shows, "half a minute is enough to be taken for the next resident's round"
    unknown = Cable(meter_with(1, clock=0))
    unknown.go_on(1)
    assert unknown.meter.clock == 0
    assert len(unknown.payloads) == 1


def test_the_clock_is_set_by_the_homes_zone_on_a_line_that_was_opened_before_it_changed() -> None:
    opened = datetime(2026, 3, 29, 0, 30, tzinfo=ZoneInfo("Europe/London"))  # in half an hour, summer time
    cable = Cable(meter_with(1, on_cable=False), opened)
    cable.go_on(3600)
    cable.meter.on_cable = True
    cable.go_on(10)
    shows = datetime.fromtimestamp(cable.meter.clock, UTC)
    assert timedelta(0) <= shows - datetime(2026, 3, 29, 2, 30, tzinfo=UTC) < timedelta(seconds=10)


@pytest.mark.parametrize(
    "faults",
    [
        {"silent_for": 2},
        {"late": 0.6},
        {"late": 0.9},
        {"times": 2},
        {"times": 3, "late": 0.3},
        {"prefix": b"\x00\x02\x28"},
        {"prefix": VERSION[:9]},
    ],
)
def test_a_meter_that_does_not_answer_or_late_or_twice_or_with_noise_is_read_whole(
    faults: dict[str, object],
) -> None:
    cable = Cable(meter_with(5, **faults))
    assert sorted(milligrams(cable.go_on(60))) == [100, 101, 102, 103, 104]
    cable.meter.measure(200, NOON + timedelta(hours=1))
    assert milligrams(cable.go_on(120)) == [200]


def test_a_meter_that_answers_too_late_is_not_believed_to_have_answered_what_it_was_asked_since() -> None:
    cable = Cable(meter_with(5, late=1.4))
    cable.go_on(300)
    assert set(milligrams(cable.payloads)) <= {100, 101, 102, 103, 104}
    cable.meter.late = 0.0
    cable.go_on(100)
    assert set(milligrams(cable.payloads)) == {100, 101, 102, 103, 104}


def test_a_meter_that_is_erased_while_it_is_read_gives_no_record_that_is_none() -> None:
    class Erased(OneTouchMeter):
        def hear(self, octets: bytes, at: float) -> bytes:
            if bytes.fromhex("051f0000") in octets:
                self.records.clear()
            return super().hear(octets, at)

    cable = Cable(Erased(records=[(1_772_366_400, 100)]))
    assert cable.go_on(100) == []
    cable.meter = meter_with(2)
    assert len(cable.go_on(70)) == 2


def test_a_meter_that_says_it_has_more_records_than_any_has_is_not_asked_for_them() -> None:
    cable = Cable(OneTouchMeter(records=[(1_772_366_400 + number, 100) for number in range(1_001)]))
    assert cable.go_on(100) == []
    assert bytes.fromhex("051f0000") not in cable.meter.asked


def test_a_meter_that_never_answers_is_asked_now_and_then_for_ever() -> None:
    cable = Cable(meter_with(5, silent_for=10**9))
    cable.go_on(1000)
    assert cable.written == HANG_UP * (len(cable.written) // len(HANG_UP))
    assert 400 < len(cable.written) // len(HANG_UP) < 1000
    cable.meter.silent_for = 0
    assert len(cable.go_on(10)) == 5


def test_a_record_that_is_never_answered_holds_up_no_other() -> None:
    cable = Cable(meter_with(5, no_answer_to=bytes.fromhex("051f0200")))
    assert sorted(milligrams(cable.go_on(30))) == [100, 101, 103, 104]
    cable.meter.measure(200, NOON + timedelta(hours=1))  # so that another one is the third
    assert sorted(milligrams(cable.go_on(60))) == [102, 200]


@settings(max_examples=30)
@given(st.lists(st.binary(max_size=40), max_size=30), st.integers(0, 60))
def test_whatever_comes_between_no_record_is_made_up_or_lost_and_none_is_erased(
    noise: list[bytes], records: int
) -> None:
    cable = Cable(meter_with(records))
    for each in noise:
        cable.meter.prefix = each
        cable.go_on(1)
    cable.meter.prefix = b""
    cable.go_on(130)
    assert set(milligrams(cable.payloads)) == set(range(100, 100 + records))
    assert {message[:2].hex() for message in cable.meter.asked} <= {"050b", "050d", "0520", "051f"}


def test_the_line_is_that_of_the_description_and_records_are_kept() -> None:
    assert DRIVER.settings == LineSettings(9600, "N", 1)
    assert DRIVER.keeps_records
    assert DRIVER.streaming == frozenset()


async def test_a_meter_is_read_over_a_line_and_again_when_its_cable_was_pulled_out() -> None:
    """The kernel's pseudo-terminal, pyserial and the collector."""
    cable = adapter()
    meter = meter_with(5)
    async with plugging(EnrolledUsb(cable.address, DRIVER)) as plugged:
        plugged.usb.plug(cable, meter)
        await plugged.until(lambda: len(plugged.payloads) == 5)
        assert plugged.learned[0][1].serial_number == "C176SA0O0"
        await plugged.usb.unplug(cable)
        meter.measure(180, NOON + timedelta(hours=1))
        plugged.usb.plug(cable, meter)
        await plugged.until(lambda: len(plugged.payloads) == 11)
    assert sorted(milligrams(plugged.said[5:])) == [100, 101, 102, 103, 104, 180]
    assert {payload.characteristic for payload in plugged.payloads} == {"record"}
