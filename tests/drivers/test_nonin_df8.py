"""Nonin's data format 8: packets by hand from the specification of the 9560, and talks with a virtual one."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.driver import Decoded, DecodeError
from drivers.nonin import LIVE
from drivers.nonin_df8 import DRIVER, OncePerSecond, decode_live
from drivers.serial_line import LineSettings
from drivers.virtual.nonin import Perfusion, VirtualNonin
from hub.readings import AbsentReason, Flag, Measurement, Quality, Vital

GOOD, QUESTIONABLE, UNUSABLE = Quality.GOOD, Quality.QUESTIONABLE, Quality.UNUSABLE

PACKET = bytes.fromhex(
    "81"  # begins; nothing to say; bits 8 and 7 of the pulse: 1
    "07"  # bits 6 to 0: with them 135
    "5e"  # 94 %
    "20"  # SmartPoint
)


def measured(
    saturation: float | None, pulse: float | None, quality: Quality = GOOD
) -> tuple[Measurement, ...]:
    return tuple(
        Measurement(vital, number, None if number else AbsentReason.NOT_A_NUMBER, quality)
        for vital, number in ((Vital.OXYGEN_SATURATION, saturation), (Vital.PULSE_RATE, pulse))
    )


def heard(*said: tuple[float, bytes]) -> list[tuple[float, bytes]]:
    """When a conversation gave what, of bytes that came then."""
    talk = OncePerSecond()
    talk.begin(0.0, None)
    payloads = []
    for at, octets in said:
        for kind, payload in (*talk.hear(octets, at).payloads, *talk.wait(at).payloads):
            assert kind == LIVE
            payloads.append((at, payload))
    return payloads


def once_a_second(*octets: bytes, begin: float = 1.0) -> list[tuple[float, bytes]]:
    return [(begin + number, each) for number, each in enumerate(octets)]


def test_the_driver_is_what_its_document_says() -> None:
    assert DRIVER.settings == LineSettings(9600, "N", 1)
    assert DRIVER.streaming == {LIVE} == DRIVER.characteristics.keys()


def test_a_packet_says_its_display_values() -> None:
    assert decode_live(b"\x01" + PACKET) == Decoded(measured(94.0, 135.0))


@pytest.mark.parametrize(
    ("packet", "flag", "quality"),
    [
        ("c0 48 61 00", Flag.SENSOR_UNCONNECTED, UNUSABLE),
        ("a0 48 61 00", Flag.INADEQUATE_SIGNAL, UNUSABLE),
        ("90 48 61 00", Flag.LOW_PERFUSION, QUESTIONABLE),
        ("88 48 61 00", Flag.POOR_SIGNAL, QUESTIONABLE),
        ("84 48 61 00", Flag.QUESTIONABLE_PULSE, QUESTIONABLE),
        ("80 48 61 08", Flag.SENSOR_DISPLACED, UNUSABLE),
        ("80 48 61 01", Flag.BATTERY_LOW, GOOD),
        ("80 48 61 76", None, GOOD),  # SmartPoint, and what is reserved
    ],
)
def test_what_the_status_says(packet: str, flag: Flag | None, quality: Quality) -> None:
    expected = Decoded(measured(97.0, 72.0, quality), frozenset({flag} if flag else ()))
    assert decode_live(b"\x01" + bytes.fromhex(packet)) == expected


def test_missing_numbers_are_absent() -> None:
    assert decode_live(bytes.fromhex("01 83 7f 7f 00")) == Decoded(measured(None, None))


@pytest.mark.parametrize("packet", ["", "01", "0181075e", "01 01075e20", "01 81875e20", "00 81075e20"])
def test_what_is_no_packet_is_refused(packet: str) -> None:
    with pytest.raises(DecodeError) as refused:
        decode_live(bytes.fromhex(packet))
    assert refused.value.payload == bytes.fromhex(packet)


def test_the_third_packet_in_a_row_is_believed() -> None:
    assert heard(*once_a_second(*[PACKET] * 5)) == [(at, b"\x01" + PACKET) for at in (3.0, 4.0, 5.0)]


def test_two_packets_are_no_row_however_long_it_lasts() -> None:
    assert heard((1.0, PACKET), (3.0, PACKET)) == []


def test_what_comes_too_fast_is_not_believed() -> None:
    talk = OncePerSecond()
    for tick in range(400):  # ten a second
        assert talk.hear(PACKET, tick / 10).payloads == ()
    assert talk.frames == 0


def test_packets_that_waited_for_a_busy_hub_are_read() -> None:
    said = [*once_a_second(*[PACKET] * 4), (8.0, PACKET * 4), (9.0, PACKET)]
    assert len(heard(*said)) == 7


@pytest.mark.parametrize("damage", [b"", b"\x80", b"\x00", PACKET[:3], PACKET[1:], PACKET + b"\x55"])
def test_a_byte_too_many_or_too_few_costs_what_is_heard_of_two_seconds(damage: bytes) -> None:
    packets = [PACKET] * 4 + [damage] + [PACKET] * 5
    times = [at for at, _ in heard(*once_a_second(*packets))]
    if damage == b"":  # a second without a packet is no damage
        assert times == [3.0, 4.0, 6.0, 7.0, 8.0, 9.0, 10.0]
    else:
        assert [at for at in times if at < 5.0] == [3.0, 4.0]
        assert [at for at in times if at > 5.0] == [8.0, 9.0, 10.0]


@given(cuts=st.lists(st.integers(1, 3), min_size=1))
def test_any_split_gives_the_same(cuts: list[int]) -> None:
    said = []
    for at, packet in once_a_second(*[PACKET] * 6):
        begin = 0
        for number in range(4):
            end = begin + cuts[number % len(cuts)]
            said.append((at + number / 1000, packet[begin:end]))
            begin = end
    assert [payload for _, payload in heard(*said)] == [b"\x01" + PACKET] * 4


@given(octets=st.binary(max_size=400))
def test_random_bytes_at_the_rate_of_a_stream_give_nothing_and_raise_nothing(octets: bytes) -> None:
    talk = OncePerSecond()
    for begin in range(0, len(octets), 5):
        assert talk.hear(octets[begin : begin + 5], begin / 375).payloads == ()
    talk.hear(b"\x00", 1e6)
    assert talk.frames == 0
    assert talk.passed_over == len(octets) + 1


def test_a_stream_of_another_format_gives_nothing() -> None:
    for data_format in (2, 7, 13):
        oximeter = VirtualNonin(2 if data_format == 2 else 7 if data_format == 7 else 13)
        talk = OncePerSecond()
        oximeter.due(0.0)
        for tick in range(1, 2000):
            assert talk.hear(oximeter.due(tick / 50), tick / 50).payloads == ()


def test_noise_gives_nothing() -> None:
    noise = random.Random(8).randbytes(200_000)
    talk = OncePerSecond()
    for begin in range(0, len(noise), 16):
        assert talk.hear(noise[begin : begin + 16], begin / 960).payloads == ()
    assert talk.frames == 0


def test_a_talk_with_an_oximeter() -> None:
    oximeter = VirtualNonin(8, saturation=89, pulse=130)
    oximeter.perfusion = Perfusion.YELLOW
    talk = OncePerSecond()
    seconds = []
    for tick in range(1500):
        at = tick / 50
        if at == 15.0:
            oximeter.finger = False
        seconds += [decode_live(payload) for _, payload in talk.hear(oximeter.due(at), at).payloads]
    assert seconds[:12] == [Decoded(measured(89.0, 130.0, QUESTIONABLE), frozenset({Flag.POOR_SIGNAL}))] * 12
    out = seconds[14:]
    assert all(each.flags == {Flag.SENSOR_DISPLACED} for each in out)
    assert out[0].measurements == measured(89.0, 130.0, UNUSABLE)  # held for 10 s
    assert out[-1].measurements == measured(None, None, UNUSABLE)
