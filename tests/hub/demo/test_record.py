"""The demonstration's checks can fail: from a good record each ingredient is taken away in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from hub.alerts.assessed import Assessment
from hub.alerts.life import Alert
from hub.assessment.news2 import Band
from hub.demo.record import Check, Record, Sent, checks, latencies
from hub.demo.stage import ILL, SHARED_OXIMETER, WELL
from hub.readings import AbsentReason, Measurement, Quality, Vital
from hub.timekeeping.placed import PlacedReading
from hub.uplink.cloudevents import Event
from hub.uplink.contract import AlertChange
from hub.uplink.feed import alert_event, observation_event, readings_event
from hub.uplink.fhir.understood import HeardMeasurement
from hub.uplink.heard import HeardAlert, HeardObservation, HeardReading
from tests.rigs.fhir_samples import CUFF, TEST, alert, by_hand, complete, partial, placed

BEGIN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PULSE = Measurement(Vital.PULSE_RATE, 72.0)
NOTHING = Measurement(Vital.PULSE_RATE, None, AbsentReason.NOT_A_NUMBER)


def moment(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def reading(
    payload: str, resident: str, *measurements: Measurement, problem: str | None = None
) -> PlacedReading:
    """A reading of the cuff."""
    return placed(
        *measurements, device=CUFF, payload=bytes.fromhex(payload), resident=resident, problem=problem
    )


@dataclass
class Story:
    """All that `checks` is given."""

    record: Record
    sent: list[Sent] = field(default_factory=list)
    kept: list[dict[str, Any]] = field(default_factory=list)
    events: list[tuple[Event, float]] = field(default_factory=list)

    def see(self, event: Event, at: float) -> None:
        """The subscriber received this event at a moment (seconds since the beginning)."""
        self.events.append((event, at))
        self.record.add(event, at, moment(at))

    def send(self, at: float, *readings: PlacedReading) -> None:
        """A sensor sent payloads, and the subscriber received them together a tenth of a second later."""
        self.sent += [Sent(CUFF, each.reading.raw.payload.hex(), at) for each in readings]
        self.see(readings_event(TEST, readings), at + 0.1)

    def alert(self, at: float, raised: Alert, because: Assessment) -> None:
        """An alert arrived, and a tenth of a second later the hub's word that it was acknowledged."""
        taken = replace(
            raised, acknowledged_at=moment(at), acknowledged_by="the desk", acknowledged_via="ics"
        )
        self.see(alert_event(TEST, AlertChange.RAISED, raised, raised.raised_at, because), at)
        self.see(alert_event(TEST, AlertChange.ACKNOWLEDGED, taken, moment(at), because), at + 0.1)
        self.kept.append(
            {"acknowledged_by": "the desk", "acknowledged_at": moment(at), "acknowledged_via": "ics"}
        )

    def outcome(self) -> list[Check]:
        return checks(self.record, self.sent, self.kept)

    def failures(self) -> list[str]:
        return [check.what for check in self.outcome() if not check.happened]


@pytest.fixture
def story() -> Story:
    """A demonstration in which all went well."""
    story = Story(Record(broker_stopped=20.0, broker_started=29.0))
    story.send(1, reading("01", ILL, PULSE), reading("02", WELL, PULSE))
    story.see(readings_event(TEST, [by_hand()]), 2.5)
    for at, resident in ((2.6, None), (2.7, WELL)):
        shared = placed(PULSE, device=SHARED_OXIMETER, payload=b"\x09", resident=resident)
        story.see(readings_event(TEST, [shared]), at)
    story.send(3, reading("03", ILL, NOTHING))
    story.send(4, reading("04", ILL, problem="truncated"))
    story.see(observation_event(TEST, partial()), 1.2)
    story.see(observation_event(TEST, replace(complete(), resident=WELL)), 2.2)
    for at, raised_at, band in ((10.0, 9.9, Band.MEDIUM), (30.0, 22.0, Band.HIGH)):
        because = complete()
        story.alert(at, replace(alert(because), band=band, raised_at=moment(raised_at)), because)
    return story


def test_a_good_record_has_nothing_to_complain_of(story: Story) -> None:
    assert story.failures() == []


def test_an_event_that_arrives_twice_counts_once(story: Story) -> None:
    for event, at in list(story.events):
        story.record.add(event, at + 5, moment(at + 5))
    assert len(story.record.readings) == 7
    assert story.failures() == []
    assert [round(each) for each in latencies(story.record, story.sent)["reading"].milliseconds] == [100] * 4


def test_an_empty_record_fails_every_check() -> None:
    story = Story(Record())
    assert story.failures() == [check.what for check in story.outcome()]


Which = Callable[[Any], bool]


def lists(story: Story) -> list[list[Any]]:
    return [story.record.readings, story.record.observations, story.record.alerts]


def reading_of(payload: str) -> Which:
    return lambda heard: isinstance(heard, HeardReading) and heard.payload == payload


def readings_about(resident: str) -> Which:
    return lambda heard: isinstance(heard, HeardReading) and heard.resident == resident


def shared_by(resident: str | None) -> Which:
    return lambda heard: (
        isinstance(heard, HeardReading) and (heard.device, heard.resident) == (SHARED_OXIMETER, resident)
    )


