"""The demonstration's checks can fail: from a good record each ingredient is taken away in turn."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.demo.record import Check, Record, Seen, Sent, checks, latencies
from hub.demo.stage import ILL, WELL

BEGIN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SHADOW = {"probability": 0.1, "mode": "shadow"}
COMPLETE = {"complete": True, "missing": []}
PARTIAL = {"complete": False, "missing": ["consciousness"]}
CUFF = "C4:F2:17:00:00:01"


@dataclass
class Story:
    """All that `checks` is given."""

    record: Record
    sent: list[Sent] = field(default_factory=list)
    kept: list[dict[str, Any]] = field(default_factory=list)

    def see(self, kind: str, at: float, data: dict[str, Any], number: int = 0) -> None:
        """The subscriber received this event at a moment (seconds since the beginning)."""
        event = {"id": f"{kind}-{at}-{number}", "type": f"uk.careport.{kind}.v1", "data": data}
        self.record.seen.append(Seen(at, (BEGIN + timedelta(seconds=at)).isoformat(), event))

    def send(self, at: float, payload: str, resident: str, **data: Any) -> None:
        """A sensor sent a payload, and the subscriber received the reading a tenth of a second later."""
        self.sent.append(Sent(CUFF, payload, at))
        reading = {
            "device": CUFF, "payload": payload, "resident": resident, "problem": None,
            "measurements": [{"vital": "pulse_rate", "value": 72}],
        }  # fmt: skip
        self.see("reading", at + 0.1, {**reading, **data})

    def outcome(self) -> list[Check]:
        return checks(self.record, self.sent, self.kept)

    def failures(self) -> list[str]:
        return [check.what for check in self.outcome() if not check.happened]


@pytest.fixture
def story() -> Story:
    """A demonstration in which all went well."""
    story = Story(Record(broker_stopped=20.0, broker_started=29.0))
    story.send(1, "01", ILL)
    story.send(2, "02", WELL)
    story.see("reading", 2.5, {"device": "manual", "payload": None, "resident": ILL, "problem": None,
                               "measurements": [{"vital": "consciousness", "value": "A"}]})  # fmt: skip
    story.send(3, "03", ILL, measurements=[{"vital": "pulse_rate", "absent": "not-a-number"}])
    story.send(4, "04", ILL, measurements=[], problem="truncated")
    story.see("observation", 1.2, {"resident": ILL, "news2": PARTIAL, "risk": SHADOW})
    story.see("observation", 2.2, {"resident": WELL, "news2": COMPLETE, "risk": SHADOW})
    for at, raised, band in ((10.0, 9.9, "medium"), (30.0, 22.0, "high")):
        raised_at = (BEGIN + timedelta(seconds=raised)).isoformat()
        data = {"resident": ILL, "band": band, "raised_at": raised_at, "reading": f"reading-{raised}-0"}
        story.see("alert.raised", at, data)
        story.see("alert.acknowledged", at + 0.1, data)
        story.kept.append(
            {"acknowledged_by": "the desk", "acknowledged_at": raised_at, "acknowledged_via": "ics"}
        )
    return story


def test_a_good_record_has_nothing_to_complain_of(story: Story) -> None:
    assert story.failures() == []


def test_an_event_that_arrives_twice_counts_once(story: Story) -> None:
    story.record.seen += copy.deepcopy(story.record.seen)
    assert story.failures() == []


def test_an_empty_record_fails_every_check() -> None:
    story = Story(Record())
    assert story.failures() == [check.what for check in story.outcome()]


def without(kind: str, **data: Any) -> Callable[[Story], None]:
    def take_away(story: Story) -> None:
        gone = story.record.of(kind, **data)
        assert gone, "there was nothing to take away"
        story.record.seen = [seen for seen in story.record.seen if seen not in gone]

    return take_away


def changed(kind: str, match: dict[str, Any], to: dict[str, Any]) -> Callable[[Story], None]:
    def change(story: Story) -> None:
        found = story.record.of(kind, **match)
        assert found, "there was nothing to change"
        for index, seen in enumerate(story.record.seen):
            if seen in found:
                event = {**seen.event, "data": {**seen.data, **to}}
                story.record.seen[index] = replace(seen, event=event)

    return change


def no_sensor(story: Story) -> None:
    story.sent.clear()


def lost_reading(story: Story) -> None:
    story.sent.append(Sent(CUFF, "05", 5))


def third_alert(story: Story) -> None:
    data = {"resident": ILL, "band": "high", "raised_at": BEGIN.isoformat(), "reading": "x"}
    story.see("alert.raised", 40, data)


def no_outage(story: Story) -> None:
    story.record.broker_stopped = story.record.broker_started = None


def unacknowledged(story: Story) -> None:
    story.kept[1]["acknowledged_by"] = None


def acknowledged_at_home(story: Story) -> None:
    story.kept[0]["acknowledged_via"] = "hub"


def forgotten(story: Story) -> None:
    story.kept.pop()


def raised_after_the_outage(story: Story) -> None:
    changed("alert.raised", {"band": "high"}, {"raised_at": (BEGIN + timedelta(seconds=29.5)).isoformat()})(
        story
    )


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (no_sensor, "every payload"),
        (lost_reading, "every payload"),
        (without("reading", payload="01"), "every payload"),
        (without("observation", news2=COMPLETE), "a complete NEWS2"),
        (without("observation", news2=PARTIAL), "a complete NEWS2"),
        (changed("observation", {"resident": WELL}, {"risk": None}), "the model's risk"),
        (changed("observation", {"resident": ILL}, {"risk": {"mode": "live"}}), "the model's risk"),
        (changed("reading", {"payload": "03"}, {"measurements": [{"vital": "x", "value": 0}]}), "a cuff"),
        (changed("reading", {"payload": "04"}, {"problem": None}), "a truncated payload"),
        (
            changed("reading", {"payload": "04"}, {"measurements": [{"vital": "x", "value": 0}]}),
            "a truncated payload",
        ),
        (without("alert.raised", band="medium"), "one alert for each band"),
        (third_alert, "one alert for each band"),
        (changed("alert.raised", {"band": "medium"}, {"resident": WELL}), "no alert for the resident"),
        (without("reading", resident=WELL), "no alert for the resident"),
        (no_outage, "the high alert was raised while"),
        (raised_after_the_outage, "the high alert was raised while"),
        (without("alert.acknowledged", band="high"), "the ICS acknowledged both"),
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
    story.send(9.9, "09", ILL)  # this one raised the medium alert
    (reading,) = story.record.of("reading", payload="09")
    changed("alert.raised", {"band": "medium"}, {"reading": reading.event["id"]})(story)
    found = latencies(story.record, story.sent)
    assert [round(each) for each in found["reading"].milliseconds] == [100] * 5
    assert [round(each) for each in found["alert"].milliseconds] == [100]
    assert found["during the outage"].words == "during the outage: none"


def test_what_met_the_outage_is_measured_apart(story: Story) -> None:
    story.send(22.0, "22", ILL)
    found = latencies(story.record, story.sent)
    assert len(found["during the outage"].milliseconds) == 1
    assert len(found["reading"].milliseconds) == 4
