"""What is told is what is heard: out of FHIR, over the wire, and back in the hub's own words."""

from __future__ import annotations

import contextlib
import math
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.alerts.assessed import Assessment
from hub.alerts.life import AlertState, Resolution
from hub.assessment.observation_set import Observation
from hub.assessment.reason import in_words
from hub.readings import OF_THE_ROOM, AbsentReason, Flag, Measurement, Origin, Quality, Vital
from hub.timekeeping.timing import TimeQuality
from hub.uplink.cloudevents import Event, from_json, to_json
from hub.uplink.contract import AlertChange
from hub.uplink.feed import alert_event, observation_event, readings_event
from hub.uplink.fhir.understood import HeardAssessment
from hub.uplink.heard import HeardError, alert_heard, observation_heard, readings_heard
from tests.rigs.fhir_samples import (
    LIVE,
    MINUTE,
    NOON,
    RISK,
    TEST,
    alert,
    alerts,
    assessment,
    assessments,
    by_hand,
    complete,
    cuff,
    oximeter,
    partial,
    placed,
    placed_readings,
    times,
)

_settings = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def wired(event: Event) -> Event:
    """The event as a subscriber gets it."""
    return from_json(to_json(event))


# --- readings


@_settings
@given(st.sampled_from([LIVE, TEST]), st.lists(placed_readings(), min_size=1, max_size=4))
def test_any_readings_are_heard_as_they_were_told(identity: Any, told: Any) -> None:
    heard = readings_heard(wired(readings_event(identity, told)))
    assert len(heard) == len(told)
    for one, other in zip(heard, told, strict=True):
        reading, raw = other.reading, other.reading.raw
        manual = raw.origin is Origin.MANUAL
        assert (one.site, one.hub) == ("rose-house", "hub-1")
        assert one.test_data or not identity.test_data
        assert (one.reading, one.resident) == (reading.id, other.resident)
        assert one.device == (None if manual else raw.device)
        assert one.payload == (None if manual or not raw.payload else raw.payload.hex())
        assert (one.driver, one.characteristic) == (raw.driver, raw.characteristic)
        assert (one.received_at, one.measured_at) == (raw.received_at, other.measured_at)
        assert one.time_quality is other.time_quality
        assert (one.boot, one.clock_quality) == (other.stamp.boot, other.stamp.quality)
        assert timedelta(seconds=one.since_boot_seconds) == other.stamp.since_boot
        assert one.device_time == (str(reading.device_time) if reading.device_time else None)
        assert set(one.flags) == {flag.value for flag in reading.flags}
        assert one.problem == reading.problem
        measured = [each for each in reading.measurements if each.vital not in OF_THE_ROOM]
        measured = measured if reading.problem is None else []
        assert [each.vital for each in one.measurements] == [each.vital for each in measured]
        for heard_of, said in zip(one.measurements, measured, strict=True):
            finite = not isinstance(said.value, float) or math.isfinite(said.value)
            assert heard_of.value == (said.value if finite else None)
            assert heard_of.site == (said.site or None)
            if said.value is not None and finite:
                assert heard_of.quality is said.quality
            elif finite and said.absent is not None:
                assert heard_of.absent == said.absent.value


def test_what_is_heard_of_a_reading_reads_as_the_command_line_shows_it() -> None:
    reading = placed(
        Measurement(Vital.OXYGEN_SATURATION, 91.0, quality=Quality.UNUSABLE),
        Measurement(Vital.PULSE_RATE, None, AbsentReason.ERROR),
        flags=[Flag.POOR_SIGNAL],
    )
    (heard,) = readings_heard(wired(readings_event(LIVE, [reading])))
    assert [each.said for each in heard.measurements] == [
        {"vital": "oxygen_saturation", "quality": "unusable", "value": 91.0},
        {"vital": "pulse_rate", "quality": "good", "absent": "error"},
    ]
    assert not any(each.usable for each in heard.measurements)


# --- assessments


