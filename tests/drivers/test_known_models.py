"""The known devices: the data is held to what there is, and suggestions to what an engineer may be told."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.catalogue import DRIVERS
from drivers.devices import MODELS, KnownModel
from drivers.known_models import Ground, suggest, table
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
            characteristic = captures[payload]["characteristic"].lower()
            for driver in model.drivers:
                # A single field, captured alone, is of no characteristic: `test_captures.py` reads it.
                if decode := DRIVERS[driver].characteristics.get(characteristic):
                    decode(bytes.fromhex(captures[payload]["payload_hex"]))
    named = [payload for model in MODELS for payload in model.payloads]
    assert len(named) == len(set(named))


def test_every_virtual_sensor_that_is_named_as_evidence_is_there() -> None:
    for model in MODELS:
        if model.virtual is not None:
            assert isinstance(getattr(profiles, model.virtual), profiles.Profile)


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
