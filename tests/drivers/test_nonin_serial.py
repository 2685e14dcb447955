"""Nonin's data formats 2 and 7: packets by hand and as published, and talks with a virtual oximeter.

Where nothing else is said, bytes are written by hand from Nonin's specification of the 9560 (6470-000-01).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from drivers.driver import Decoded, DecodeError
from drivers.nonin import LIVE
from drivers.nonin_serial import DRIVER, SPOT, NoninConversation, decode_live
from drivers.serial_line import LineSettings
from drivers.virtual.nonin import Perfusion, VirtualNonin
from drivers.virtual.wrong_baud import misheard
from hub.readings import AbsentReason, Flag, Measurement, Quality, Vital

SATURATION, PULSE = Vital.OXYGEN_SATURATION, Vital.PULSE_RATE
GOOD, QUESTIONABLE, UNUSABLE = Quality.GOOD, Quality.QUESTIONABLE, Quality.UNUSABLE

CAPTURES = {
    capture["id"]: bytes.fromhex(capture["payload_hex"])
    for capture in map(json.loads, Path(__file__).with_name("captures.jsonl").read_text().splitlines())
}
FORMAT_2 = CAPTURES["nonin-df2-packet"]
FORMAT_2_OF_AN_IPOD = CAPTURES["nonin-ipod-df2-packet"]
DAMAGED = CAPTURES["nonin-df2-badchk"]

FORMAT_7 = bytes.fromhex(
    # status, waveform, byte 4, checksum; a pulse of green perfusion in frames 6 to 17
    "81 6a10 01 fc"  # 1: HR 138: bits 8 and 7
    "80 6b31 0a 26"  # 2: HR: bits 6 to 0
    "80 6c52 5e 9c"  # 3: SpO2 94
    "80 6d73 30 90"  # 4: revision 48
    "80 6e94 00 82"  # 5: reserved
    "82 6fb5 02 a8"  # 6: timer
    "82 70d6 11 d9"  # 7: timer
    "82 71f7 20 0a"  # 8: STAT2: SmartPoint
    "82 7318 5f 6c"  # 9: SpO2-D 95
    "82 7439 5d 8c"  # 10: SpO2 Fast 93
    "82 755a 5c ad"  # 11: SpO2 B-B 92
    "82 767b 00 73"  # 12: reserved
    "82 779c 00 95"  # 13: reserved
    "82 78bd 00 b7"  # 14: E-HR 70: bits 8 and 7
    "82 79de 46 1f"  # 15: E-HR: bits 6 to 0
    "82 7aff 60 5b"  # 16: E-SpO2 96
    "82 7c20 61 7f"  # 17: E-SpO2-D 97
    "80 7d41 00 3e"  # 18: reserved
    "80 7e62 00 60"  # 19: reserved
    "80 7f83 01 83"  # 20: HR-D 135: bits 8 and 7
    "80 80a4 07 ab"  # 21: HR-D: bits 6 to 0
    "80 81c5 00 c6"  # 22: E-HR-D 71: bits 8 and 7
    "80 82e6 47 2f"  # 23: E-HR-D: bits 6 to 0
    "80 8407 00 0b"  # 24: reserved
    "80 8528 00 2d"  # 25: reserved
)


def measured(
    saturation: float | None, pulse: float | None, quality: Quality = GOOD
) -> tuple[Measurement, Measurement]:
    return one(SATURATION, saturation, quality), one(PULSE, pulse, quality)


def one(vital: Vital, number: float | None, quality: Quality) -> Measurement:
    return Measurement(vital, number, None if number else AbsentReason.NOT_A_NUMBER, quality)


def packet(
    *,
    data_format: int = 2,
    saturation: int = 96,
    pulse: int = 72,
    statuses: dict[int, int] | None = None,
    waveform: bytes = bytes(25),
    stat2: int = 0,
) -> bytes:
    """A packet by the specification; `statuses` by the frame's number, from 1."""
    said = {1: pulse >> 7, 2: pulse & 127, 3: saturation, 4: 48, 8: stat2, 9: saturation, 10: saturation}
    said |= {11: saturation, 14: pulse >> 7, 15: pulse & 127, 16: saturation, 17: saturation}
    said |= {20: pulse >> 7, 21: pulse & 127, 22: pulse >> 7, 23: pulse & 127}
    octets = b""
    for number in range(1, 26):
        status = 0x80 | (number == 1) | (statuses or {}).get(number, 0)
        wave = waveform[number - 1]
        begun = bytes((1, status, wave) if data_format == 2 else (status, wave, 255 - wave))
        begun += bytes((said.get(number, 0),))
        octets += begun + bytes((sum(begun) % 256,))
    return octets