def agrees(heard: HeardAssessment, told: Assessment) -> bool:
    """Whether the score and the risk, and the values that were scored, are what they were."""
    score = told.news2
    assert (heard.resident, heard.at, heard.reading) == (told.resident, told.observations.at, told.reading)
    assert (heard.news2.total, heard.news2.least) == (score.total if score.complete else None, score.total)
    assert (heard.news2.complete, heard.news2.band) == (score.complete, score.band)
    assert heard.news2.scale is score.scale
    assert (dict(heard.news2.sub_scores), heard.news2.missing) == (dict(score.sub_scores), score.missing)
    assert heard.news2.words == score.describe(told.observations.questionable)
    for vital in score.sub_scores:
        was, now = told.observations.observations[vital], heard.observations[vital]
        assert (now.value, now.at, now.reading) == (was.value, was.measured_at, was.reading_id)
        assert (now.quality, now.doubtful_time) == (was.quality, was.doubtful_time)
    if told.risk is None:
        return heard.risk is None
    assert heard.risk is not None
    assert heard.risk.probability == pytest.approx(told.risk.probability, abs=5e-5)
    assert (heard.risk.model, heard.risk.version, heard.risk.mode) == (RISK.model, RISK.version, "shadow")
    assert told.risk.reasons is not None
    assert heard.risk.reasons == in_words(told.risk.reasons)
    assert heard.risk.uncalibrated == told.risk.uncalibrated
    return (heard.risk.missing, heard.risk.out_of_range) == (told.risk.missing, told.risk.out_of_range)


@_settings
@given(st.sampled_from([LIVE, TEST]), assessments())
def test_any_assessment_is_heard_as_it_was_told(identity: Any, told: Any) -> None:
    heard = observation_heard(wired(observation_event(identity, told)))
    assert (heard.site, heard.hub, heard.test_data) == ("rose-house", "hub-1", identity.test_data)
    assert agrees(heard.assessment, told)


def test_the_newest_usable_value_of_a_vital_is_heard_where_two_panels_have_it() -> None:
    older, newer = cuff(98.0), replace(cuff(120.0), measured_at=NOON + MINUTE)
    both = assessment(older, newer)
    old_diastolic = assessment(older).observations.observations[Vital.DIASTOLIC_PRESSURE]
    observations = {**both.observations.observations, Vital.DIASTOLIC_PRESSURE: old_diastolic}
    told = replace(both, observations=replace(both.observations, observations=observations))
    heard = observation_heard(wired(observation_event(LIVE, told))).assessment
    assert heard.observations[Vital.SYSTOLIC_PRESSURE].value == 120.0


def test_a_pressure_that_was_too_old_to_score_is_not_heard_as_one_of_the_set() -> None:
    whole = assessment(cuff())
    kept: dict[Vital, Observation] = {
        vital: each
        for vital, each in whole.observations.observations.items()
        if vital is not Vital.SYSTOLIC_PRESSURE
    }
    sub_scores: dict[Vital, int] = {
        vital: points
        for vital, points in whole.news2.sub_scores.items()
        if vital is not Vital.SYSTOLIC_PRESSURE
    }
    told = replace(
        whole,
        observations=replace(whole.observations, observations=kept),
        news2=replace(
            whole.news2, sub_scores=sub_scores, missing=(*whole.news2.missing, Vital.SYSTOLIC_PRESSURE)
        ),
    )
    heard = observation_heard(wired(observation_event(LIVE, told))).assessment
    assert heard.observations.keys() == kept.keys()


# --- alerts


