"""The older Contec oximeters: golden bytes, what was captured, and talks with a virtual one."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contec_cms50_classic import DRIVER, ClassicConversation
from drivers.driver import Decoded
from drivers.serial_line import LineSettings
from drivers.virtual.contec import ClassicCms50, Cms50, Finger, Recording
from drivers.virtual.wrong_baud import misheard
from hub.readings import Flag, Quality, RawPayload
from tests.rigs.talking import Talk, oximeter

GOOD, QUESTIONABLE, UNUSABLE = Quality.GOOD, Quality.QUESTIONABLE, Quality.UNUSABLE
CAPTURES = {
    capture["id"]: bytes.fromhex(capture["payload_hex"])
    for capture in map(json.loads, Path(__file__).with_name("captures.jsonl").read_text().splitlines())
    if capture["id"].startswith("cms50")
}

# strength 6; waveform 40; bar 5, bit 7 of the pulse; its other bits: 190; 88 %
FRAME = bytes.fromhex("86 28 45 3e 58")
SECOND = FRAME * 61
RECORDING = Recording(datetime(2026, 2, 27, 22, 10, 0), tuple((90 + n % 7, 120 + n % 20) for n in range(200)))  # noqa: DTZ001 - a sensor's clock has no zone

decode_live = DRIVER.characteristics["live"]


def heard(octets: bytes, conversation: ClassicConversation | None = None) -> list[tuple[str, bytes]]:
    """What is told of these bytes within the second in which they came."""
    conversation = conversation or ClassicConversation()
    conversation.begin(0.0, None)
    told = [*conversation.hear(octets, 0.1).payloads]
    return [*told, *conversation.wait(1.2).payloads]


def test_the_line_is_set_to_odd_parity_and_only_live_streams() -> None:
    assert DRIVER.settings == LineSettings(19_200, "O", 1)
    assert DRIVER.streaming == {"live"}


@pytest.mark.parametrize(
    ("frame", "decoded"),
    [
        ("86 28 45 3e 58", oximeter(88.0, 190.0)),
        ("86 28 05 48 61", oximeter(97.0, 72.0)),
        # bit 6 (the beat) and bit 5 (SpO2 dropping) of the first byte say nothing of the quality
        ("e6 28 05 48 61", oximeter(97.0, 72.0)),
        # bit 4 of the first: searching for too long
        ("96 28 05 48 61", oximeter(97.0, 72.0, UNUSABLE, Flag.INADEQUATE_SIGNAL)),
        # bit 5 of the third: searching for a pulse
        ("86 28 25 48 61", oximeter(97.0, 72.0, UNUSABLE, Flag.INADEQUATE_SIGNAL)),
        # bit 4 of the third: probe error
        ("80 40 10 00 00", oximeter(None, None, UNUSABLE, Flag.SENSOR_DISPLACED)),
        ("80 40 50 7f 7f", oximeter(None, None, UNUSABLE, Flag.SENSOR_DISPLACED)),
        ("82 28 05 48 61", oximeter(97.0, 72.0, QUESTIONABLE, Flag.POOR_SIGNAL)),
    ],
)
def test_what_a_frame_says_of_itself_is_quality_and_never_a_number(frame: str, decoded: Decoded) -> None:
    [(kind, payload)] = heard(bytes.fromhex(frame) * 61)
    assert kind == "live"
    assert payload[0] == 60
    assert decode_live(payload) == decoded


@given(cuts=st.lists(st.integers(0, len(SECOND) + 5), max_size=12))
def test_however_the_bytes_are_split_the_payloads_are_the_same(cuts: list[int]) -> None:
    octets = b"\x28\x05" + SECOND[:55] + b"\x85\x85\x00" + SECOND[55:]
    conversation = ClassicConversation()
    conversation.begin(0.0, None)
    told: list[tuple[str, bytes]] = []
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), None], strict=True):
        told += conversation.hear(octets[begin:end], 0.1).payloads
    told += conversation.wait(1.1).payloads
    at_once = ClassicConversation()
    assert told == heard(octets, at_once)
    assert conversation.frames == at_once.frames == 60


@given(noise=st.binary(max_size=40), after=st.integers(0, 59))
def test_noise_between_two_frames_loses_at_most_the_one_before_it(noise: bytes, after: int) -> None:
    [(_, payload)] = heard(FRAME * after + noise + FRAME * (61 - after))
    assert decode_live(payload) == oximeter(88.0, 190.0)
    assert payload[payload.index(bytes.fromhex("06be58")) - 1] >= 59


@given(where=st.integers(0, 4), octet=st.integers(0, 255), frame=st.integers(0, 59))
def test_one_byte_that_was_hit_is_not_the_value_of_the_second(where: int, octet: int, frame: int) -> None:
    octets = bytearray(SECOND)
    octets[frame * 5 + where] = octet
    [(_, payload)] = heard(bytes(octets))
    assert decode_live(payload) == oximeter(88.0, 190.0)


@given(where=st.integers(1, 4), octet=st.integers(0, 0x7F))
def test_a_frame_with_a_byte_too_many_or_too_few_is_never_believed(where: int, octet: int) -> None:
    longer = FRAME[:where] + bytes([octet]) + FRAME[where:]
    shorter = FRAME[:where] + FRAME[where + 1 :]
    conversation = ClassicConversation()
    assert heard(longer + shorter + b"\x86", conversation) == []
    assert (conversation.frames, conversation.passed_over) == (0, 10)


def test_a_frame_that_was_begun_is_not_ended_by_what_comes_later() -> None:
    conversation = ClassicConversation()
    conversation.begin(0.0, None)
    conversation.hear(FRAME[:3], 0.0)
    conversation.hear(FRAME[3:] + FRAME, 0.6)
    conversation.hear(b"\x86", 0.7)
    assert (conversation.frames, conversation.passed_over) == (1, 5)


def test_a_flood_is_passed_over_and_not_kept() -> None:
    conversation = ClassicConversation()
    for number in range(1000):
        conversation.hear(b"\x86" * (number == 0) + bytes(1000), number * 0.01)
        assert conversation.passed_over >= 1000 * (number + 1)


def test_half_a_frame_at_the_end_is_never_believed() -> None:
    for length in range(6):
        assert heard(FRAME[:length]) == []


def test_random_bytes_never_raise_and_give_no_value() -> None:
    random, conversation = Random(5), ClassicConversation()
    conversation.begin(0.0, None)
    usable = seconds = 0
    for number in range(1200):  # two minutes on a line of nothing but noise
        told = conversation.hear(random.randbytes(190), number * 0.1).payloads
        told += conversation.wait(number * 0.1).payloads
        decoded = [DRIVER.characteristics[kind](payload) for kind, payload in told]
        seconds += len(decoded)
        usable += sum(one.usable for each in decoded for one in each.measurements)
    assert seconds > 100  # one frame in 64 bytes has the form of one: there is no checksum
    assert usable == 0
    conversation.hear(SECOND, 121.0)
    assert decode_live(conversation.wait(123.0).payloads[-1][1]) == oximeter(88.0, 190.0)


@pytest.mark.parametrize("finger", [Finger(), Finger(88, 120), Finger(inside=False)])
def test_a_newer_sensor_gives_no_frames_and_much_that_is_passed_over(finger: Finger) -> None:
    sensor, conversation = Cms50(finger=finger), ClassicConversation()
    for number in range(100):
        octets = sensor.live(3 * number) + sensor.live(3 * number + 1) + sensor.live(3 * number + 2)
        conversation.hear(misheard(octets, sent=115_200, heard=19_200), number * 0.05)
    assert conversation.frames == 0
    assert conversation.passed_over > 300


# --- the memory

HEAD = bytes.fromhex("f28000 f28000 f28000")


def asked_for_its_memory(conversation: ClassicConversation) -> None:
    conversation.begin(0.0, None)
    assert conversation.hear(FRAME * 2, 0.1).write == bytes.fromhex("f5f5")


def test_the_captured_memory_is_told_as_its_author_reads_it() -> None:
    conversation = ClassicConversation()
    asked_for_its_memory(conversation)
    # what was captured before it: the rest of a live frame, the head, then a length; of its four samples here
    octets = bytes.fromhex("90283500") + HEAD + bytes.fromhex("80800b") + CAPTURES["cms50x-recorded"]
    assert conversation.hear(octets, 0.2) == (
        # no time; the beginning; each second; 95 % and 68, 67, 72, 84 /min
        (("stored", bytes.fromhex("00000000000000 000000 01 5f44 5f43 5f48 5f54")),),
        bytes.fromhex("f6f6f6"),
        None,
    )


def test_a_byte_more_between_the_head_and_the_samples_does_no_harm() -> None:
    conversation = ClassicConversation()
    asked_for_its_memory(conversation)
    octets = HEAD + bytes.fromhex("80800b 00") + CAPTURES["cms50x-recorded"]
    assert len(conversation.hear(octets, 0.2).payloads) == 1


def test_a_length_that_is_no_multiple_of_three_is_rounded_down() -> None:
    conversation = ClassicConversation()
    asked_for_its_memory(conversation)
    octets = HEAD + bytes.fromhex("80800c") + CAPTURES["cms50x-recorded"]
    assert len(conversation.hear(octets, 0.2).payloads) == 1


def test_a_sensor_is_asked_once_and_read_live_before_and_after() -> None:
    talk = Talk(ClassicConversation(), ClassicCms50(recording=RECORDING))
    talk.go_on(8.0)
    samples = b"".join(payload[11:] for payload in talk.told("stored"))
    assert samples == bytes(octet for sample in RECORDING.samples for octet in sample)
    assert talk.first("live") < 3.0
    assert {decode_live(payload) for payload in talk.told("live")} == {oximeter(97.0, 68.0)}
    assert talk.written.count(b"\xf5\xf5") == 1


def test_what_is_stored_is_told_the_same_at_each_link_and_counted_once_though_it_has_no_date(
    noon: datetime,
) -> None:
    ids = []
    for step in (0.05, 0.011):
        talk = Talk(ClassicConversation(), ClassicCms50(recording=RECORDING), step=step)
        talk.go_on(4.0)
        readings = [
            DRIVER.read(RawPayload("USB:10C4:EA60:1", DRIVER.name, payload, noon, "stored"))
            for payload in talk.told("stored")
        ]
        ids.append([each.id for each in readings])
        for reading in readings:
            assert reading.flags == {Flag.FROM_MEMORY, Flag.CLOCK_NOT_SET}
            assert not any(each.usable for each in reading.measurements)
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 4


def test_a_memory_that_halts_midway_is_asked_for_again_and_then_live_frames_come() -> None:
    class Halting(ClassicCms50):
        def _memory(self) -> bytes:
            return super()._memory()[:90]

    talk = Talk(ClassicConversation(), Halting(recording=RECORDING))
    talk.go_on(8.0)
    assert talk.written.count(b"\xf5\xf5") == 2
    assert talk.told("stored") == []
    assert len(talk.told("live")) >= 3


def test_a_memory_that_comes_damaged_is_not_told() -> None:
    def always(octets: bytes) -> bytes:
        return octets.replace(b"\xf0\xff", b"\xf0\x7f")

    talk = Talk(ClassicConversation(), ClassicCms50(recording=RECORDING), noise=always)
    talk.go_on(8.0)
    assert talk.told("stored") == []
    assert len(talk.told("live")) >= 3


def test_a_memory_of_more_than_ten_hours_is_not_waited_for() -> None:
    recording = Recording(None, ((95, 70),) * 36_001)
    talk = Talk(ClassicConversation(), ClassicCms50(recording=recording))
    talk.go_on(5.0)
    assert talk.told("stored") == []
    assert len(talk.told("live")) >= 3
    assert talk.written.count(b"\xf5\xf5") == 1


@pytest.mark.parametrize("sensor", [ClassicCms50(answers=False), ClassicCms50()])
def test_a_sensor_with_no_memory_or_that_answers_nothing_is_read_live(sensor: ClassicCms50) -> None:
    talk = Talk(ClassicConversation(), sensor)
    talk.go_on(8.0)
    assert talk.told("stored") == []
    assert talk.first("live") < 2.2
    assert len(talk.told("live")) >= 5
    assert talk.written.count(b"\xf5\xf5") == 1


def test_a_sensor_that_is_switched_on_later_is_then_asked_for_its_memory() -> None:
    sensor = ClassicCms50(recording=RECORDING, switched_on=False)
    talk = Talk(ClassicConversation(), sensor)
    talk.go_on(30.0)
    assert talk.payloads == []
    sensor.switched_on = True
    talk.go_on(5.0)
    assert len(talk.told("stored")) == 4
    sensor.switched_on = False
    talk.go_on(30.0)
    sensor.switched_on = True
    talk.go_on(5.0)
    assert talk.told("stored")[:4] == talk.told("stored")[4:]


def test_a_finger_taken_out_gives_no_number() -> None:
    sensor = ClassicCms50()
    talk = Talk(ClassicConversation(), sensor)
    talk.go_on(4.0)
    sensor.finger = Finger(inside=False)
    talk.go_on(4.0)
    assert decode_live(talk.told("live")[-1]) == oximeter(None, None, UNUSABLE, Flag.SENSOR_DISPLACED)