def heard(octets: bytes, *, sizes: Iterator[int] | None = None) -> list[tuple[str, bytes]]:
    """What a conversation makes of bytes that come at 375 a second, in chunks of these sizes, and
    the first frame of a packet after them; then two seconds of silence."""
    octets += packet()[:5] if octets[:1] == b"\x01" else packet(data_format=7)[:5]
    talk = NoninConversation()
    talk.begin(100.0, None)
    payloads: list[tuple[str, bytes]] = []
    begin = 0
    while begin < len(octets):
        end = begin + (next(sizes) if sizes else 15)
        payloads += talk.hear(octets[begin:end], 100.0 + end / 375).payloads
        payloads += talk.wait(100.0 + end / 375).payloads
        begin = end
    payloads += talk.wait(102.0 + len(octets) / 375).payloads
    assert talk.frames * 5 + talk.passed_over <= len(octets) < talk.frames * 5 + talk.passed_over + 130
    return payloads


def decoded(octets: bytes) -> list[Decoded]:
    return [DRIVER.characteristics[kind](payload) for kind, payload in heard(octets)]


def spoken_with(oximeter: VirtualNonin, seconds: float, begin: float = 0.0) -> bytes:
    said = b"" if begin else oximeter.due(0.0)
    for tick in range(1, int(seconds * 25) + 1):
        said += oximeter.due(begin + tick / 25)
    return said


def test_the_driver_is_what_its_document_says() -> None:
    assert DRIVER.settings == LineSettings(9600, "N", 1)
    assert DRIVER.streaming == {LIVE}
    assert DRIVER.characteristics.keys() == {LIVE, SPOT}


def test_the_published_packets_of_format_2_say_what_their_authors_say() -> None:
    assert decoded(FORMAT_2) == [Decoded(measured(97.0, 72.0))]
    assert decoded(FORMAT_2_OF_AN_IPOD) == [Decoded(measured(97.0, 61.0))]


def test_a_packet_of_format_7_says_its_display_values_and_no_other_average() -> None:
    assert heard(FORMAT_7) == [(LIVE, bytes.fromhex("01 00 00 01 07 5f"))]
    assert decoded(FORMAT_7) == [Decoded(measured(95.0, 135.0))]


def test_a_second_has_three_packets() -> None:
    (kind, second), *_ = heard(FORMAT_2 * 6)
    assert (kind, second) == (LIVE, bytes.fromhex("03 00 00 00 48 61"))


def test_a_wrong_checksum_gives_nothing_and_the_next_packet_is_read() -> None:
    assert heard(DAMAGED + FORMAT_2[len(DAMAGED) :]) == []
    assert decoded(DAMAGED + FORMAT_2[len(DAMAGED) :] + FORMAT_7) == [Decoded(measured(95.0, 135.0))]


@pytest.mark.parametrize(
    ("frame", "status", "stat2", "flag", "quality"),
    [
        (7, 0x40, 0, Flag.SENSOR_UNCONNECTED, UNUSABLE),
        (25, 0x20, 0, Flag.QUESTIONABLE_PULSE, QUESTIONABLE),
        (1, 0x10, 0, Flag.INADEQUATE_SIGNAL, UNUSABLE),
        (25, 0x08, 0, Flag.SENSOR_DISPLACED, UNUSABLE),
        (12, 0x04, 0, Flag.LOW_PERFUSION, QUESTIONABLE),  # red
        (12, 0x06, 0, Flag.POOR_SIGNAL, QUESTIONABLE),  # yellow
        (12, 0x02, 0, None, GOOD),  # green
        (12, 0x00, 0x01, Flag.BATTERY_LOW, GOOD),
        (12, 0x00, 0x7E, None, GOOD),  # SmartPoint, and what is reserved
    ],
)
@pytest.mark.parametrize("data_format", [2, 7])
def test_what_one_frame_says_of_the_signal_is_said_of_its_packet(
    data_format: int, frame: int, status: int, stat2: int, flag: Flag | None, quality: Quality
) -> None:
    sent = packet(data_format=data_format, statuses={frame: status}, stat2=stat2)
    expected = Decoded(measured(96.0, 72.0, quality), frozenset({flag} if flag else ()))
    assert decoded(sent) == [expected]


