"""BTHome v2: packets written by hand from bthome.io/format, and captured or published ones.

What an independent decoder makes of the same packets is in `test_bthome_oracle.py`.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bthome import DRIVER, battery, decode
from drivers.driver import Decoded, DecodeError
from drivers.gatt import Bonding
from hub.readings import Button, Door, Flag, Measurement, Motion, Quality, Value, Vital

ROOM, DOOR, MOTION, BUTTON = Vital.ROOM_TEMPERATURE, Vital.DOOR, Vital.MOTION, Vital.BUTTON


def packet(text: str) -> bytes:
    return bytes.fromhex(text)


def values(text: str) -> list[tuple[Vital, Value | None, str | None]]:
    return [(said.vital, said.value, said.site) for said in decode(packet(text)).measurements]


def test_the_example_of_the_specification() -> None:
    # 40: not encrypted, version 2; 02 C409: 0x09C4 = 2500 * 0.01 degC; 03 BF13: humidity, read over
    assert decode(packet("40 02c409 03bf13")) == Decoded((Measurement(ROOM, 25.0),))


def test_a_packet_of_a_shelly_ht() -> None:
    # Capture bthome-shelly-ht-zb: 00 packet id 0x2E, 01 battery 100 %, 1E light, 2E humidity 52 %,
    # 45 temperature 0x0116 = 278 * 0.1 degC
    shelly = packet("40 002e 0164 1e01 2e34 451601")
    assert decode(shelly) == Decoded((Measurement(ROOM, 27.8),), sequence_number=46)
    assert battery(shelly) == 100


def test_a_packet_of_a_shelly_door_sensor() -> None:
    # ALLTERCO/shelly-script-examples, ble-shelly-dw.js: packet id 0x4E, battery 100 %, illuminance 0
    # (3 bytes), 2D window open, rotation 0 (2 bytes)
    door = packet("40 004e 0164 05000000 2d01 3f0000")
    assert decode(door) == Decoded((Measurement(DOOR, Door.OPEN),), sequence_number=0x4E)


@pytest.mark.parametrize(
    ("sent", "celsius"),
    [
        ("02ca09", 25.06),  # 0x09CA = 2506
        ("0218fc", -10.0),  # 0xFC18 = -1000
        ("451101", 27.3),
        ("45efff", -1.7),
        ("57ea", -22.0),
        ("58ea", -7.7),  # -22 * 0.35
        ("5814", 7.0),
    ],
)
def test_a_temperature_in_each_of_its_ways(sent: str, celsius: float) -> None:
    assert values("40" + sent) == [(ROOM, celsius, None)]


@pytest.mark.parametrize(
    ("sent", "vital", "value"),
    [
        ("1a00", DOOR, Door.CLOSED),
        ("1a01", DOOR, Door.OPEN),
        ("2d00", DOOR, Door.CLOSED),
        ("2d01", DOOR, Door.OPEN),
        ("1b01", DOOR, Door.OPEN),
        ("1101", DOOR, Door.OPEN),
        ("2100", MOTION, Motion.CLEAR),
        ("2101", MOTION, Motion.DETECTED),
        ("3a01", BUTTON, Button.PRESS),
        ("3a02", BUTTON, Button.DOUBLE_PRESS),
        ("3a03", BUTTON, Button.TRIPLE_PRESS),
        ("3a04", BUTTON, Button.LONG_PRESS),
        ("3a05", BUTTON, Button.LONG_PRESS),
        ("3a06", BUTTON, Button.LONG_PRESS),
        ("3a80", BUTTON, Button.HELD),
        ("3afe", BUTTON, Button.HELD),
    ],
)
def test_a_door_a_motion_a_button(sent: str, vital: Vital, value: Value) -> None:
    assert values("40" + sent) == [(vital, value, None)]


@pytest.mark.parametrize(
    "sent", ["3a00", "3a81", "0161", "03bf13", "04138a01", "2501", "530548656c6c6f", "f00100"]
)
def test_what_is_no_measurement_of_ours_is_read_over(sent: str) -> None:
    assert decode(packet("40" + sent)) == Decoded(())


@pytest.mark.parametrize("sent", ["1a02", "21ff", "1580"])
def test_what_is_neither_on_nor_off_is_refused(sent: str) -> None:
    with pytest.raises(DecodeError, match="neither on nor off"):
        decode(packet("40" + sent))


@pytest.mark.parametrize("event", ["07", "7f", "ff"])
def test_a_press_of_a_kind_that_nobody_knows_is_a_problem_and_not_passed_over(event: str) -> None:
    with pytest.raises(DecodeError, match=f"button event 0x{event} is not known"):
        decode(packet(f"40 3a{event}"))


def test_two_of_a_kind_are_told_apart_by_their_order() -> None:
    assert values("40 02ca09 02cf09") == [(ROOM, 25.06, "1"), (ROOM, 25.11, "2")]  # capture bthome-two-temps
    assert values("40 1a00 2d01") == [(DOOR, Door.CLOSED, "1"), (DOOR, Door.OPEN, "2")]
    assert values("40 02ca09 1a01") == [(ROOM, 25.06, None), (DOOR, Door.OPEN, None)]


def test_of_four_buttons_the_one_that_was_pressed_is_named() -> None:
    assert values("40 3a00 3a00 3a01 3a00") == [(BUTTON, Button.PRESS, "3")]


def test_what_is_behind_an_object_that_is_not_known_is_not_known_either() -> None:
    assert values("40 1a01 66 02ca09") == [(DOOR, Door.OPEN, None)]


def test_text_and_commands_are_read_over_by_the_length_they_begin_with() -> None:
    assert values("40 3b0103051a01") == [(DOOR, Door.OPEN, None)]  # step up 5; then a door
    assert values("40 530548656c6c6f 5402abcd 57ea") == [(ROOM, -22.0, None)]
    assert values("40 3be000 57ea") == [(ROOM, -22.0, None)]  # the high three bits of its length are reserved


def test_an_impossible_temperature_is_not_usable_and_spoils_what_is_beside_it() -> None:
    decoded = decode(packet("40 020080 1a01"))  # -327.68 degC
    assert decoded.flags == {Flag.IMPLAUSIBLE}
    assert [said.quality for said in decoded.measurements] == [Quality.UNUSABLE, Quality.QUESTIONABLE]


def test_a_battery_that_calls_itself_low_is_a_flag() -> None:
    assert decode(packet("40 1501 2101")).flags == {Flag.BATTERY_LOW}
    assert decode(packet("40 1500 2101")).flags == frozenset()


@pytest.mark.parametrize(
    ("sent", "percent"), [("0161", 97), ("0100", 0), ("0164", 100), ("0165", None), ("1a01", None)]
)
def test_the_battery_in_percent(sent: str, percent: int | None) -> None:
    assert battery(packet("40" + sent)) == percent


def test_an_address_before_the_objects_is_read_over_and_no_door() -> None:
    # 42: the address comes first. Read as objects, its bytes would be an open door and 25 degC
    assert values("42 1a0102c409a4 1a00") == [(DOOR, Door.CLOSED, None)]
    assert battery(packet("42 1a0102c409a4 0161")) == 97


@pytest.mark.parametrize("cut", ["42", "42 1a01", "42 1a0102c409"])
def test_an_address_that_was_cut_is_refused(cut: str) -> None:
    with pytest.raises(DecodeError, match="where its address ends at 7"):
        decode(packet(cut))


def test_what_is_encrypted_is_refused_and_the_reason_says_what_to_do() -> None:
    # capture bthome-enc
    with pytest.raises(DecodeError, match="encrypted, which is not supported: switch encryption off"):
        decode(packet("41 a47266c95f73 00112233 78237214"))


@pytest.mark.parametrize("information", ["00", "20", "60", "ff"])
def test_another_version_is_refused(information: str) -> None:
    with pytest.raises(DecodeError, match="only version 2"):
        decode(packet(information + "02ca09"))


def test_a_sensor_that_sends_only_when_something_happens_is_read_like_any_other() -> None:
    assert values("44 3a01") == [(BUTTON, Button.PRESS, None)]


@pytest.mark.parametrize("whole", ["02ca09", "3a01", "530548656c6c6f", "3b010305", "3e2a2c0960"])
def test_an_object_cut_short_is_refused(whole: str) -> None:
    octets = packet("40 1a01" + whole)
    decode(octets)
    for end in range(4, len(octets)):
        with pytest.raises(DecodeError, match="too short"):
            decode(octets[:end])
    with pytest.raises(DecodeError, match="too short"):
        decode(b"")


@given(payload=st.binary(max_size=40).map(lambda octets: b"\x40" + octets))
def test_any_packet_is_decoded_again_to_the_same_or_refused(payload: bytes) -> None:
    try:
        decoded = decode(payload)
    except DecodeError:
        return
    assert decode(payload) == decoded
    assert len({(said.vital, said.site) for said in decoded.measurements}) == len(decoded.measurements)


def test_it_is_never_connected_to() -> None:
    assert DRIVER.advertised == set(DRIVER.characteristics) == {"fcd2"}
    assert DRIVER.subscribed == ()
    assert DRIVER.bonding is Bonding.NEVER
