"""Nonin's data format 13: packets by hand from the specification of the 9560, and talks with a virtual
one."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.driver import Decoded, DecodeError
from drivers.nonin_serial import SPOT, NoninConversation
from drivers.nonin_spot import decode_spot, setting_the_clock, whole_packets
from drivers.virtual.nonin import VirtualNonin
from hub.readings import AbsentReason, DeviceTime, Flag, Measurement, Quality, Vital

GOOD, QUESTIONABLE, UNUSABLE = Quality.GOOD, Quality.QUESTIONABLE, Quality.UNUSABLE

SPOT_CHECK = bytes.fromhex(
    "00 02"  # null, start
    "000d"  # packet type 13
    "000e"  # 14 bytes of data
    "20 26 03 01 14 05 59 00"  # 2026-03-01 14:05:59, BCD
    "0200"  # SmartPoint
    "0048"  # 72 /min
    "00"  # reserved
    "61"  # 97 %
    "67"  # checksum: 20+26+03+01+14+05+59+00+02+00+00+48+00+61 = 0x167
    "03"  # end
)
TIME = DeviceTime(2026, 3, 1, 14, 5, 59)


def spot_check(
    *, time: str = "2026030114055900", status: str = "0200", pulse: str = "0048", saturation: str = "61"
) -> bytes:
    data = bytes.fromhex(time + status + pulse + "00" + saturation)
    return bytes.fromhex("0002000d000e") + data + bytes((sum(data) % 256, 3))


def measured(
    saturation: float | None, pulse: float | None, quality: Quality = GOOD
) -> tuple[Measurement, ...]:
    return tuple(
        Measurement(vital, number, None if number else AbsentReason.NOT_A_NUMBER, quality)
        for vital, number in ((Vital.OXYGEN_SATURATION, saturation), (Vital.PULSE_RATE, pulse))
    )


def test_a_spot_check_says_what_and_when() -> None:
    assert decode_spot(SPOT_CHECK) == Decoded(measured(97.0, 72.0), device_time=TIME)


@pytest.mark.parametrize(
    ("status", "flags", "quality"),
    [
        ("0000", {Flag.EARLY_ESTIMATE}, QUESTIONABLE),  # no SmartPoint: not sure of it within 40 s
        ("0201", {Flag.BATTERY_LOW}, GOOD),
        ("0210", {Flag.FROM_MEMORY}, GOOD),
        ("0300", {Flag.MEASUREMENT_UNAVAILABLE}, UNUSABLE),
        ("feee", set(), GOOD),  # all that is reserved
    ],
)
def test_what_the_status_says(status: str, flags: set[Flag], quality: Quality) -> None:
    assert decode_spot(spot_check(status=status)) == Decoded(
        measured(97.0, 72.0, quality), frozenset(flags), TIME
    )


def test_missing_numbers_are_absent_and_reserved_bits_say_nothing() -> None:
    assert decode_spot(spot_check(pulse="01ff", saturation="7f")).measurements == measured(None, None)
    assert decode_spot(spot_check(pulse="ff05", saturation="e1")).measurements == measured(97.0, 261.0)


@pytest.mark.parametrize(
    "time", ["2026133114055900", "2026023014055900", "20260a0114055900", "20a0030114055900", "ff" * 8]
)
def test_an_impossible_time_does_not_lose_the_measurement(time: str) -> None:
    said = decode_spot(spot_check(time=time))
    assert said == Decoded(measured(97.0, 72.0), frozenset({Flag.CLOCK_NOT_SET}))


def test_what_is_stored_without_a_believable_time_is_not_usable() -> None:
    said = decode_spot(spot_check(time="2026133114055900", status="0210"))
    assert said.measurements == measured(97.0, 72.0, UNUSABLE)


def test_a_longer_packet_is_read_and_what_is_unknown_in_it_is_not() -> None:
    # 23 bytes of data, the last nine a serial number: as MediPi's driver knows it
    data = SPOT_CHECK[6:20] + b"501900083"
    assert decode_spot(bytes.fromhex("0002000d0017") + data + bytes((sum(data) % 256, 3))) == decode_spot(
        SPOT_CHECK
    )


def test_a_packet_cut_anywhere_is_refused() -> None:
    for length in range(len(SPOT_CHECK)):
        with pytest.raises(DecodeError, match="too short"):
            decode_spot(SPOT_CHECK[:length])
    with pytest.raises(DecodeError, match="too long"):
        decode_spot(SPOT_CHECK + b"\x00")


@given(where=st.integers(0, len(SPOT_CHECK) - 1), instead=st.integers(1, 255))
def test_a_damaged_byte_is_noticed(where: int, instead: int) -> None:
    damaged = bytearray(SPOT_CHECK)
    damaged[where] ^= instead
    with pytest.raises(DecodeError):
        decode_spot(bytes(damaged))
    assert whole_packets(bytes(damaged)) == ([], 0)


@given(before=st.binary(max_size=30), sizes=st.lists(st.integers(1, 30), min_size=1))
def test_spot_checks_are_heard_in_noise_however_they_are_cut(before: bytes, sizes: list[int]) -> None:
    stream = before + SPOT_CHECK + SPOT_CHECK[:9] + spot_check(saturation="58")
    talk = NoninConversation()
    talk.begin(0.0, None)
    payloads: list[tuple[str, bytes]] = []
    begin = number = 0
    while begin < len(stream):
        size = sizes[number % len(sizes)]
        payloads += talk.hear(stream[begin : begin + size], number / 1000).payloads
        begin, number = begin + size, number + 1
    assert payloads == [(SPOT, SPOT_CHECK), (SPOT, spot_check(saturation="58"))]
    assert talk.frames == 2
    assert talk.passed_over == len(before) + 9


def test_half_a_spot_check_is_forgotten() -> None:
    talk = NoninConversation()
    assert talk.hear(SPOT_CHECK[:15], 1.0).payloads == ()
    assert talk.hear(SPOT_CHECK[15:], 60.0).payloads == ()
    assert talk.hear(SPOT_CHECK, 120.0).payloads == ((SPOT, SPOT_CHECK),)


def test_the_clock_is_set_as_the_specification_has_it() -> None:
    # its example: 2050-12-31 14:30:15
    assert setting_the_clock(datetime(2050, 12, 31, 14, 30, 15, tzinfo=UTC)) == bytes.fromhex(
        "02 72 06 32 0c 1f 0e 1e 0f 03"
    )


def test_the_clock_is_set_once_and_only_where_the_hubs_own_is_believed() -> None:
    talk = NoninConversation()
    assert talk.begin(50.0, datetime(2026, 3, 1, 23, 59, 50, tzinfo=UTC)).write == b""
    first = talk.hear(SPOT_CHECK, 65.0)
    assert first.write == bytes.fromhex("02 72 06 1a 03 02 00 00 05 03")
    assert talk.hear(SPOT_CHECK, 66.0).write == b""
    unsure = NoninConversation()
    unsure.begin(50.0, None)
    assert unsure.hear(SPOT_CHECK, 65.0).write == b""


def test_the_clock_is_set_by_the_homes_zone_on_a_line_that_was_opened_before_it_changed() -> None:
    talk = NoninConversation()
    talk.begin(0.0, datetime(2026, 3, 29, 0, 30, tzinfo=ZoneInfo("Europe/London")))
    set_to = talk.hear(SPOT_CHECK, 3600.0).write
    assert set_to == bytes.fromhex("02 72 06 1a 03 1d 02 1e 00 03"), "half past two, and not half past one"


def test_nothing_is_written_to_an_oximeter_that_streams() -> None:
    oximeter = VirtualNonin(2)
    talk = NoninConversation()
    written = talk.begin(0.0, datetime(2026, 3, 1, tzinfo=UTC)).write
    oximeter.due(0.0)
    for tick in range(1, 300):
        written += talk.hear(oximeter.due(tick / 50), tick / 50).write + talk.wait(tick / 50).write
    assert talk.frames > 400
    assert written == b""


def test_a_talk_with_an_oximeter_that_has_stored_some() -> None:
    oximeter = VirtualNonin(13, saturation=91, pulse=104, settling=10.0)
    oximeter.finger = False
    oximeter.store(datetime(2026, 2, 28, 22, 15, 0, tzinfo=UTC), 93, 99)
    talk = NoninConversation()
    heard: list[tuple[float, Decoded]] = []
    talk.begin(0.0, datetime(2026, 3, 1, 12, tzinfo=UTC))
    for tick in range(100):
        at = tick / 2
        oximeter.finger = at >= 5.0
        said = talk.hear(oximeter.due(at), at)
        assert oximeter.hear(said.write, at) == b""
        heard += ((at, decode_spot(payload)) for _, payload in said.payloads)
    assert heard == [
        (
            15.0,
            Decoded(measured(93.0, 99.0), frozenset({Flag.FROM_MEMORY}), DeviceTime(2026, 2, 28, 22, 15, 0)),
        ),
        (15.0, Decoded(measured(91.0, 104.0), device_time=DeviceTime(2016, 1, 1, 0, 0, 15))),
    ]
    # Its clock is right from then on.
    assert oximeter.hear(bytes.fromhex("02 72 00 03"), 60.0) == bytes.fromhex("02 f2 06 1a 03 01 0c 01 00 03")