def test_a_pulse_of_green_and_one_of_red_are_no_yellow() -> None:
    (only,) = decoded(packet(statuses={2: 0x02, 20: 0x04}))
    assert only.flags == {Flag.LOW_PERFUSION}


def test_an_artefact_in_one_packet_makes_its_second_questionable() -> None:
    (second,) = decoded(packet() + packet(statuses={5: 0x20}) + packet())
    assert second == Decoded(measured(96.0, 72.0, QUESTIONABLE), frozenset({Flag.QUESTIONABLE_PULSE}))


def test_missing_numbers_are_absent() -> None:
    assert decoded(packet(saturation=127, pulse=511)) == [Decoded(measured(None, None))]


def test_the_saturation_that_most_packets_say_counts_and_of_as_many_the_lower() -> None:
    low, high = packet(saturation=88), packet(saturation=93)
    assert decoded(high + low + high)[0].measurements[0].value == 93.0
    assert decoded(high + low)[0].measurements[0].value == 88.0


def test_a_saturation_that_cannot_be_is_not_read_even_with_right_checksums() -> None:
    assert heard(packet(saturation=101)) == []
    assert decoded(packet(saturation=100)) == [Decoded(measured(100.0, 72.0))]


@pytest.mark.parametrize("frame", [20, 21])
def test_a_pulse_whose_bit_7_is_set_is_not_read_even_with_right_checksums(frame: int) -> None:
    sent = bytearray(packet())
    sent[5 * frame - 2] ^= 0x80
    sent[5 * frame - 1] ^= 0x80
    assert heard(bytes(sent)) == []


def test_a_packet_that_noise_has_begun_too_early_is_read() -> None:
    # With these four bytes before it, the waveform has the form of 24 frames of format 7, from its second on.
    sent = packet(data_format=7, waveform=bytes((0x90,)) * 25)
    assert decoded(bytes.fromhex("81 00 00 00") + sent) == [Decoded(measured(96.0, 72.0))]


def test_a_packet_without_its_first_frame_is_not_read() -> None:
    assert heard(FORMAT_2[5:] + FORMAT_2[5:]) == []


@pytest.mark.parametrize("data_format", [2, 7])
def test_frames_that_are_missing_between_two_packets_cost_both(data_format: int) -> None:
    sent = packet(data_format=data_format, waveform=bytes(range(25)))
    for kept in range(1, 25):
        for missing in range(1, 25):
            spliced = sent[: 5 * kept] + sent[5 * missing :]
            if kept != missing:  # then it is a whole one, the waveform's own
                assert heard(spliced + sent[:5]) == []


def test_a_pause_within_a_packet_costs_it() -> None:
    talk = NoninConversation()
    talk.begin(0.0, None)
    assert talk.hear(FORMAT_2[:60], 0.1) == talk.hear(FORMAT_2[60:], 0.7) == ((), b"", None)
    assert talk.wait(9.0).payloads == ()
    assert talk.frames == 0
    assert talk.passed_over == 60
    talk.hear(FORMAT_2 + FORMAT_2[:5], 9.1)
    assert talk.wait(10.2).payloads == ((LIVE, bytes.fromhex("01 00 00 00 48 61")),)