def score(*, complete: bool) -> Which:
    return lambda heard: isinstance(heard, HeardObservation) and heard.assessment.news2.complete is complete


def told(change: AlertChange, band: Band) -> Which:
    return lambda heard: isinstance(heard, HeardAlert) and (heard.change, heard.band) == (change, band)


def without(which: Which) -> Callable[[Story], None]:
    def take_away(story: Story) -> None:
        before = sum(map(len, lists(story)))
        for seens in lists(story):
            seens[:] = [seen for seen in seens if not which(seen.heard)]
        assert sum(map(len, lists(story))) < before, "there was nothing to take away"

    return take_away


def changed(which: Which, to: Callable[[Any], Any]) -> Callable[[Story], None]:
    def change(story: Story) -> None:
        found = [(seens, n) for seens in lists(story) for n, seen in enumerate(seens) if which(seen.heard)]
        assert found, "there was nothing to change"
        for seens, number in found:
            seens[number] = replace(seens[number], heard=to(seens[number].heard))

    return change


def measured(heard: HeardReading) -> HeardReading:
    """The sensor did give a number."""
    value = HeardMeasurement(Vital.PULSE_RATE, 0.0, None, Quality.GOOD, heard.measured_at, heard.reading)
    return replace(heard, measurements=(value,))


def no_risk(heard: HeardObservation) -> HeardObservation:
    return replace(heard, assessment=replace(heard.assessment, risk=None))


def live_risk(heard: HeardObservation) -> HeardObservation:
    risk = heard.assessment.risk
    assert risk is not None
    return replace(heard, assessment=replace(heard.assessment, risk=replace(risk, mode="live")))


def raised_by(reading: UUID) -> Callable[[HeardAlert], HeardAlert]:
    return lambda heard: replace(heard, assessment=replace(heard.assessment, reading=reading))


def no_sensor(story: Story) -> None:
    story.sent.clear()


def lost_reading(story: Story) -> None:
    story.sent.append(Sent(CUFF, "05", 5))


def third_alert(story: Story) -> None:
    because = complete()
    story.see(alert_event(TEST, AlertChange.RAISED, alert(because), BEGIN, because), 40)


def no_outage(story: Story) -> None:
    story.record.broker_stopped = story.record.broker_started = None


def unacknowledged(story: Story) -> None:
    story.kept[1]["acknowledged_by"] = None


def acknowledged_at_home(story: Story) -> None:
    story.kept[0]["acknowledged_via"] = "hub"


def forgotten(story: Story) -> None:
    story.kept.pop()


def raised_after_the_outage(story: Story) -> None:
    changed(HIGH, lambda heard: replace(heard, raised_at=moment(29.5)))(story)


MEDIUM, HIGH = told(AlertChange.RAISED, Band.MEDIUM), told(AlertChange.RAISED, Band.HIGH)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (no_sensor, "every payload"),
        (lost_reading, "every payload"),
        (without(reading_of("01")), "every payload"),
        (without(score(complete=True)), "a complete NEWS2"),
        (without(score(complete=False)), "a complete NEWS2"),
        (changed(score(complete=True), no_risk), "the model's risk"),
        (changed(score(complete=False), live_risk), "the model's risk"),
        (changed(reading_of("03"), measured), "a cuff"),
        (changed(reading_of("04"), lambda heard: replace(heard, problem=None)), "a truncated payload"),
        (changed(reading_of("04"), measured), "a truncated payload"),
        (without(MEDIUM), "one alert for each band"),
        (third_alert, "one alert for each band"),
        (changed(MEDIUM, lambda heard: replace(heard, resident=WELL)), "no alert for the resident"),
        (without(readings_about(WELL)), "no alert for the resident"),
        (without(shared_by(None)), "the shared oximeter"),
        (without(shared_by(WELL)), "the shared oximeter"),
        (changed(shared_by(None), lambda heard: replace(heard, resident=ILL)), "the shared oximeter"),
        (no_outage, "the high alert was raised while"),
        (raised_after_the_outage, "the high alert was raised while"),
        (without(told(AlertChange.ACKNOWLEDGED, Band.HIGH)), "the ICS acknowledged both"),
        (unacknowledged, "the hub's own record"),
        (acknowledged_at_home, "the hub's own record"),
        (forgotten, "the hub's own record"),
    ],
)
def test_what_did_not_happen_is_complained_of(
    story: Story, spoil: Callable[[Story], None], complaint: str
) -> None:
    spoil(story)
    assert any(what.startswith(complaint) for what in story.failures())


def test_the_way_of_a_reading_and_of_its_alert_is_measured_from_the_sensors_last_byte(story: Story) -> None:
    raising = reading("09", ILL, PULSE)
    story.send(9.9, raising)
    changed(MEDIUM, raised_by(raising.reading.id))(story)
    found = latencies(story.record, story.sent)
    assert [round(each) for each in found["reading"].milliseconds] == [100] * 5
    assert [round(each) for each in found["alert"].milliseconds] == [100]
    assert found["during the outage"].words == "during the outage: none"


def test_what_met_the_outage_is_measured_apart(story: Story) -> None:
    story.send(22.0, reading("22", ILL, PULSE))
    found = latencies(story.record, story.sent)
    assert len(found["during the outage"].milliseconds) == 1
    assert len(found["reading"].milliseconds) == 4
