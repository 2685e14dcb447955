"""The known devices: the data is held to what there is, and suggestions to what an engineer may be told."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.catalogue import DRIVERS
from drivers.devices import MODELS
from drivers.known_model import KnownModel
from drivers.known_models import Ground, suggest, suggest_usb, table
from drivers.usb.bus import Kind, UsbDevice
from drivers.virtual import profiles

HERE = Path(__file__).parent
README = HERE.parents[1] / "drivers" / "README.md"

WHOLE_1810 = "00001810-0000-1000-8000-00805F9B34FB"
NONIN = "46a970e0-0d5f-11e2-8b5e-0002a5d5c51b"


def suggested(name: str | None, *services: str) -> list[str | None]:
    return [suggestion.driver for suggestion in suggest(name, services)]


def test_every_driver_is_that_of_a_known_device_and_no_other_is_named() -> None:
    assert {driver for model in MODELS for driver in model.drivers} == set(DRIVERS)


def test_every_payload_that_is_named_as_evidence_is_there_and_its_driver_reads_it() -> None:
    captures = {
        capture["id"]: capture
        for capture in map(json.loads, (HERE / "captures.jsonl").read_text().splitlines())
    }
    for model in MODELS:
        for payload in model.payloads:
            characteristic = captures[payload].get("characteristic", "").lower()
            for driver in model.drivers:
                # A single field, captured alone, and what is no payload on a serial line, is of none:
                # `test_captures.py` sees to it that it is read.
                if decode := DRIVERS[driver].characteristics.get(characteristic):
                    decode(bytes.fromhex(captures[payload]["payload_hex"]))
    named = [payload for model in MODELS for payload in model.payloads]
    assert len(named) == len(set(named))


def test_every_virtual_sensor_that_is_named_as_evidence_is_there() -> None:
    for model in MODELS:
        match (model.virtual or "").split("."):
            case [""]:
                pass
            case [profile]:
                assert isinstance(getattr(profiles, profile), profiles.Profile)
            case [module, name]:
                assert isinstance(getattr(importlib.import_module(f"drivers.virtual.{module}"), name), type)


def test_no_two_devices_are_called_the_same() -> None:
    assert len({model.title for model in MODELS}) == len(MODELS)


def test_what_nothing_reads_says_why_and_has_no_evidence_of_reading() -> None:
    for model in MODELS:
        if not model.drivers:
            assert model.remark
            assert model.virtual is None


def test_the_readme_s_table_is_the_data_s() -> None:
    assert table() in README.read_text(), "write it with: python -m drivers.known_models"


@pytest.mark.parametrize(
    ("model", "evidence"),
    [
        (KnownModel("A", "B"), "nothing"),
        (KnownModel("A", "B", payloads=("x",)), "1 published payload"),
        (KnownModel("A", "B", payloads=("x", "y"), payloads_are="of C"), "2 published payloads (of C)"),
        (KnownModel("A", "B", payloads=("x",), virtual="C"), "a virtual sensor, 1 published payload"),
    ],
)
def test_the_evidence_is_what_was_run(model: KnownModel, evidence: str) -> None:
    assert model.evidence == evidence


@pytest.mark.parametrize(
    ("name", "driver"),
    [
        ("A&D_UA-651BLE_8DA42A", "and_ua651ble"),
        ("A&D_UT201BLE_76C9B8", "and_ut201ble"),
        ("A&D_UT201BLEA_90F83", "and_ut201ble"),
        ("Nonin3230_501900083", "nonin_3230"),
        ("PC-60F_SN109400", "viatom_pc60fw"),
        ("BM85", "beurer_bm85"),
        ("Polar H10 7A3B2C", "heart_rate"),
        ("SBHT-103C", "bthome"),
    ],
)
def test_a_name_that_is_known_is_enough(name: str, driver: str) -> None:
    first = suggest(name, [])[0]
    assert (first.driver, first.ground) == (driver, Ground.NAME)
    assert first.why.startswith("is named as ")


def test_a_known_name_comes_first_and_what_its_service_allows_is_not_hidden() -> None:
    assert suggested("A&D_UA-651BLE_8DA42A", "1810") == ["and_ua651ble", "blood_pressure"]
    assert suggested("BM85", "1810") == ["beurer_bm85", "blood_pressure"]
    assert [each.ground for each in suggest("BM85", ["1810"])] == [Ground.NAME, Ground.SERVICE]
    assert suggested("BM54", "1810") == ["blood_pressure", "beurer_bm85"]
    assert [each.ground for each in suggest("BM54", ["1810"])] == [Ground.NAME, Ground.NAME]
    assert suggested("Nonin3230_501900083", NONIN.upper(), "1822") == ["nonin_3230", "pulse_oximeter"]


def test_a_sensor_whose_name_was_not_heard_gets_all_that_its_service_allows() -> None:
    for name in (None, "", "\0\0"):
        said = suggest(name, [WHOLE_1810])
        assert [each.driver for each in said] == ["blood_pressure", "and_ua651ble", "beurer_bm85"]
        assert [each.ground for each in said] == [Ground.SERVICE, *[Ground.SERVICE_WITHOUT_NAME] * 2]
        assert "its name was not heard" in said[1].why


@pytest.mark.parametrize("name", ["Somebody's cuff", None])
@pytest.mark.parametrize(
    ("service", "driver"),
    [
        ("1810", "blood_pressure"),
        ("1809", "thermometer"),
        ("1822", "pulse_oximeter"),
        ("180d", "heart_rate"),
        ("1808", "glucose"),
        ("181D", "weight_scale"),
        ("fcd2", "bthome"),
    ],
)
def test_a_service_alone_suggests_its_profile_first(name: str | None, service: str, driver: str) -> None:
    assert suggested(name, service)[0] == driver


def test_a_meter_is_never_suggested_without_the_question_whether_it_measures_ketones() -> None:
    said = suggest("meter", ["1808"])
    assert [each.driver for each in said] == ["glucose", "glucose_and_ketone"]
    assert "never read it with `glucose`" in said[1].why


def test_of_a_sensor_that_nothing_reads_rightly_that_alone_is_said() -> None:
    (said,) = suggest("Renpho Body Scale", ["181d"])
    assert said.driver is None
    assert said.why == "is named as Renpho ES-WBE28, which nothing here reads: sends a tenth of the weight"
    assert suggested("BerryMed" + "\0" * 18) == [None]
    assert suggested("SBM69", "1810") == [None]


def test_a_sensor_of_which_nothing_is_known_gets_no_suggestion() -> None:
    assert suggest("LE-Bose", ["febe"]) == []
    assert suggest(None, []) == []
    # Nordic's UART service is a thousand other things'.
    assert suggest("Some UART", ["6e400001-b5a3-f393-e0a9-e50e24dcca9e"]) == []


@given(
    name=st.none() | st.text(max_size=20) | st.sampled_from(["A&D_UA-651BLE_8DA42A", "BM85", "PC-60F_SN1"]),
    services=st.lists(
        st.sampled_from(["1810", WHOLE_1810, "1808", "fcd2", NONIN, "180a"]) | st.text(max_size=8)
    ),
)
def test_each_driver_is_suggested_once_and_the_best_ground_first(
    name: str | None, services: list[str]
) -> None:
    said = suggest(name, services)
    grounds = [each.ground for each in said]
    assert grounds == sorted(grounds)
    assert len({each.driver for each in said}) == len(said)
    for each in said:
        assert each.driver is None or each.driver in DRIVERS
        assert each.why


def test_the_names_are_regular_expressions_that_mean_no_empty_name() -> None:
    for model in MODELS:
        for pattern in model.names:
            assert not re.match(pattern, "")


# --- what is plugged in


def plugged(
    number: str, maker: str = "", name: str = "", *, kind: Kind = Kind.SERIAL, serial: str | None = None
) -> UsbDevice:
    """Something with this vendor and product, as lsusb writes them."""
    vendor, product = (int(part, 16) for part in number.split(":"))
    return UsbDevice("1", kind, "/dev/null", vendor, product, "usb-0:1", serial, 0, maker, name)


def suggested_usb(*said: str, kind: Kind = Kind.SERIAL) -> list[tuple[str | None, Ground]]:
    return [(each.driver, each.ground) for each in suggest_usb(plugged(*said, kind=kind))]


# As the kernel's own messages have them: glucometerutils' issue 29, atbrask.dk, the package nonin.
ADAPTERS = [
    ("067b:2303", "Prolific Technology Inc.", "USB-Serial Controller", {"onetouch_ultra_easy"}),
    (
        "10c4:ea60",
        "Silicon Labs",
        "CP2102 USB to UART Bridge Controller",
        {"contec_cms50", "contec_cms50_classic"},
    ),
    ("0403:6001", "FTDI", "FT232R USB UART", {"nonin_serial", "nonin_df8"}),
]


@pytest.mark.parametrize(("number", "maker", "name", "drivers"), ADAPTERS)
def test_the_chip_of_a_cable_may_be_in_anything_and_says_so(
    number: str, maker: str, name: str, drivers: set[str]
) -> None:
    said = suggest_usb(plugged(number, maker, name))
    assert {each.driver for each in said} == drivers
    for each in said:
        assert each.ground is Ground.IN_MANY
        assert each.ground.doubtful
        assert "of many things, among them " in each.why


def test_what_says_its_own_name_is_that_whatever_chip_it_has() -> None:
    said = suggested_usb("10c4:ea60", "Nonin Medical, Inc.", "Pulse Oximeter")
    assert said == [("nonin_serial", Ground.NAME), ("nonin_df8", Ground.NAME)]


# As usb.ids has them, and those who read them with evdev: all type.
READERS = [
    ("0c2e:0204", "Metrologic", "Metrologic Scanner"),
    ("0c2e:0b61", "Honeywell Imaging & Mobility", "3310g"),
    ("05e0:1200", "Symbol Technologies, Inc, 2008", "Symbol Bar Code Scanner"),
    ("05f9:2206", "PSC Scanning, Inc.", ""),
    ("1eab:0103", "", "HR200"),
    ("065a:0001", "", ""),
    ("08ff:0009", "Sycreader RFID Technology Co., Ltd", "SYC ID&IC USB Reader"),
    ("1a86:ffff", "NETUM", "Barcode Reader"),
    ("1234:5678", "", "HID RFID Reader"),
    ("1234:5678", "", "USB IC Reader"),
]


@pytest.mark.parametrize(("number", "maker", "name"), READERS)
def test_a_reader_of_wristbands_is_recognised(number: str, maker: str, name: str) -> None:
    assert suggested_usb(number, maker, name, kind=Kind.KEYBOARD) == [("wristband_reader", Ground.NAME)]


@pytest.mark.parametrize(
    ("number", "maker", "name"),
    [
        ("04d9:1503", "Holtek", "USB Keyboard"),
        ("046d:c31c", "Logitech", "USB Keyboard"),
        ("ffff:0035", "", ""),
    ],
)
def test_whatever_else_types_may_be_a_reader_and_never_is_one_for_certain(
    number: str, maker: str, name: str
) -> None:
    assert suggested_usb(number, maker, name, kind=Kind.KEYBOARD) == [("wristband_reader", Ground.IN_MANY)]


def test_a_reader_that_is_set_to_be_a_serial_line_is_not_read_and_what_to_do_is_said() -> None:
    (said,) = suggest_usb(plugged("05e0:1701", "Symbol Technologies", "Bar Code Scanner (CDC)"))
    assert said.driver is None
    assert "nothing here reads as a serial line: set it to be a USB keyboard" in said.why


def test_a_meter_with_a_number_of_its_own_that_nothing_reads_gets_that_alone() -> None:
    assert suggested_usb("10c4:85a7", "Silicon Labs", "CP2103") == [(None, Ground.NAME)]


def test_a_serial_line_of_which_nothing_is_known_gets_no_suggestion() -> None:
    assert suggest_usb(plugged("2341:0043", "Arduino", "Uno")) == []


@given(
    number=st.sampled_from([each[0] for each in (*ADAPTERS, *READERS)])
    | st.from_regex(r"[0-9a-f]{4}:[0-9a-f]{4}", fullmatch=True),
    maker=st.text(max_size=30) | st.sampled_from(["Nonin", "Honeywell"]),
    name=st.text(max_size=30) | st.sampled_from(["Barcode Scanner", "CMS50E"]),
    kind=st.sampled_from(Kind),
)
def test_nothing_on_usb_is_suggested_that_could_not_read_it(
    number: str, maker: str, name: str, kind: Kind
) -> None:
    said = suggest_usb(plugged(number, maker, name, kind=kind))
    assert len({each.driver for each in said}) == len(said)
    for each in said:
        assert each.why
        assert each.driver is None or (each.driver == "wristband_reader") is (kind is Kind.KEYBOARD)


def test_how_usb_numbers_are_written() -> None:
    for model in MODELS:
        for number in model.usb:
            assert re.fullmatch(r"[0-9a-f]{4}:([0-9a-f]{4})?", number)
        for pattern in model.usb_names:
            assert not re.search(pattern, " ")