def test_a_hub_that_is_busy_for_seconds_loses_nothing_of_what_the_kernel_has_kept() -> None:
    stream = FORMAT_2 * 9 + FORMAT_2[:5]
    talk = NoninConversation()
    talk.begin(0.0, None)
    for heard, at in ((stream[:70], 0.2), (stream[70:700], 1.9), (stream[700:], 3.0)):
        talk.hear(heard, at)
    assert (talk.frames, talk.passed_over) == (9 * 25, 0)


def test_another_format_is_read_once_the_first_one_is_gone() -> None:
    stream = FORMAT_2 * 3 + FORMAT_7 * 20
    assert decoded(stream)[-1] == Decoded(measured(95.0, 135.0))
    talk = NoninConversation()
    talk.hear(FORMAT_2 * 2, 0.0)
    talk.hear(FORMAT_7 * 2, 2.0)  # after a pause
    assert talk.frames == 50


def test_a_line_at_a_wrong_rate_has_no_frames() -> None:
    stream = spoken_with(VirtualNonin(2), 20) + spoken_with(VirtualNonin(7), 20)
    for rate in (2400, 4800, 19200, 115200):
        talk = NoninConversation()
        received = misheard(stream, sent=9600, heard=rate)
        for begin in range(0, len(received), 64):
            assert talk.hear(received[begin : begin + 64], begin / 375).payloads == ()
        assert talk.frames == 0
        assert talk.passed_over > 1000


@given(octets=st.binary(max_size=600), begin=st.floats(0, 10))
def test_random_bytes_give_nothing_and_raise_nothing(octets: bytes, begin: float) -> None:
    talk = NoninConversation()
    talk.begin(begin, datetime(2026, 3, 1, 12, tzinfo=UTC))
    for number, at in enumerate(range(0, len(octets), 7)):
        assert talk.hear(octets[at : at + 7], begin + number / 50) == ((), b"", None)
    assert talk.wait(begin + 100).payloads == ()


@given(sizes=st.lists(st.integers(1, 150), min_size=1), data_format=st.sampled_from([2, 7]))
def test_any_split_gives_the_same(sizes: list[int], data_format: int) -> None:
    said = [packet(data_format=data_format, saturation=number) for number in range(90, 99)]
    stream = b"".join(said)

    def cut() -> Iterator[int]:
        while True:
            yield from sizes

    of_each = b"".join(second for _, second in heard(stream, sizes=cut()))
    assert [of_each[at + 5] for at in range(0, len(of_each), 6)] == list(range(90, 99))


