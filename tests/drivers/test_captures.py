"""Payloads that people published, most of them captured from devices: `captures.jsonl`.

Each line of it names its device and the public source it was found in. Here stands what the drivers
make of each, which is what the device meant; where the source or the specification says otherwise,
a comment says why.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from drivers import catalogue
from drivers.driver import Decoded, DecodeError
from drivers.ieee11073 import float32, sfloat
from drivers.payload import date_time
from hub.readings import AbsentReason, DeviceTime, Door, Flag, Measurement, Quality, Vital

CAPTURES: dict[str, dict[str, Any]] = {
    capture["id"]: capture
    for capture in map(json.loads, Path(__file__).with_name("captures.jsonl").read_text().splitlines())
}

GOOD, QUESTIONABLE, UNUSABLE = Quality.GOOD, Quality.QUESTIONABLE, Quality.UNUSABLE
NAN = AbsentReason.NOT_A_NUMBER


def cuff(
    systolic: float | AbsentReason,
    diastolic: float | AbsentReason,
    mean: float | AbsentReason,
    pulse: float | AbsentReason,
    quality: Quality = GOOD,
    pulse_quality: Quality | None = None,
) -> tuple[Measurement, ...]:
    return (
        measured(Vital.SYSTOLIC_PRESSURE, systolic, quality),
        measured(Vital.DIASTOLIC_PRESSURE, diastolic, quality),
        measured(Vital.MEAN_ARTERIAL_PRESSURE, mean, quality),
        measured(Vital.PULSE_RATE, pulse, pulse_quality or quality),
    )


def oximeter(saturation: float, pulse: float, quality: Quality = GOOD) -> tuple[Measurement, ...]:
    return (
        measured(Vital.OXYGEN_SATURATION, saturation, quality),
        measured(Vital.PULSE_RATE, pulse, quality),
    )


def measured(vital: Vital, number: float | AbsentReason, quality: Quality) -> Measurement:
    if isinstance(number, AbsentReason):
        return Measurement(vital, None, number, quality)
    return Measurement(vital, number, quality=quality)


def thermometer(celsius: float, site: str) -> tuple[Measurement, ...]:
    return (Measurement(Vital.TEMPERATURE, celsius, site=site),)


def strap(rate: float, *ticks: int) -> Decoded:
    intervals = tuple(one / 1024 for one in ticks)
    return Decoded((Measurement(Vital.PULSE_RATE, rate),), beat_intervals=intervals)


def meter(
    millimoles: float, sequence_number: int, time: DeviceTime, site: str | None, *flags: Flag
) -> Decoded:
    quality = UNUSABLE if flags else GOOD
    measurement = Measurement(Vital.GLUCOSE, millimoles, None, quality, site)
    return Decoded((measurement,), frozenset(flags), time, sequence_number)


MEANT: dict[str, tuple[str, Decoded]] = {
    # The flags (0xDE) set reserved bits 6 and 7 and the status (0x0080) reserved bit 7: tolerated,
    # since the length is exactly what the other flags announce. No mean: NaN.
    "bp-so78168365": (
        "blood_pressure",
        Decoded(cuff(127.0, 79.0, NAN, 69.0), device_time=DeviceTime(2020, 1, 20, 8, 43, 0), user_id=1),
    ),
    # The display said "Err CUF". The cuff sets no status bit, so there is no flag to pass on: it is
    # a failure without its reason, and no number. (The app of the source showed 2047 mmHg.)
    "bp-boso-err-cuff": (
        "blood_pressure",
        Decoded(cuff(NAN, NAN, NAN, NAN), device_time=DeviceTime(2024, 6, 23, 14, 47, 59)),
    ),
    "bp-derdilla-status27": (
        "blood_pressure",
        Decoded(
            cuff(124.0, 86.0, 97.0, 51.0, UNUSABLE),
            flags=frozenset(
                {
                    Flag.BODY_MOVEMENT,
                    Flag.CUFF_TOO_LOOSE,
                    Flag.IRREGULAR_PULSE,
                    Flag.IMPROPER_POSITION,
                }
            ),
            device_time=DeviceTime(2024, 6, 15, 17, 17, 27),
        ),
    ),
    "bp-derdilla-status10": (
        "blood_pressure",
        Decoded(
            cuff(124.0, 86.0, 97.0, 51.0, GOOD, pulse_quality=QUESTIONABLE),
            flags=frozenset({Flag.PULSE_BELOW_RANGE}),
            device_time=DeviceTime(2024, 6, 15, 17, 17, 27),
        ),
    ),
    # Not the SIG's layout: see drivers/beurer_bm85.py. The mean is sent as 0: unsupported.
    "bp-beurer-bm85-2": (
        "beurer_bm85",
        Decoded(
            cuff(113.0, 73.0, AbsentReason.UNSUPPORTED, 65.0),
            device_time=DeviceTime(2026, 8, 11, 20, 56, 0),
            user_id=1,
        ),
    ),
    "bp-beurer-bm85-4-irregular": (
        "beurer_bm85",
        Decoded(
            cuff(118.0, 80.0, AbsentReason.UNSUPPORTED, 60.0, QUESTIONABLE),
            flags=frozenset({Flag.IRREGULAR_PULSE}),
            device_time=DeviceTime(2026, 8, 11, 20, 27, 0),
            user_id=0,
        ),
    ),
    # The current cuff pressure of 156 mmHg is no vital sign: no measurement. It is decoded as what
    # it is (2A36); `test_an_inflating_cuff_taken_for_a_result_is_not_usable` takes it for a
    # result (2A35), as its poster did.
    "icp-rnbleplx694": (
        "blood_pressure",
        Decoded(
            (),
            flags=frozenset({Flag.MEASUREMENT_ONGOING, Flag.PULSE_BELOW_RANGE}),
            device_time=DeviceTime(2019, 8, 9, 13, 24, 53),
            user_id=0,
        ),
    ),
    # A fixture that no body ever gave: 121 kPa is 907.6 mmHg. Decoded as it says and marked; the
    # pulse beside it, whose rhythm the status (0x0006) calls irregular, is spoilt by the loose cuff.
    "bp-nordic-kpa": (
        "blood_pressure",
        Decoded(
            cuff(907.6, 607.5, 795.1, 72.0, UNUSABLE),
            flags=frozenset({Flag.CUFF_TOO_LOOSE, Flag.IRREGULAR_PULSE, Flag.IMPLAUSIBLE}),
            device_time=DeviceTime(2020, 5, 21, 10, 30, 45),
            user_id=1,
        ),
    ),
    "temp-so54834439-360": (
        "thermometer",
        Decoded(thermometer(36.0, "body"), device_time=DeviceTime(2018, 3, 10, 21, 52, 0)),
    ),
    "temp-so54834439-368": (
        "thermometer",
        Decoded(thermometer(36.8, "body"), device_time=DeviceTime(2018, 3, 10, 20, 27, 0)),
    ),
    # The display was in degF, but the device sends degC and says so (flags bit 0 is 0).
    "temp-pyle-1": ("thermometer", Decoded(thermometer(34.11, "tympanum"))),
    "temp-pyle-3": ("thermometer", Decoded(thermometer(34.2, "tympanum"))),
    "temp-nordic-all": (
        "thermometer",
        Decoded(thermometer(36.97, "armpit"), device_time=DeviceTime(2020, 5, 21, 10, 30, 45)),
    ),
    # The poster worked out a pulse of 98 with another maker's formula; the bytes 60 00 are 96.
    # The clock says itself that it is not set (flags bit 4). A spot-check that is still ongoing
    # (status bit 5) at low perfusion is questionable, though this device may always say "ongoing".
    "plx-spot-choicemmed": (
        "pulse_oximeter",
        Decoded(
            oximeter(97.0, 96.0, QUESTIONABLE),
            flags=frozenset({Flag.CLOCK_NOT_SET, Flag.MEASUREMENT_ONGOING, Flag.LOW_PERFUSION}),
            device_time=DeviceTime(2017, 1, 1, 1, 34, 19),
        ),
    ),
    "plx-cont-choicemmed": (
        "pulse_oximeter",
        Decoded(oximeter(98.0, 78.0), flags=frozenset({Flag.MEASUREMENT_ONGOING})),
    ),
    # The fast and slow pairs and the pulse amplitude index (8.9 %) are read over, not kept.
    "plx-cont-spezi-full": (
        "pulse_oximeter",
        Decoded(oximeter(99.0, 97.0), flags=frozenset({Flag.MEASUREMENT_ONGOING})),
    ),
    "hr-polarh7-1": ("heart_rate", strap(77.0, 790)),
    "hr-polarh7-3": ("heart_rate", strap(79.0, 770)),
    "hr-polarh7-5": ("heart_rate", strap(68.0, 893)),
    "hr-flexoft-2": ("heart_rate", strap(79.0, 695)),
    "hr-flexoft-4": ("heart_rate", strap(81.0, 768, 786)),
    "hr-so33917836-1": ("heart_rate", strap(119.0, 516)),
    "hr-so33917836-3": ("heart_rate", strap(119.0, 520, 520)),
    "hr-polarh10-so67024800": ("heart_rate", strap(59.0, 1107)),
    "hr-nordic-16bit": ("heart_rate", strap(100.0)),
    # The meter shows 6.2 mmol/L, and sends 111 mg/dL in kg/L.
    "glu-accuchek-guide-62": ("glucose", meter(6.2, 15, DeviceTime(2024, 1, 30, 11, 37, 27), None)),
    "glu-104": ("glucose", meter(5.8, 4, DeviceTime(2020, 5, 14, 18, 23, 29), None)),
    "glu-ketone-0": ("glucose", meter(6.2, 0, DeviceTime(2020, 3, 14, 23, 23, 0), "finger")),
    # Nothing in it says that it is the ketone; that no meter measures a glucose so low does.
    "glu-ketone-2": (
        "glucose",
        meter(
            0.7,
            2,
            DeviceTime(2020, 3, 10, 13, 49, 0),
            "finger",
            Flag.IMPLAUSIBLE,
            Flag.RESULT_TOO_LOW,
            Flag.PERHAPS_KETONE,
        ),
    ),
    "wss-bf720": (
        "weight_scale",
        Decoded(
            (Measurement(Vital.BODY_WEIGHT, 79.96),),
            device_time=DeviceTime(2026, 5, 12, 18, 53, 54),
            user_id=1,
        ),
    ),
    # It means 94.9 kg: ten times what it sends by the specification. Kept as sent, and not usable.
    "wss-renpho-eswbe28": (
        "weight_scale",
        Decoded(
            (Measurement(Vital.BODY_WEIGHT, 9.49, quality=UNUSABLE),),
            flags=frozenset({Flag.IMPLAUSIBLE}),
            device_time=DeviceTime(2026, 7, 4, 12, 26, 6),
            user_id=0xAA,
        ),
    ),
    "bp-ua651-measured": (
        "and_ua651ble",
        Decoded(cuff(125.0, 80.0, 102.0, 64.0), device_time=DeviceTime(2017, 1, 16, 12, 39, 54)),
    ),
    # It failed, and no status bit says why.
    "bp-ua651-failed": (
        "and_ua651ble",
        Decoded(cuff(NAN, NAN, NAN, NAN), device_time=DeviceTime(2017, 1, 16, 0, 57, 28)),
    ),
    "temp-ut201-371": (
        "and_ut201ble",
        Decoded(thermometer(37.1, "body"), device_time=DeviceTime(2020, 5, 2, 10, 40, 19)),
    ),
    "pc60fw-num": ("viatom_pc60fw", Decoded(oximeter(96.0, 62.0))),
    "pc60fw-num-97": ("viatom_pc60fw", Decoded(oximeter(97.0, 64.0))),
    "pc60fw-num-98": ("viatom_pc60fw", Decoded(oximeter(98.0, 63.0))),
    "pc60nw-num-96": ("viatom_pc60fw", Decoded(oximeter(96.0, 63.0))),
    "pc60nw-num-95": ("viatom_pc60fw", Decoded(oximeter(95.0, 71.0))),
    "bthome-temp-hum": ("bthome", Decoded((Measurement(Vital.ROOM_TEMPERATURE, 25.06),))),
    "bthome-press": ("bthome", Decoded(())),
    "bthome-shelly-ht-zb": (
        "bthome",
        Decoded((Measurement(Vital.ROOM_TEMPERATURE, 27.8),), sequence_number=46),
    ),
    "bthome-two-temps": (
        "bthome",
        Decoded(
            (
                Measurement(Vital.ROOM_TEMPERATURE, 25.06, site="1"),
                Measurement(Vital.ROOM_TEMPERATURE, 25.11, site="2"),
            )
        ),
    ),
    "bthome-shelly-dw": ("bthome", Decoded((Measurement(Vital.DOOR, Door.OPEN),), sequence_number=78)),
}

REFUSED: dict[str, tuple[str, str]] = {
    # The poster cut it in the middle of an interval.
    "hr-webbt493-2": ("heart_rate", "ends within a field"),
    "bthome-enc": ("bthome", "encrypted"),
}

FRAGMENTS: dict[str, float | DeviceTime] = {
    # 17.6 kPa: the source's comment. Its code took the exponent for unsigned, giving 176e15.
    "bp-obniz-ua651-kpa-frag": 17.6,
    "dt-obniz-ua651": DeviceTime(2013, 8, 26, 9, 10, 20),
    "float32-985F": 36.97,
    "float32-ex2": 34.79,
}


def payload_of(name: str) -> bytes:
    return bytes.fromhex(CAPTURES[name]["payload_hex"])


ON_A_LINE = {name for name, capture in CAPTURES.items() if "characteristic" not in capture}
"""What is said on a serial line and is no payload: the tests of its drivers take it by its name."""


def test_no_capture_is_left_out() -> None:
    assert MEANT.keys() | REFUSED.keys() | FRAGMENTS.keys() | ON_A_LINE == CAPTURES.keys()


@pytest.mark.parametrize("name", sorted(ON_A_LINE))
def test_what_was_captured_on_a_line_is_read_by_a_test_of_a_driver(name: str) -> None:
    others = (test for test in Path(__file__).parent.glob("test_*.py") if test != Path(__file__))
    assert any(f'"{name}"' in test.read_text(encoding="utf-8") for test in others)


@pytest.mark.parametrize("name", MEANT)
def test_a_capture_decodes_as_its_device_meant(name: str) -> None:
    driver, meant = MEANT[name]
    characteristic = CAPTURES[name]["characteristic"].lower()
    decoded = catalogue.driver(driver).characteristics[characteristic](payload_of(name))
    assert decoded == meant


@pytest.mark.parametrize("name", REFUSED)
def test_a_capture_that_is_not_whole_is_refused(name: str) -> None:
    driver, reason = REFUSED[name]
    characteristic = CAPTURES[name]["characteristic"].lower()
    with pytest.raises(DecodeError, match=reason):
        catalogue.driver(driver).characteristics[characteristic](payload_of(name))


@pytest.mark.parametrize("name", FRAGMENTS)
def test_a_fragment_decodes_as_its_author_says(name: str) -> None:
    fragment = payload_of(name)
    read: object
    if CAPTURES[name]["characteristic"] == "2A08":
        read, clock_not_set = date_time(fragment)
        assert not clock_not_set
    elif CAPTURES[name]["characteristic"].startswith("SFLOAT"):
        read = sfloat(int.from_bytes(fragment, "little"))
    else:
        read = float32(int.from_bytes(fragment, "little"))
    assert read == FRAGMENTS[name]


@pytest.mark.parametrize("name", [name for name in MEANT if name.startswith("bp-beurer")])
def test_the_strict_decoder_refuses_the_bm85_rather_than_misread_its_pulse(name: str) -> None:
    strict = catalogue.driver("blood_pressure").characteristics["2a35"]
    with pytest.raises(DecodeError, match="too long"):
        strict(payload_of(name))
    # what it would have made of the pulse, had it gone on
    assert sfloat(int.from_bytes(payload_of(name)[14:16], "little")) not in (65.0, 60.0)


@pytest.mark.parametrize("name", [name for name, (driver, _) in MEANT.items() if driver == "blood_pressure"])
def test_the_bm85_decoder_refuses_what_is_no_bm85(name: str) -> None:
    with pytest.raises(DecodeError, match="flags"):
        catalogue.driver("beurer_bm85").characteristics["2a35"](payload_of(name))


def test_an_inflating_cuff_taken_for_a_result_is_not_usable() -> None:
    decoded = catalogue.driver("blood_pressure").characteristics["2a35"](payload_of("icp-rnbleplx694"))
    assert decoded.measurements == cuff(156.0, NAN, NAN, NAN, UNUSABLE)
    assert Flag.MEASUREMENT_ONGOING in decoded.flags


@pytest.mark.parametrize("name", [name for name, (_, meant) in MEANT.items() if meant.beat_intervals])
def test_a_strap_cut_between_two_intervals_loses_one_and_else_is_refused(name: str) -> None:
    driver, meant = MEANT[name]
    decode, payload = catalogue.driver(driver).characteristics["2a37"], payload_of(name)
    fixed = len(payload) - 2 * len(meant.beat_intervals)
    for length in range(len(payload)):
        if length < fixed or (length - fixed) % 2:
            with pytest.raises(DecodeError):
                decode(payload[:length])
        else:
            kept = meant.beat_intervals[: (length - fixed) // 2]
            assert decode(payload[:length]) == meant._replace(beat_intervals=kept)


# A BTHome packet that is cut between two objects is a packet: see `test_bthome.py`.
@pytest.mark.parametrize(
    "name",
    [name for name, (driver, meant) in MEANT.items() if not meant.beat_intervals and driver != "bthome"],
)
def test_a_capture_cut_anywhere_is_refused(name: str) -> None:
    driver, _ = MEANT[name]
    decode = catalogue.driver(driver).characteristics[CAPTURES[name]["characteristic"].lower()]
    payload = payload_of(name)
    for length in range(len(payload)):
        with pytest.raises(DecodeError, match="too short"):
            decode(payload[:length])
    with pytest.raises(DecodeError, match="too long"):
        decode(payload + b"\x00")


def test_reading_the_exponent_as_unsigned_would_show() -> None:
    assert 176 * 10**15 != sfloat(0xF0B0) == 17.6
    assert float32(0xFE000D97) == 34.79
