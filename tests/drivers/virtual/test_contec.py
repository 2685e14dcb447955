"""The virtual Contec oximeters, held to bytes written by hand from public descriptions, and to captures."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from drivers.virtual.contec import FRAMES_A_SECOND, ClassicCms50, Cms50, Finger, Recording

CAPTURES = {
    capture["id"]: bytes.fromhex(capture["payload_hex"])
    for capture in map(
        json.loads, (Path(__file__).parents[1] / "captures.jsonl").read_text(encoding="utf-8").splitlines()
    )
    if capture["id"].startswith("cms50")
}
BEGAN = datetime(2026, 2, 27, 22, 10, 5)  # noqa: DTZ001 - a sensor's clock has no zone


def command(code: str, *more: str) -> bytes:
    return bytes.fromhex("7d81" + code + "".join(more)).ljust(9, b"\x80")


def test_a_live_packet_has_its_values_where_a_captured_one_has_them() -> None:
    live, captured = Cms50(finger=Finger(97, 65, strength=5)).live(30), CAPTURES["cms50dplus-1"]
    assert len(live) == 9
    # kind; bits 7; strength; pulse, SpO2, no index
    assert (live[:3], live[5:]) == (captured[:3], captured[5:])


@pytest.mark.parametrize(
    ("finger", "packet"),
    [
        # 190 /min: bit 3 of byte 1; no finger: bit 0, and FF and 7F; searching: bit 1, the same
        (Finger(88, 190), "e8 86 .. .. be d8 ff ff"),
        (Finger(inside=False), "e9 80 c0 97 ff ff ff ff"),
        (Finger(searching=True), "ea 86 .. .. ff ff ff ff"),
        (Finger(None, 70), "e0 86 .. .. c6 ff ff ff"),
    ],
)
def test_a_live_packet_says_how_the_finger_is(finger: Finger, packet: str) -> None:
    live = Cms50(finger=finger).live(30)[1:]
    for octet, wanted in zip(live, packet.split(), strict=True):
        assert wanted in ("..", f"{octet:02x}")


def test_sixty_packets_a_second_are_sent_once_asked_for() -> None:
    sensor = Cms50()
    assert sensor.due(1.0) == b""
    assert sensor.hear(command("a1"), 1.0) == b""
    sent = [sensor.due(1.0 + n * 0.1) for n in range(1, 21)]
    assert sum(map(len, sent)) == 2 * FRAMES_A_SECOND * 9
    assert sensor.hear(command("a2"), 3.0) == bytes.fromhex("0c80")
    assert sensor.due(4.0) == b""


def test_the_pulse_beats_as_often_as_it_says() -> None:
    sensor = Cms50(finger=Finger(97, 90))
    assert sum(sensor.live(frame)[2] >> 6 & 1 for frame in range(60 * FRAMES_A_SECOND)) == 90


def test_what_was_said_while_nobody_listened_is_gone() -> None:
    sensor = ClassicCms50()
    sensor.due(0.0)
    assert len(sensor.due(100.0)) == FRAMES_A_SECOND * 5


def test_a_sensor_whose_computer_is_silent_stops() -> None:
    sensor = Cms50()
    sensor.hear(command("a1"), 0.0)
    assert sensor.due(9.0) != b""
    sensor.hear(command("af"), 9.0)
    assert sensor.due(18.0) != b""
    assert sensor.due(19.1) == b""


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (CAPTURES["cms50dplus-cmd-1"][:9], CAPTURES["cms50dplus-cmd-1"][9:].hex()),
        (command("a3"), "0a 80 80 81"),
        # user 0, the first: 3 samples, 6 bytes
        (command("a4"), "08 80 80 80 86 80 80 80"),
        # 20, 26, 2, 27; 22, 10, 5, nothing
        (command("a5"), "07 80 80 80 94 9a 82 9b 12 80 80 80 96 8a 85 80"),
        # there is no second
        (command("a4", "80", "81"), "0b 81 a4 85"),
        (command("b2", "94", "9a", "83", "81", "80"), "0b 81 b2 80"),
        (command("b1", "8d", "85", "87"), "0b 81 b1 80"),
        (command("ae"), "0b 81 ae 85"),
    ],
)
def test_a_command_is_answered_as_the_document_says(asked: bytes, answer: str) -> None:
    sensor = Cms50(recordings=[Recording(BEGAN, ((97, 65), (96, 190), (0, 0)))])
    assert sensor.hear(asked, 0.0) == bytes.fromhex(answer)


def test_a_memory_is_sent_as_fast_as_the_line_is() -> None:
    sensor = Cms50(recordings=[Recording(BEGAN, ((97, 65), (96, 190), (0, 0), (95, 66)))])
    assert sensor.hear(command("a6"), 0.0) == b""
    # bit 7 of 190 is bit 3 of the byte before; the last packet is filled up with 0
    assert sensor.due(1.0) == bytes.fromhex("0f 88 e1 c1 e0 be 80 80  0f 80 df c2 80 80 80 80")
    long = Cms50(recordings=[Recording(BEGAN, ((97, 65),) * 30_000)])
    long.hear(command("a6"), 0.0)
    assert len(long.due(1.0)) == 11_520


def test_a_sensor_that_is_switched_off_says_nothing() -> None:
    sensor = Cms50(switched_on=False)
    assert sensor.hear(command("a7"), 0.0) == b""
    assert sensor.due(1.0) == b""


def test_an_older_sensor_streams_by_itself_and_tells_its_memory_when_asked() -> None:
    sensor = ClassicCms50(recording=Recording(BEGAN, ((95, 68), (95, 67), (95, 72), (95, 84))))
    sensor.due(0.0)
    assert len(sensor.due(1.0)) == FRAMES_A_SECOND * 5
    sensor.hear(b"\xf5\xf5", 1.0)
    # F2, 22 h, 10 min, three times; 12 bytes less one; the samples as they were captured
    assert sensor.due(2.0) == bytes.fromhex("f2960a" * 3 + "80800b") + CAPTURES["cms50x-recorded"]
    assert sensor.due(3.0) == b""
    sensor.hear(b"\xf6\xf6\xf6", 3.0)
    sensor.due(3.0)
    assert len(sensor.due(4.0)) == FRAMES_A_SECOND * 5


@pytest.mark.parametrize(
    ("finger", "frame"),
    [
        (Finger(88, 190), "86 .. 4. 3e 58"),
        (Finger(97, 65), "86 .. 0. 41 61"),
        (Finger(inside=False), "80 40 57 7f 7f"),
        (Finger(searching=True), "86 .. 6. 7f 7f"),
    ],
)
def test_a_frame_of_an_older_sensor_says_how_the_finger_is(finger: Finger, frame: str) -> None:
    for octet, wanted in zip(ClassicCms50(finger=finger).live(40), frame.split(), strict=True):
        assert all(want in (".", digit) for want, digit in zip(wanted, f"{octet:02x}", strict=True))
