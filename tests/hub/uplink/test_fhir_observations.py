"""What readings, vital signs, scores and risks are in FHIR, and what they must never be misread as."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from drivers.catalogue import DRIVERS
from hub.assessment.news2 import OxygenScale
from hub.readings import AbsentReason, DeviceTime, Door, Flag, Measurement, Quality, Vital
from hub.timekeeping.timing import TimeQuality
from hub.uplink.cloudevents import to_json
from hub.uplink.feed import observation_event, readings_event
from hub.uplink.fhir import codes
from tests.rigs.fhir_samples import (
    CUFF,
    LIVE,
    MINUTE,
    NOON,
    RISK,
    assessment,
    assessments,
    by_hand,
    coded,
    complete,
    cuff,
    extension,
    news2,
    oximeter,
    partial,
    placed,
    resources,
    thermometer,
)

SATURATION = Measurement(Vital.OXYGEN_SATURATION, 91.0)
VITAL_SIGNS = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}


# --- weight and glucose


@pytest.mark.parametrize(
    ("said", "loinc", "quantity"),
    [
        (
            Measurement(Vital.BODY_WEIGHT, 61.5),
            "29463-7",
            {"value": 61.5, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
        ),
        (
            Measurement(Vital.GLUCOSE, 2.4),
            "15074-8",
            {"value": 2.4, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"},
        ),
    ],
)
def test_a_weight_and_a_glucose_are_told_with_their_codes_and_units(
    said: Measurement, loinc: str, quantity: dict[str, Any]
) -> None:
    event = observation_event(LIVE, assessment(placed(said), risk=None))
    told = coded(event, loinc)
    assert told["valueQuantity"] == quantity
    assert told["category"] == [{"coding": [VITAL_SIGNS]}]
    assert told["status"] == "final"
    (raw,) = resources(readings_event(LIVE, [placed(said)]), "Observation")
    assert raw["component"][0]["code"]["coding"] == told["code"]["coding"][:1]
    assert raw["component"][0]["valueQuantity"]["code"] == quantity["code"]


def test_a_set_of_a_weight_alone_never_reads_as_a_score() -> None:
    event = observation_event(LIVE, assessment(placed(Measurement(Vital.BODY_WEIGHT, 61.5)), risk=None))
    score = news2(event)
    assert (score["status"], "valueQuantity" in score) == ("preliminary", False)
    assert score["dataAbsentReason"]["text"].startswith("NEWS2 unknown: ")
    assert {part["dataAbsentReason"]["coding"][0]["code"] for part in score["component"]} == {"not-performed"}
    assert event.extensions["band"] == "at-least-zero"


@pytest.mark.parametrize(
    ("driver", "code"),
    [("weight_scale", "528399"), ("glucose", "528401"), ("blood_pressure", "528391"), ("heart_rate", None)],
)
def test_a_sensor_says_which_kind_it_is_where_the_guide_has_a_word_for_it(
    driver: str, code: str | None
) -> None:
    told = observation_event(LIVE, assessment(placed(SATURATION, driver=driver)))
    (sensor,) = (each for each in resources(told, "Device") if each["type"] == codes.SENSOR_TYPE)
    kinds = [each["systemType"]["coding"][0]["code"] for each in sensor.get("specialization", ())]
    assert kinds == ([] if code is None else [code])


def test_only_a_strap_a_reader_and_what_is_of_the_room_are_of_no_kind_that_has_a_word() -> None:
    assert DRIVERS.keys() - codes.SPECIALIZATIONS.keys() == {"heart_rate", "bthome", "wristband_reader"}
    assert codes.SPECIALIZATIONS.keys() <= DRIVERS.keys()


# --- what is of the room


def test_a_reading_of_both_a_room_and_a_person_is_told_without_the_room() -> None:
    both = placed(Measurement(Vital.DOOR, Door.OPEN), Measurement(Vital.BODY_WEIGHT, 61.5))
    (told,) = resources(readings_event(LIVE, [both]), "Observation")
    assert [each["valueQuantity"]["value"] for each in told["component"]] == [61.5]
    room = placed(Measurement(Vital.DOOR, Door.OPEN))
    (told,) = resources(readings_event(LIVE, [room]), "Observation")
    assert told["dataAbsentReason"]["coding"][0]["code"] == "unknown", "none is told, but if one were"
    assert "component" not in told


# --- a single reading


def test_a_reading_keeps_its_id_its_bytes_and_its_place_in_time() -> None:
    reading = cuff()
    (told,) = resources(readings_event(LIVE, [reading]), "Observation")
    assert told["identifier"] == [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{reading.reading.id}"}]
    assert told["status"] == "preliminary"
    assert told["device"]["identifier"]["value"] == CUFF.replace(":", "-")
    assert (told["effectiveDateTime"], told["issued"]) == (NOON.isoformat(), NOON.isoformat())
    assert extension(told, "reading") == {
        "driver": "blood_pressure",
        "characteristic": "2a5e",
        "payload": "015b",
        "time": "agreed",
        "boot": str(reading.stamp.boot),
        "sinceBoot": 1234.567891,
        "clock": "synchronised",
        "deviceTime": "2026-03-01T13:00:30",
        "flag": "irregular pulse",
    }


def test_a_reading_with_a_problem_says_so_and_has_no_value() -> None:
    (told,) = resources(readings_event(LIVE, [placed(problem="payload too short")]), "Observation")
    assert told["dataAbsentReason"]["coding"][0]["code"] == "error"
    assert told["dataAbsentReason"]["text"] == "payload too short"
    assert "component" not in told


def test_a_failed_and_an_unusable_measurement_are_no_numbers_anywhere() -> None:
    failed = Measurement(Vital.SYSTOLIC_PRESSURE, None, AbsentReason.NOT_A_NUMBER)
    unusable = Measurement(Vital.PULSE_RATE, 255.0, quality=Quality.UNUSABLE)
    infinite = Measurement(Vital.TEMPERATURE, float("inf"))
    (told,) = resources(readings_event(LIVE, [placed(failed, unusable, infinite)]), "Observation")
    reasons = [part["dataAbsentReason"]["coding"][0]["code"] for part in told["component"]]
    assert reasons == ["not-a-number", "error", "positive-infinity"]
    assert not any("valueQuantity" in part for part in told["component"])
    (kept,) = told["component"][1]["extension"]
    assert kept["valueQuantity"]["value"] == 255.0


# --- vital signs


def test_a_blood_pressure_is_one_panel_with_all_that_its_cuff_measured() -> None:
    event = observation_event(LIVE, assessment(cuff()))
    panel = coded(event, "85354-9")
    values = {
        part["code"]["coding"][0]["code"]: part["valueQuantity"]["value"] for part in panel["component"]
    }
    assert values == {"8480-6": 98.0, "8462-4": 55.0, "8478-0": 70.0}
    assert "valueQuantity" not in panel
    assert "dataAbsentReason" not in panel


def test_a_panel_is_the_same_whatever_of_it_a_set_takes() -> None:
    older, newer = cuff(), replace(cuff(120.0), measured_at=NOON + MINUTE)
    both = assessment(older, newer)
    mixed = replace(
        both,
        observations=replace(
            both.observations,
            observations={
                **both.observations.observations,
                Vital.DIASTOLIC_PRESSURE: assessment(older).observations.observations[
                    Vital.DIASTOLIC_PRESSURE
                ],
            },
        ),
    )
    name = f"urn:uuid:{uuid.uuid5(older.reading.id, 'blood_pressure')}"
    alone, among = (
        next(
            each
            for each in resources(observation_event(LIVE, made), "Observation")
            if each["identifier"][0]["value"] == name
        )
        for made in (assessment(older), mixed)
    )
    assert alone == among


def test_a_pressure_that_failed_has_its_reason_in_the_panel() -> None:
    reading = placed(
        Measurement(Vital.SYSTOLIC_PRESSURE, 98.0),
        Measurement(Vital.DIASTOLIC_PRESSURE, None, AbsentReason.ERROR),
    )
    _, diastolic = coded(observation_event(LIVE, assessment(reading)), "85354-9")["component"]
    assert diastolic["dataAbsentReason"]["coding"][0]["code"] == "error"


def test_the_same_measurement_told_in_two_sets_is_one_observation() -> None:
    reading = oximeter()
    first = observation_event(LIVE, assessment(reading))
    second = observation_event(LIVE, assessment(reading, thermometer()))
    assert coded(first, "2708-6") == coded(second, "2708-6")
    assert news2(first)["identifier"] != news2(second)["identifier"]


def test_a_vital_leads_back_to_its_reading() -> None:
    reading = oximeter()
    told = coded(observation_event(LIVE, assessment(reading)), "2708-6")
    assert told["derivedFrom"][0]["identifier"]["value"] == f"urn:uuid:{reading.reading.id}"


def test_doubts_stand_beside_the_value_for_people_to_see() -> None:
    reading = placed(
        Measurement(Vital.PULSE_RATE, 118.0, quality=Quality.QUESTIONABLE),
        flags=[Flag.POOR_SIGNAL],
        quality=TimeQuality.DOUBTFUL,
    )
    told = coded(observation_event(LIVE, assessment(reading)), "8867-4")
    assert told["interpretation"][0]["text"].startswith("questionable")
    assert told["note"][0]["text"].startswith("poor signal; when it was measured is doubtful")


def test_consciousness_and_oxygen_are_coded() -> None:
    event = observation_event(LIVE, assessment(by_hand()))
    assert coded(event, "1104441000000107")["valueCodeableConcept"]["coding"][0]["code"] == "130987000"
    assert coded(event, "air-or-oxygen")["valueCodeableConcept"]["coding"][0]["code"] == "722742002"


def test_a_streams_median_is_told_as_one() -> None:
    middle = (Measurement(Vital.OXYGEN_SATURATION, 92.5),)
    told = coded(observation_event(LIVE, assessment(placed(SATURATION, observed=middle))), "2708-6")
    assert told["valueQuantity"]["value"] == 92.5
    assert told["method"] == {"text": "median of a stream"}


# --- the sensor's clock


def clock(**reading: Any) -> Any:
    return coded(observation_event(LIVE, assessment(placed(SATURATION, **reading))), "67975")


def test_a_clock_that_agrees_is_told_as_an_instant_in_its_zone() -> None:
    told = coded(observation_event(LIVE, assessment(cuff())), "67975")
    assert told["valueDateTime"] == "2026-03-01T13:00:30+01:00"
    assert told["effectiveDateTime"] == NOON.isoformat()


def test_a_clock_that_was_believed_is_told_in_the_zone_that_it_was_believed_in() -> None:
    told = clock(
        device_time=DeviceTime(2026, 3, 1, 8, 0, 30),
        quality=TimeQuality.SENSOR,
        measured=NOON.replace(hour=9, minute=30, second=30, microsecond=0),
    )
    assert told["valueDateTime"] == "2026-03-01T08:00:30-01:30"


def test_a_clock_that_is_not_believed_is_told_in_words_and_in_no_zone() -> None:
    time = DeviceTime(2019, 1, 1, 0, 0, 0)
    assert clock(device_time=time, quality=TimeQuality.DOUBTFUL)["valueString"] == "2019-01-01T00:00:00"


def test_a_clock_that_was_not_set_says_nothing() -> None:
    told = clock(device_time=DeviceTime(0, 0, 0, 0, 5, 0), flags=[Flag.CLOCK_NOT_SET])
    assert told["dataAbsentReason"]["coding"][0]["code"] == "unknown"


def test_a_sensor_without_a_clock_has_no_observation_of_one() -> None:
    event = observation_event(LIVE, assessment(oximeter()))
    assert "67975" not in to_json(event)


# --- NEWS2


def test_a_complete_score_is_final_and_has_its_total_and_sub_scores() -> None:
    made = complete()
    event = observation_event(LIVE, made)
    told = news2(event)
    assert (told["status"], told["valueQuantity"]) == ("final", {"value": made.news2.total})
    assert sum(part["valueQuantity"]["value"] for part in told["component"]) == made.news2.total
    assert told["interpretation"][0]["coding"][0]["code"] == "high"
    measured = {each["reference"] for each in told["derivedFrom"] if "reference" in each}
    vitals = {
        entry["fullUrl"]
        for entry in event.data["entry"]
        if entry["resource"].get("category") == [{"coding": [VITAL_SIGNS]}]
    }
    assert measured == vitals
    assert event.extensions["band"] == "high"


def test_a_partial_score_has_no_total_that_anybody_could_chart() -> None:
    event = observation_event(LIVE, partial())
    told = news2(event)
    assert told["status"] == "preliminary"
    assert not [key for key in told if key.startswith("value")]
    assert "temperature not measured" in told["dataAbsentReason"]["text"]
    assert told["note"] == [{"text": told["dataAbsentReason"]["text"]}]
    absent = [part for part in told["component"] if "dataAbsentReason" in part]
    assert {part["dataAbsentReason"]["coding"][0]["code"] for part in absent} == {"not-performed"}
    assert len(absent) == 5
    least = told["component"][-1]
    assert least["valueQuantity"] == {"comparator": ">=", "value": 5}
    assert told["interpretation"][0]["coding"][0]["code"] == "at-least-medium"
    assert event.extensions["band"] == "at-least-medium"


def test_a_partial_score_that_is_high_already_is_high() -> None:
    event = observation_event(LIVE, assessment(cuff(80.0), oximeter()))
    assert news2(event)["interpretation"][0]["coding"][0]["code"] == "high"


def test_a_score_of_nothing_says_only_what_is_missing() -> None:
    told = news2(observation_event(LIVE, assessment(placed(problem="payload too short"))))
    assert len(told["component"]) == 7
    assert all("dataAbsentReason" in part for part in told["component"])
    assert told["interpretation"][0]["coding"][0]["code"] == "at-least-zero"


def test_the_saturations_sub_score_names_its_scale_and_why_it_is_not_scored() -> None:
    told = news2(observation_event(LIVE, assessment(oximeter(95.0), scale=OxygenScale.SCALE_2)))
    by_code = {part["code"]["coding"][0]["code"]: part for part in told["component"]}
    assert "1104311000000102" not in by_code
    saturation = by_code["1104321000000108"]
    assert saturation["dataAbsentReason"]["coding"][0]["code"] == "unknown"
    assert "needs to know if on air or oxygen" in saturation["dataAbsentReason"]["text"]


# --- the model's risk


def test_the_risk_names_its_model_and_is_never_final() -> None:
    event = observation_event(LIVE, complete())
    (told,) = resources(event, "RiskAssessment")
    assert told["status"] == "preliminary"
    assert told["method"]["coding"] == [
        {
            "system": "https://fhir.careport.uk/CodeSystem/model",
            "version": "0.1.0",
            "code": "careport-deterioration-additive",
        }
    ]
    assert told["prediction"][0]["probabilityDecimal"] == 42.13  # per cent, as FHIR has it
    assert extension(told, "model") == {
        "sha256Prefix": RISK.sha256_prefix, "mode": "shadow", "missing": "age", "outOfRange": "pulse_rate",
        "uncalibrated": 61.27, "wouldAlert": True,
    }  # fmt: skip
    assert told["prediction"][0]["rationale"] == "pulse faster than usual (163 a minute, usually 76)"
    assert "shadow" in told["method"]["text"]
    assert "raises no alert" in told["note"][0]["text"]


def test_without_a_model_there_is_no_risk() -> None:
    assert resources(observation_event(LIVE, assessment(oximeter(), risk=None)), "RiskAssessment") == []


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(assessments())
def test_a_sets_observations_are_what_its_score_is_derived_from(made: Any) -> None:
    event = observation_event(LIVE, made)
    told = news2(event)
    members = {each["reference"] for each in told["derivedFrom"] if "reference" in each}
    assert len(members) == len(told["derivedFrom"]) - 1
    assert bool(members) == bool(made.observations.observations)
