"""The PC-60FW's frames. All but those built in a property are bytes that people published, as captured.

The sources: [1] sza2/viatom_pc60fw README, which leaves out AA 55 and the CRC (both are put back here);
[2] pedasmith/BluetoothDeviceController, Viatom_PulseOximeter_PC60FW.cs; [3] a Usenet thread on the
PC-60NW of 2017-12-10 (alt.os.linux).
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.driver import Decoded, DecodeError
from drivers.viatom_pc60fw import DRIVER, NORDIC_UART_RECEIVED, FrameCutter, crc8, decode_numeric
from hub.readings import AbsentReason, Flag, Measurement, Quality, Vital

SATURATION, PULSE = Vital.OXYGEN_SATURATION, Vital.PULSE_RATE

NUMERIC = bytes.fromhex(
    "aa55"  # synchronisation
    "0f"  # the oximeter
    "08"  # 8 bytes follow
    "01"  # numeric
    "61"  # SpO2 97 %
    "4000"  # pulse 0x0040 = 64, little-endian
    "51"  # pulse amplitude index 8.1 %
    "00"  # status: nothing to say
    "c0"  # battery: bits 6 and 7, 3 of 3
    "5b"  # CRC
)
"""[2], whose author read 97 %, 64 /min and 8.1 % off the display."""

PUBLISHED = {
    NUMERIC.hex(): (97.0, 64.0),
    "aa550f0801623f005100c000": (98.0, 63.0),  # [2]; its CRC is 0
    "aa550f0801603e005000c008": (96.0, 62.0),  # [1]
    "aa550f0801603f002d00388c": (96.0, 63.0),  # [3]
    "aa550f08015f470081001878": (95.0, 71.0),  # [3]
}

WAVEFORM = bytes.fromhex("aa550f07026e5fcc3722ed")  # [2]
FLAT_WAVEFORM = bytes.fromhex("aa550f0702000000000028")  # [2]
WORKING_STATUS = bytes.fromhex("aa550f06210200000045")  # [2]
BATTERY = bytes.fromhex("aa55f0030303f6")  # [2]
NAME = bytes.fromhex("aa550f0b03201050432d36304e579e")  # [3]: "PC-60NW"
OTHERS = [WAVEFORM, FLAT_WAVEFORM, WORKING_STATUS, BATTERY, NAME]


def numeric(saturation: int = 97, pulse: int = 64, status: int = 0) -> bytes:
    frame = b"\xaa\x55\x0f\x08\x01" + bytes([saturation]) + pulse.to_bytes(2, "little")
    frame += bytes([0x51, status, 0xC0])
    return frame + bytes([crc8(frame)])


def test_the_crc_is_the_one_of_the_literature() -> None:
    assert crc8(b"123456789") == 0xA1  # CRC-8/MAXIM-DOW in the catalogue of parametrised CRC algorithms


@pytest.mark.parametrize("frame", [bytes.fromhex(each) for each in PUBLISHED] + OTHERS, ids=bytes.hex)
def test_the_crc_of_every_published_frame_is_right(frame: bytes) -> None:
    assert crc8(frame[:-1]) == frame[-1]


@pytest.mark.parametrize(("frame", "meant"), PUBLISHED.items())
def test_a_published_frame_decodes_as_its_author_says(frame: str, meant: tuple[float, float]) -> None:
    saturation, pulse = meant
    assert decode_numeric(bytes.fromhex(frame)) == Decoded(
        (Measurement(SATURATION, saturation), Measurement(PULSE, pulse))
    )


def test_the_pulse_has_two_bytes() -> None:
    assert decode_numeric(numeric(pulse=260)).measurements[1].value == 260.0


def test_0_is_no_number() -> None:
    saturation, pulse = decode_numeric(numeric(saturation=0, pulse=0)).measurements
    assert saturation.absent is AbsentReason.NOT_A_NUMBER
    assert pulse.absent is AbsentReason.NOT_A_NUMBER


@pytest.mark.parametrize(
    ("status", "flags", "quality"),
    [
        (0x02, {Flag.SENSOR_DISPLACED}, Quality.UNUSABLE),
        (0x04, {Flag.INADEQUATE_SIGNAL}, Quality.UNUSABLE),
        (0x06, {Flag.SENSOR_DISPLACED, Flag.INADEQUATE_SIGNAL}, Quality.UNUSABLE),
        (0xF9, set(), Quality.GOOD),  # what nobody has named says nothing
    ],
)
def test_what_it_shows_without_a_finger_is_not_usable(
    status: int, flags: set[Flag], quality: Quality
) -> None:
    decoded = decode_numeric(numeric(status=status))
    assert decoded.flags == flags
    assert {each.quality for each in decoded.measurements} == {quality}


@pytest.mark.parametrize("length", range(len(NUMERIC)))
def test_what_is_cut_is_refused(length: int) -> None:
    with pytest.raises(DecodeError, match="too short"):
        decode_numeric(NUMERIC[:length])


def test_what_is_too_long_or_no_numeric_frame_is_refused() -> None:
    with pytest.raises(DecodeError, match="too long"):
        decode_numeric(NUMERIC + b"\x00")
    for place in (0, 1, 2, 3, 4):
        with pytest.raises(DecodeError, match="no numeric frame"):
            decode_numeric(NUMERIC[:place] + b"\x77" + NUMERIC[place + 1 :])


@pytest.mark.parametrize("bit", range(5 * 8, len(NUMERIC) * 8))
def test_no_bit_can_flip_unseen(bit: int) -> None:
    flipped = (int.from_bytes(NUMERIC, "little") ^ 1 << bit).to_bytes(len(NUMERIC), "little")
    with pytest.raises(DecodeError, match="CRC"):
        decode_numeric(flipped)
    assert FrameCutter().feed(flipped) == []


def test_a_notification_may_hold_several_frames_and_others_are_read_over() -> None:
    assert FrameCutter().feed(WAVEFORM + NUMERIC + BATTERY + NAME + numeric(95)) == [NUMERIC, numeric(95)]


def test_a_frame_may_come_byte_by_byte() -> None:
    cutter = FrameCutter()
    frames = [cutter.feed(bytes([octet])) for octet in NUMERIC]
    assert frames == [[]] * (len(NUMERIC) - 1) + [[NUMERIC]]


def test_a_frame_that_lost_its_end_does_not_swallow_the_next() -> None:
    assert FrameCutter().feed(NUMERIC[:6] + numeric(95)) == [numeric(95)]


def test_a_false_beginning_holds_nothing_up() -> None:
    assert FrameCutter().feed(bytes.fromhex("aa550fff") + NUMERIC) == [NUMERIC]
    assert FrameCutter().feed(bytes.fromhex("aa550f01") + NUMERIC) == [NUMERIC]
    assert FrameCutter().feed(b"\xaa" + NUMERIC) == [NUMERIC]


def test_what_the_device_says_of_itself_is_no_numeric_frame() -> None:
    # F0 01 is its version, by the maker's SDK.
    version = bytes.fromhex("aa55f008 01 614000 5100c0")
    assert FrameCutter().feed(version + bytes([crc8(version)]) + NUMERIC) == [NUMERIC]


def test_each_link_has_its_own_cutter() -> None:
    assert DRIVER.framer is not None
    first, second = DRIVER.framer(), DRIVER.framer()
    first.feed(NUMERIC[:5])
    assert list(second.feed(NUMERIC[5:])) == []
    assert list(first.feed(NUMERIC[5:])) == [NUMERIC]


FRAMES = st.one_of(
    st.builds(numeric, st.integers(0, 255), st.integers(0, 0xFFFF), st.integers(0, 255)),
    st.sampled_from(OTHERS),
)
NOISE = st.binary(max_size=20).map(lambda octets: octets.replace(b"\xaa", b""))


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    """The stream as notifications that end at these places."""
    ends = sorted({place % (len(stream) + 1) for place in places} | {0, len(stream)})
    return [stream[begin:end] for begin, end in pairwise(ends)]


@given(
    pieces=st.lists(st.tuples(NOISE, FRAMES), max_size=8),
    places=st.lists(st.integers(0, 10_000), max_size=12),
)
def test_however_the_stream_is_cut_the_same_frames_come_out(
    pieces: list[tuple[bytes, bytes]], places: list[int]
) -> None:
    cutter = FrameCutter()
    stream = b"".join(noise + frame for noise, frame in pieces)
    frames = [frame for notification in cut(stream, places) for frame in cutter.feed(notification)]
    assert frames == [frame for _, frame in pieces if frame[2] == 0x0F and frame[4] == 0x01]


@given(notifications=st.lists(st.binary(max_size=40) | FRAMES | FRAMES.map(lambda frame: frame[:-3])))
def test_whatever_comes_it_gives_whole_frames_holds_little_and_finds_back(notifications: list[bytes]) -> None:
    cutter = FrameCutter()
    for notification in notifications:
        for frame in cutter.feed(notification):
            decode_numeric(frame)
        assert len(cutter._held) < 4 + 64
    following = [frame for _ in range(7) for frame in cutter.feed(NUMERIC)]
    assert following[-1:] == [NUMERIC]


def test_it_streams() -> None:
    assert DRIVER.streaming == {NORDIC_UART_RECEIVED} == set(DRIVER.characteristics)
    assert DRIVER.only_streams
