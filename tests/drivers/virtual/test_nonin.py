"""The virtual Nonin, held against the specification (6470-000-01) with offsets of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from drivers.virtual.nonin import Perfusion, VirtualNonin

STATUS_AT = {2: 1, 7: 0}


def oximeter(data_format: int) -> VirtualNonin:
    return {2: VirtualNonin(2), 7: VirtualNonin(7), 8: VirtualNonin(8), 13: VirtualNonin(13)}[data_format]


def said(nonin: VirtualNonin, begin: float, end: float) -> bytes:
    """What it says from one time to the other, fetched 25 times a second."""
    nonin.due(begin)
    first, last = int(begin * 25) + 1, int(end * 25)
    return b"".join(nonin.due(tick / 25) for tick in range(first, last + 1))


def packets(octets: bytes, size: int) -> list[bytes]:
    assert len(octets) % size == 0
    return [octets[at : at + size] for at in range(0, len(octets), size)]


@pytest.mark.parametrize("data_format", [2, 7])
def test_it_sends_75_frames_a_second_with_their_sum_and_marks_the_first_of_25(data_format: int) -> None:
    frames = packets(said(oximeter(data_format), 0, 4), 5)
    assert len(frames) == 300
    for number, frame in enumerate(frames):
        assert sum(frame[:4]) % 256 == frame[4]
        status = frame[STATUS_AT[data_format]]
        assert status >= 128
        assert status & 1 == (number % 25 == 0)
        assert data_format == 7 or frame[0] == 1


@pytest.mark.parametrize("data_format", [2, 7])
def test_each_frame_of_a_packet_says_its_own(data_format: int) -> None:
    nonin = oximeter(data_format)
    nonin.saturation, nonin.pulse, nonin.battery_low = 93, 200, True
    packet = packets(said(nonin, 0, 1), 125)[2]
    fours = list(packet[3::5])
    #                             HR       SpO2 rev      timer  STAT2
    assert fours[:8] == [1, 72, 93, 48, 0, 0, 2, 1]
    #                     -D  Fast B-B         E-HR   E-SpO2 -D
    assert fours[8:17] == [93, 93, 93, 0, 0, 1, 72, 93, 93]
    #                             HR-D   E-HR-D
    assert fours[17:] == [0, 0, 1, 72, 1, 72, 0, 0]


def test_the_waveform_has_the_pulses_rate() -> None:
    for data_format, at, size in ((2, 2, 1), (7, 1, 2)):
        nonin = oximeter(data_format)
        nonin.pulse = 60
        frames = packets(said(nonin, 0, 10.2), 5)
        heights = [int.from_bytes(frame[at : at + size], "big") for frame in frames]
        beats = sum(after > before for before, after in pairwise(heights))
        assert beats == 10


@pytest.mark.parametrize(
    ("perfusion", "bits"), [(Perfusion.GREEN, 0x02), (Perfusion.YELLOW, 0x06), (Perfusion.RED, 0x04)]
)
def test_a_pulse_is_told_for_12_frames_with_its_perfusion_and_artefact(
    perfusion: Perfusion, bits: int
) -> None:
    nonin = VirtualNonin(2, pulse=60)
    nonin.perfusion, nonin.artefact = perfusion, True
    statuses = [frame[1] & 0x7E for frame in packets(said(nonin, 0, 10), 5)]
    assert set(statuses) == {0, bits | 0x20}
    assert statuses.count(bits | 0x20) in range(10 * 12 - 12, 10 * 12 + 1)


def test_the_display_holds_for_ten_seconds_after_the_finger_is_out() -> None:
    nonin = VirtualNonin(2, saturation=95)
    said(nonin, 0, 3)
    nonin.finger = False
    out = packets(said(nonin, 3, 16), 125)
    assert all(packet[1] & 0x08 for packet in out[1:])
    assert [packet[13] for packet in out[1:]] == [127] * (len(out) - 1)  # SpO2, for recording: none at once
    displayed = [packet[43] for packet in out]  # SpO2-D
    assert displayed == sorted(displayed)
    assert displayed.count(95) in (30, 31)
    nonin.finger = True
    assert packets(said(nonin, 16, 17), 125)[1][43] == 95


def test_the_display_follows_every_second_and_a_half() -> None:
    nonin = VirtualNonin(2, saturation=95)
    said(nonin, 0, 1)
    nonin.saturation = 85
    following = packets(said(nonin, 1, 4), 125)
    assert [packet[13] for packet in following[1:]] == [85] * 8
    assert {packet[43] for packet in following} == {95, 85}


def test_an_oximeter_without_a_sensor_or_out_of_track_says_so() -> None:
    nonin = VirtualNonin(2)
    nonin.connected = False
    assert {frame[1] & 0x78 for frame in packets(said(nonin, 0, 1), 5)} == {0x48}
    nonin = VirtualNonin(2)
    nonin.out_of_track = True
    assert {frame[1] & 0x78 for frame in packets(said(nonin, 0, 1), 5)} == {0x10}


def test_format_8_says_once_a_second_what_the_display_shows() -> None:
    nonin = VirtualNonin(8, saturation=90, pulse=130)
    assert packets(said(nonin, 0, 3), 4) == [bytes.fromhex("81 02 5a 00")] * 3
    nonin.perfusion, nonin.artefact, nonin.battery_low = Perfusion.RED, True, True
    assert said(nonin, 3, 4) == bytes.fromhex("95 02 5a 01")
    nonin.finger = False
    assert said(nonin, 4, 5) == bytes.fromhex("81 02 5a 09")
    assert said(nonin, 5, 20)[-4:] == bytes.fromhex("83 7f 7f 09")


def test_format_13_says_a_spot_check_once_for_each_finger() -> None:
    nonin = VirtualNonin(13, saturation=97, pulse=72, settling=5.0)
    nonin.clock = datetime(2026, 3, 1, 14, 5, 54, tzinfo=UTC)
    expected = bytes.fromhex("0002 000d 000e 20 26 03 01 14 05 59 00 0200 0048 00 61 67 03")
    assert said(nonin, 0, 4.5) == b""
    assert said(nonin, 4.5, 60) == expected
    nonin.finger = False
    said(nonin, 60, 61)
    nonin.finger, nonin.artefact = True, True
    unsure = said(nonin, 61, 90)
    assert (len(unsure), unsure[14:16]) == (22, b"\x00\x00")


def test_what_it_has_stored_is_sent_first_and_once() -> None:
    nonin = VirtualNonin(13, settling=1.0)
    nonin.store(datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC), 88, 110)
    both = packets(said(nonin, 0, 5), 22)
    assert both[0] == bytes.fromhex("0002 000d 000e 20 26 02 28 23 59 59 00 0210 006e 00 58 1d 03")
    assert len(both) == 2
    nonin.finger = False
    said(nonin, 5, 6)
    nonin.finger = True
    assert len(said(nonin, 6, 20)) == 22


def test_it_can_be_told_the_time_and_tells_it() -> None:
    nonin = VirtualNonin(13)
    # the specification's example: 2050-12-31 14:30:15; no answer
    assert nonin.hear(bytes.fromhex("02 72 06 32 0c 1f 0e 1e 0f 03"), 100.0) == b""
    assert nonin.hear(bytes.fromhex("02 72 00 03"), 110.0) == bytes.fromhex("02 f2 06 32 0c 1f 0e 1e 19 03")
    assert nonin.hear(bytes.fromhex("02 72 06 32 0d 1f 0e 1e 0f 03"), 110.0) == b""  # month 13
    assert nonin.hear(bytes.fromhex("02 72 00 03"), 110.0) == bytes.fromhex("02 f2 06 32 0c 1f 0e 1e 19 03")


def test_it_can_be_told_another_format() -> None:
    nonin = VirtualNonin(2)
    said(nonin, 0, 1)
    assert nonin.hear(b"noise" + bytes.fromhex("02 70 02"), 1.0) == b""
    assert nonin.hear(bytes.fromhex("02 08 03"), 1.0) == b"\x06"
    assert len(said(nonin, 1, 5)) == 16
    assert nonin.hear(bytes.fromhex("02 70 02 02 01 03"), 5.0) == b"\x15"  # format 1: it knows none
    assert nonin.data_format == 8


def test_what_nobody_fetched_for_long_is_lost() -> None:
    nonin = VirtualNonin(2)
    nonin.due(0.0)
    assert len(nonin.due(1000.0)) == 375