@_settings
@given(st.data())
def test_any_alert_is_heard_as_it_was_told(data: st.DataObject) -> None:
    raising, newest = data.draw(assessments()), data.draw(st.none() | assessments())
    told, at = data.draw(alerts(raising)), data.draw(times)
    change, repeat = data.draw(st.sampled_from(AlertChange)), data.draw(st.integers(0, 3))
    tell = data.draw(st.none() | st.just("senior carer"))
    heard = alert_heard(
        wired(alert_event(TEST, change, told, at, raising, tell=tell, newest=newest, repeat=repeat))
    )
    assert (heard.site, heard.hub, heard.test_data) == ("rose-house", "hub-1", True)
    assert (heard.alert, heard.change, heard.at) == (told.id, change, at)
    assert (heard.state, heard.band, heard.resident) == (told.state, told.band, told.resident)
    assert (heard.words, heard.response) == (told.words, told.response)
    assert (heard.raised_at, heard.measured_at) == (told.raised_at, told.measured_at)
    assert (heard.rung, heard.repeat, heard.tell) == (told.rung, repeat, tell)
    assert (heard.supersedes, heard.resolution) == (told.supersedes, told.resolution)
    said = told.concern
    assert (heard.soft_signs, heard.concern_said_at, heard.concern_settled_at) == (
        ((), None, None) if said is None else (said.signs, said.said_at, said.settled_at)
    )
    assert agrees(heard.assessment, raising)
    assert (heard.newest is None) == (newest is None)
    assert newest is None or (heard.newest is not None and agrees(heard.newest, newest))
    assert (heard.acknowledged is None) == (told.acknowledged_at is None)
    if heard.acknowledged is not None and told.acknowledged_at is not None:
        from_outside = told.acknowledged_via == "ics"
        assert heard.acknowledged.by == (told.acknowledged_by if from_outside else "the home")
        assert (heard.acknowledged.at, heard.acknowledged.via) == (
            told.acknowledged_at,
            told.acknowledged_via,
        )
        assert heard.acknowledged.after_seconds == (told.acknowledged_at - told.raised_at).total_seconds()


def test_an_alert_is_heard_through_its_whole_life() -> None:
    told = complete()
    raised = alert(told)
    taken = replace(
        raised, rung=1, acknowledged_at=NOON + MINUTE, acknowledged_by="the desk", acknowledged_via="ics"
    )
    over = replace(taken, resolved_at=NOON + 2 * MINUTE, resolution=Resolution.RECOVERED)
    states = [
        alert_heard(wired(alert_event(LIVE, change, made, NOON, told))).state
        for change, made in (
            (AlertChange.RAISED, raised),
            (AlertChange.ACKNOWLEDGED, taken),
            (AlertChange.RESOLVED, over),
        )
    ]
    assert states == [AlertState.RAISED, AlertState.ACKNOWLEDGED, AlertState.RESOLVED]


# --- what no hub says


HEARERS: list[Callable[[Event], object]] = [alert_heard, observation_heard, readings_heard]


@pytest.mark.parametrize("hear", HEARERS)
def test_an_event_of_another_kind_is_an_error_that_does_not_quote_it(
    hear: Callable[[Event], object],
) -> None:
    other = Event("1", "uk.example", "uk.careport.status.v1", NOON, {"resourceType": "Bundle", "SECRET": 1})
    with pytest.raises(HeardError) as refused:
        hear(other)
    assert "SECRET" not in str(refused.value)


def events() -> list[tuple[Callable[[Event], object], Event]]:
    told = partial()
    return [
        (alert_heard, alert_event(LIVE, AlertChange.RAISED, alert(told), NOON, told)),
        (observation_heard, observation_event(LIVE, told)),
        (readings_heard, readings_event(LIVE, [oximeter(), by_hand()])),
    ]


def _paths(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to everything in a document."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(found for key, value in inner for found in _paths(value, (*path, key)))]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_event_is_heard_or_refused_and_nothing_else(data: st.DataObject) -> None:
    hear, event = data.draw(st.sampled_from(events()))
    document: Any = wired(event).data
    *way, last = data.draw(st.sampled_from([path for path in _paths(document) if path]))
    within = document
    for key in way:
        within = within[key]
    if data.draw(st.booleans()):
        del within[last]
    else:
        within[last] = data.draw(st.sampled_from([None, 1, -1.5, "x", "urn:uuid:x", [], {}, [None], True]))
    # Any other error ends the test.
    with contextlib.suppress(HeardError):
        hear(replace(event, data=document))


def test_a_manual_reading_and_a_doubtful_one_are_told_apart() -> None:
    doubtful = placed(Measurement(Vital.PULSE_RATE, 80.0), quality=TimeQuality.DOUBTFUL)
    one, other = readings_heard(wired(readings_event(LIVE, [by_hand(), doubtful])))
    assert (one.device, one.driver, one.payload) == (None, "manual", None)
    assert other.time_quality is TimeQuality.DOUBTFUL
    assert uuid.UUID(str(other.reading)) == doubtful.reading.id