@settings(max_examples=300)
@given(
    data_format=st.sampled_from([2, 7]),
    where=st.integers(0, 3 * 125 - 1),
    instead=st.integers(1, 255),
    waveform=st.binary(min_size=25, max_size=25),
)
def test_a_damaged_byte_costs_its_packet_and_never_gives_a_wrong_number(
    data_format: int, where: int, instead: int, waveform: bytes
) -> None:
    sent = [packet(data_format=data_format, saturation=number, waveform=waveform) for number in (91, 92, 93)]
    stream = bytearray(b"".join(sent))
    stream[where] ^= instead
    of_each = b"".join(second for _, second in heard(bytes(stream)))
    expected = [number for index, number in enumerate((91, 92, 93)) if index != where // 125]
    assert [of_each[at + 5] for at in range(0, len(of_each), 6)] == expected
    assert all(of_each[at + 3 : at + 5] == b"\x00\x48" for at in range(0, len(of_each), 6))


@given(noise=st.binary(max_size=200), data_format=st.sampled_from([2, 7]))
def test_noise_before_and_between_packets_loses_none_of_them(noise: bytes, data_format: int) -> None:
    after = (noise + packet(data_format=data_format))[:5]
    assume(sum(after[:4]) % 256 != after[4] or not noise)  # noise that is a frame
    sent = [packet(data_format=data_format, saturation=number) for number in (91, 92, 93)]
    of_each = b"".join(second for _, second in heard(noise + sent[0] + noise + sent[1] + noise + sent[2]))
    assert [of_each[at + 5] for at in range(0, len(of_each), 6)] == [91, 92, 93]


@settings(max_examples=300)
@given(
    data_format=st.sampled_from([2, 7]),
    waveform=st.one_of(
        st.binary(min_size=25, max_size=25), st.integers(0, 255).map(lambda flat: bytes((flat,)) * 25)
    ),
    saturation=st.one_of(st.integers(0, 100), st.just(127)),
    pulse=st.integers(0, 511),
    status=st.integers(0, 0x3F).map(lambda bits: bits << 1),
    shift=st.integers(0, 124),
)
def test_one_format_is_never_taken_for_the_other(
    data_format: int, waveform: bytes, saturation: int, pulse: int, status: int, shift: int
) -> None:
    sent = packet(
        data_format=data_format,
        waveform=waveform,
        saturation=saturation,
        pulse=pulse,
        statuses=dict.fromkeys(range(1, 26), status),
    )
    talk = NoninConversation()
    said = [talk.hear((sent * 4)[shift : shift + 255], 0.0), talk.wait(1.0)]
    expected = bytes((pulse >> 7, pulse & 127, saturation))
    payloads = [payload for each in said for _, payload in each.payloads]
    assert len(payloads) == 1
    assert payloads[0][3:] == expected


@pytest.mark.parametrize(("saturation", "pulse"), [(97, 72), (127, 511)])
@pytest.mark.parametrize("data_format", [2, 7])
def test_a_flat_waveform_of_any_height_is_of_its_own_format(
    data_format: int, saturation: int, pulse: int
) -> None:
    for flat in range(256):
        waveform = bytes((flat,)) * 25
        sent = packet(data_format=data_format, waveform=waveform, saturation=saturation, pulse=pulse)
        talk = NoninConversation()
        talk.hear(sent[7:] + sent + sent[:5], 0.0)
        assert (talk.frames, talk.passed_over) == (25, 118)


@pytest.mark.parametrize("data_format", [2, 7])
def test_a_talk_with_an_oximeter(data_format: int) -> None:
    oximeter = VirtualNonin(2 if data_format == 2 else 7, saturation=94, pulse=131)
    seconds = [DRIVER.characteristics[kind](payload) for kind, payload in heard(spoken_with(oximeter, 10))]
    assert len(seconds) == 10
    assert set(seconds) == {Decoded(measured(94.0, 131.0))}


@pytest.mark.parametrize("data_format", [2, 7])
def test_a_finger_taken_out_gives_no_number(data_format: int) -> None:
    oximeter = VirtualNonin(2 if data_format == 2 else 7, saturation=94, pulse=70)
    stream = spoken_with(oximeter, 5)
    oximeter.finger = False
    stream += spoken_with(oximeter, 15, begin=5)
    before, after = decoded(stream)[:5], decoded(stream)[5:]
    assert set(before) == {Decoded(measured(94.0, 70.0))}
    assert all(each.flags == {Flag.SENSOR_DISPLACED} for each in after)
    assert not any(measurement.usable for each in after for measurement in each.measurements)
    assert {each.measurements[0].value for each in after} == {94.0, None}
    assert after[-1] == Decoded(measured(None, None, UNUSABLE), frozenset({Flag.SENSOR_DISPLACED}))


@pytest.mark.parametrize(
    ("perfusion", "flags", "quality"),
    [
        (Perfusion.GREEN, set(), GOOD),
        (Perfusion.YELLOW, {Flag.POOR_SIGNAL}, QUESTIONABLE),
        (Perfusion.RED, {Flag.LOW_PERFUSION}, QUESTIONABLE),
    ],
)
def test_perfusion_is_known_in_every_second_with_a_pulse(
    perfusion: Perfusion, flags: set[Flag], quality: Quality
) -> None:
    oximeter = VirtualNonin(2, pulse=90)
    oximeter.perfusion = perfusion
    seconds = decoded(spoken_with(oximeter, 10))[1:]
    assert all(each == Decoded(measured(97.0, 90.0, quality), frozenset(flags)) for each in seconds)


@pytest.mark.parametrize(
    "refused", ["", "01", "010000004861ff", "00 00 00 00 48 61", "01 00 00 00 48 61 00 00 00 00 48 61"]
)
def test_what_is_no_second_is_refused(refused: str) -> None:
    with pytest.raises(DecodeError):
        decode_live(bytes.fromhex(refused))
