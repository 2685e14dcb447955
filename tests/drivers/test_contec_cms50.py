"""The newer Contec oximeters: golden bytes by the document, captures, and talks with a virtual one."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.contec_cms50 import DRIVER, Cms50Conversation, decode_live
from drivers.driver import Decoded, DecodeError
from drivers.serial_line import LineSettings
from drivers.virtual.contec import ClassicCms50, Finger
from drivers.virtual.wrong_baud import misheard
from hub.readings import Flag, Quality
from tests.rigs.talking import oximeter

GOOD, QUESTIONABLE, UNUSABLE = Quality.GOOD, Quality.QUESTIONABLE, Quality.UNUSABLE
CAPTURES = {
    capture["id"]: bytes.fromhex(capture["payload_hex"])
    for capture in map(json.loads, Path(__file__).with_name("captures.jsonl").read_text().splitlines())
    if capture["id"].startswith("cms50")
}

# kind 01; bits 7 of what follows (FF FF, and of the pulse, 190); strength 6; waveform 40; bar 5, no index;
# pulse 190; 88 %; no index
LIVE = bytes.fromhex("01 e8 86 a8 95 be d8 ff ff")
SECOND = LIVE * 61


def heard(octets: bytes, conversation: Cms50Conversation | None = None) -> list[tuple[str, bytes]]:
    """What is told of these bytes within the second in which they came."""
    conversation = conversation or Cms50Conversation()
    conversation.begin(0.0, None)
    told = [*conversation.hear(octets, 0.1).payloads]
    return [*told, *conversation.wait(1.2).payloads]


def meant(live: bytes) -> Decoded:
    """What a live packet means, said for a second."""
    [(kind, payload)] = heard(live * 61)
    assert kind == "live"
    return DRIVER.characteristics[kind](payload)


def test_the_line_is_set_as_the_document_says_and_only_live_streams() -> None:
    assert DRIVER.settings == LineSettings(115_200, "N", 1)
    assert DRIVER.streaming == {"live"}


# --- golden bytes


def test_sixty_live_packets_are_one_second_of_what_they_say() -> None:
    # 60 packets: strength 6 and no other bit, 190 /min, 88 %; the last of the 61 is not known to be whole
    assert heard(SECOND) == [("live", bytes.fromhex("3c 06 be 58"))]
    assert meant(LIVE) == oximeter(88.0, 190.0)


@pytest.mark.parametrize(
    ("packet", "decoded"),
    [
        # bit 7 of byte 2, and no numbers: FF, 7F
        ("01 e9 80 c0 90 ff ff ff ff", oximeter(None, None, UNUSABLE, Flag.SENSOR_DISPLACED)),
        # the same with numbers that were left standing: never scored
        ("01 e1 86 a8 95 c8 e1 ff ff", oximeter(97.0, 72.0, UNUSABLE, Flag.SENSOR_DISPLACED)),
        # bit 7 of byte 3: searching for a pulse
        ("01 e2 86 a8 95 c8 e1 ff ff", oximeter(97.0, 72.0, UNUSABLE, Flag.INADEQUATE_SIGNAL)),
        # bit 4 of byte 2: searching for too long
        ("01 e0 96 a8 95 c8 e1 ff ff", oximeter(97.0, 72.0, UNUSABLE, Flag.INADEQUATE_SIGNAL)),
        # bit 5 (low SpO2) and bit 6 (the beat) say nothing of the quality
        ("01 e0 e6 a8 95 c8 e1 ff ff", oximeter(97.0, 72.0)),
        # strength 3, 2 and 0
        ("01 e0 83 a8 95 c8 e1 ff ff", oximeter(97.0, 72.0)),
        ("01 e0 82 a8 95 c8 e1 ff ff", oximeter(97.0, 72.0, QUESTIONABLE, Flag.POOR_SIGNAL)),
        ("01 e0 80 a8 95 c8 e1 ff ff", oximeter(97.0, 72.0, QUESTIONABLE, Flag.POOR_SIGNAL)),
        # 0 is no number either; the pulse beside it is one
        ("01 e0 86 a8 95 c8 80 ff ff", oximeter(None, 72.0)),
        ("01 e0 86 a8 95 80 e1 ff ff", oximeter(97.0, None)),
        # a perfusion index of 3.00 % changes nothing: bit 4 of byte 4 clear, 012C
        ("01 80 86 a8 85 c8 e1 ac 82", oximeter(97.0, 72.0)),
    ],
)
def test_what_a_live_packet_says_of_itself_is_quality_and_never_a_number(
    packet: str, decoded: Decoded
) -> None:
    assert meant(bytes.fromhex(packet)) == decoded


@pytest.mark.parametrize(
    "packet",
    [
        "01 e0 86 a8 95 c8 f0 ff ff",  # 112 %
        "01 f0 86 a8 95 c8 e1 ff ff",  # 97 % but for bit 7, which is bit 4 of byte 1: 225 %
    ],
)
def test_what_no_body_has_is_not_usable(packet: str) -> None:
    decoded = meant(bytes.fromhex(packet))
    assert Flag.IMPLAUSIBLE in decoded.flags
    assert not decoded.measurements[0].usable


@pytest.mark.parametrize("payload", ["", "3c064461ff", "3c0644", "00064461"])
def test_what_is_no_second_is_refused(payload: str) -> None:
    with pytest.raises(DecodeError):
        decode_live(bytes.fromhex(payload))


def test_three_live_packets_alone_are_no_value() -> None:
    assert decode_live(bytes.fromhex("03 06 44 61")).flags == {Flag.ERRATIC_SIGNAL}
    assert decode_live(bytes.fromhex("04 06 44 61")) == oximeter(97.0, 68.0)


# --- captures


@pytest.mark.parametrize(
    ("name", "saturation", "pulse"),
    [
        ("cms50dplus-1", 97.0, 65.0),
        ("cms50dplus-3", 97.0, 65.0),
        ("cms50e-1", 99.0, 60.0),
        ("cms50e-3", 99.0, 60.0),
    ],
)
def test_a_captured_live_packet_says_what_its_author_saw(name: str, saturation: float, pulse: float) -> None:
    assert meant(CAPTURES[name]) == oximeter(saturation, pulse)


@pytest.mark.parametrize("name", ["cms50dplus-cmd-1", "cms50dplus-cmd-3"])
def test_a_captured_answer_is_a_whole_packet(name: str) -> None:
    conversation = Cms50Conversation()
    conversation.hear(CAPTURES[name][9:], 0.0)
    assert (conversation.frames, conversation.passed_over) == (1, 0)


def test_the_captured_command_is_the_first_that_is_written_and_its_answer_brings_the_next() -> None:
    command, answer = CAPTURES["cms50dplus-cmd-1"][:9], CAPTURES["cms50dplus-cmd-1"][9:]
    conversation = Cms50Conversation()
    assert conversation.begin(0.0, None).write == command
    assert conversation.hear(answer, 0.01).write == bytes.fromhex("7d81a2808080808080")


# --- what arrives damaged


@given(cuts=st.lists(st.integers(0, len(SECOND) + 8), max_size=12))
def test_however_the_bytes_are_split_the_payloads_are_the_same(cuts: list[int]) -> None:
    octets = b"\xff\x85" + SECOND[:99] + b"\x0c\x80\x01\xe0\x7e" + SECOND[99:]
    conversation = Cms50Conversation()
    conversation.begin(0.0, None)
    told: list[tuple[str, bytes]] = []
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), None], strict=True):
        told += conversation.hear(octets[begin:end], 0.1).payloads
    told += conversation.wait(1.2).payloads
    at_once = Cms50Conversation()
    assert told == heard(octets, at_once)
    assert conversation.frames == at_once.frames == 61
    assert conversation.passed_over == at_once.passed_over


@given(noise=st.binary(max_size=40), after=st.integers(0, 59))
def test_noise_between_two_packets_loses_at_most_the_one_before_it(noise: bytes, after: int) -> None:
    octets = LIVE * after + noise + LIVE * (61 - after)
    [(_, payload)] = heard(octets)
    assert payload.endswith(bytes.fromhex("06be58"))
    assert payload[0] >= 59


@given(where=st.integers(0, 8), octet=st.integers(0, 255), packet=st.integers(0, 59))
def test_one_byte_that_was_hit_is_not_the_value_of_the_second(where: int, octet: int, packet: int) -> None:
    octets = bytearray(SECOND)
    octets[packet * 9 + where] = octet
    payloads = [payload for kind, payload in heard(bytes(octets)) if kind == "live"]
    assert [decode_live(payload) for payload in payloads] == [oximeter(88.0, 190.0)]


@given(where=st.integers(1, 8), octet=st.integers(0x80, 0xFF))
def test_a_packet_with_a_byte_too_many_or_too_few_is_never_believed(where: int, octet: int) -> None:
    longer = LIVE[:where] + bytes([octet]) + LIVE[where:]
    shorter = LIVE[:where] + LIVE[where + 1 :]
    conversation = Cms50Conversation()
    assert heard(longer + shorter + b"\x01", conversation) == []
    assert conversation.frames == 0
    assert conversation.passed_over == 18


def test_half_a_packet_at_the_end_is_never_believed() -> None:
    for length in range(10):
        assert heard(LIVE[:length]) == []


def test_a_packet_that_was_begun_is_not_ended_by_what_comes_later() -> None:
    conversation = Cms50Conversation()
    conversation.begin(0.0, None)
    conversation.hear(LIVE[:5], 0.0)
    conversation.hear(LIVE[5:] + LIVE, 0.6)
    conversation.hear(b"\x01", 0.7)
    assert (conversation.frames, conversation.passed_over) == (1, 9)


def test_random_bytes_never_raise_hold_little_and_give_no_value() -> None:
    random, conversation = Random(5), Cms50Conversation()
    conversation.begin(0.0, None)
    usable = 0
    for number in range(600):  # as many bytes as ten minutes on a line of nothing but noise
        told = conversation.hear(random.randbytes(1000), number * 0.1).payloads
        told += conversation.wait(number * 0.1).payloads
        usable += sum(
            one.usable for kind, payload in told for one in DRIVER.characteristics[kind](payload).measurements
        )
    assert usable == 0
    assert conversation.passed_over > 500_000
    conversation.hear(SECOND, 61.0)
    assert [decode_live(payload) for _, payload in conversation.wait(63.0).payloads][-1] == oximeter(
        88.0, 190.0
    )


@settings(max_examples=50)
@given(st.lists(st.binary(max_size=30), max_size=30))
def test_nothing_that_comes_raises(pieces: list[bytes]) -> None:
    conversation = Cms50Conversation()
    conversation.begin(0.0, None)
    for number, piece in enumerate(pieces):
        conversation.hear(piece, number * 0.3)
        conversation.wait(number * 0.3)
    assert conversation.frames >= 0


def test_a_flood_is_passed_over_and_not_kept() -> None:
    conversation = Cms50Conversation()
    for number in range(1000):
        conversation.hear(b"\x01" * (number == 0) + b"\xff" * 1000, number * 0.01)
        assert conversation.passed_over >= 1000 * (number + 1)


@pytest.mark.parametrize("baud", [9_600, 19_200])
@pytest.mark.parametrize("finger", [Finger(), Finger(88, 120), Finger(inside=False)])
def test_an_older_sensor_gives_no_frames_and_much_that_is_passed_over(baud: int, finger: Finger) -> None:
    sensor, conversation = ClassicCms50(finger=finger), Cms50Conversation()
    for number in range(100):
        octets = sensor.live(3 * number) + sensor.live(3 * number + 1) + sensor.live(3 * number + 2)
        conversation.hear(misheard(octets, sent=baud, heard=115_200), number * 0.05)
    assert conversation.frames == 0
    assert conversation.passed_over > 1500
