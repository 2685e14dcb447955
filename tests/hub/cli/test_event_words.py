"""What a hub says of a period, as people read it: everything that an ICS would look for, in a few lines."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings

from hub.cli.event_words import event_lines
from hub.readings import Vital
from hub.telling.summary import AlertsSummary, DeviceSummary, ResidentSummary, VitalSummary
from hub.uplink.cloudevents import Event
from hub.uplink.contract import AlertChange, status_event
from hub.uplink.feed import amended_alert_event, amended_observation_event, resident_summary_event
from hub.uplink.hub_summary import hub_summary_event
from tests.hub.uplink.test_hub_summary import HUB, LINK, RESIDENT, SUMMARIES, wired
from tests.rigs.fhir_samples import LIVE, NOON, TEST, alert, complete

RAISED = AlertChange.RAISED
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


@pytest.fixture(autouse=True)
def _at_greenwich() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def test_a_resident_s_summary_has_the_highest_score_the_sets_each_vital_and_the_alerts() -> None:
    assert event_lines(wired(resident_summary_event(TEST, RESIDENT))) == [
        "19:00:00  summary  R-0412, 01 Mar 07:00 to 01 Mar 19:00: highest NEWS2 7 at 12:00:00;"
        " sets done 2 of 5.17 due",
        "          pulse 82.5 /min (60 to 120), 3.25 lower than before; 12 measured",
        "          temperature 37 degC; 1 measured",
        "          ACVPU: 2 measured",
        "          alerts: 5 raised, 3 acknowledged (after 14.0 min, at the longest 120.0 min), 1 waiting",
    ]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            VitalSummary(12, 80.0, 99.0, 95.0, -1.0, HOUR, ((88.0, timedelta(0)), (90.0, 20 * SECOND))),
            "SpO2 95 % (80 to 99), 1 lower than before, 20 s below 90; 12 measured",
        ),
        (
            VitalSummary(1, 70.0, 97.0, 96.0, None, HOUR, ((90.0, 12 * SECOND),)),
            "SpO2 96 % (70 to 97), 12 s below 90; 1 measured",
        ),
        (
            VitalSummary(0, 70.0, 97.0, None, None, 12 * SECOND, ((90.0, 5 * SECOND),)),
            "SpO2 70 to 97 %, 5 s below 90; never observed",
        ),
    ],
)
def test_of_a_stream_a_summary_has_the_range_of_every_second_and_the_time_below(
    said: VitalSummary, words: str
) -> None:
    """Though it was observed but once, or never: the fall is there."""
    summary = replace(RESIDENT, vitals={Vital.OXYGEN_SATURATION: said})
    assert event_lines(wired(resident_summary_event(LIVE, summary)))[1].strip() == words


def test_a_resident_of_whom_nothing_was_scored_is_not_said_to_score_zero() -> None:
    nothing = replace(RESIDENT, highest=None, vitals={}, alerts=AlertsSummary(0, 0, 0, 0, 0, 0, ()))
    (line,) = event_lines(wired(resident_summary_event(LIVE, nothing)))
    assert "no score" in line


def test_a_partial_score_is_said_to_be_the_least_that_it_can_be() -> None:
    assert RESIDENT.highest is not None
    partial = replace(RESIDENT, highest=replace(RESIDENT.highest, complete=False))
    assert "highest NEWS2 at least 7" in event_lines(wired(resident_summary_event(LIVE, partial)))[0]


def test_the_hub_s_summary_has_readings_alerts_residents_sensors_and_what_waits() -> None:
    assert event_lines(wired(hub_summary_event(TEST, HUB, LINK))) == [
        "19:00:00  summary  hub-1 at rose-house (test data), 01 Mar 07:00 to 01 Mar 19:00:"
        " 100 readings, 3 of nobody yet, 1 not decoded",
        "          alerts: 5 raised, 3 acknowledged (after 14.0 min, at the longest 120.0 min), 1 waiting",
        "          residents: 2, not observed 1",
        "          C4:F2:17:00:00:01 (cuff): 97 readings, 1 not decoded; last heard 01 Mar 12:00",
        "          usb-3 (x): 0 readings, 0 not decoded; not heard in 7 days",
        "          waiting for the broker: 9, refused by it: 1; clock synchronised",
    ]


def test_of_very_many_sensors_some_are_listed_and_the_others_counted() -> None:
    many = tuple(
        DeviceSummary(f"usb-{n}", "x", 1, 0, HUB.period.until - timedelta(hours=1)) for n in range(50)
    )
    lines = event_lines(wired(hub_summary_event(TEST, replace(HUB, devices=many), LINK)))
    assert "          and 30 more sensor(s)" in lines


@settings(max_examples=40, deadline=None)
@given(SUMMARIES)
def test_any_summary_can_be_put_into_words(summary: ResidentSummary) -> None:
    lines = event_lines(wired(resident_summary_event(TEST, summary)))
    assert all(line == line.rstrip() and len(line) < 200 for line in lines)


def status(**radio: object) -> Event:
    healing = {"ails": None, "remedy": None, "tried_at": None, "outcome": None, "tried": 0}
    said = {
        "usable": True, "words": "scanning", "adapters": [], "healing": healing, "sensors_in_trouble": [],
        "not_listed": 0, **radio,
    }  # fmt: skip
    return wired(status_event(TEST, "online", NOON, {"radio": said}))


def test_what_is_wrong_with_usb_is_said_and_nothing_where_all_is_well() -> None:
    well = {"usable": True, "words": "listening", "sensors_in_trouble": [], "not_listed": 0}
    assert len(event_lines(wired(status_event(TEST, "online", NOON, {"usb": well})))) == 1
    trouble = [{"address": "USB:0403:6001:A9XK2P7Q", "words": "another program\x1b[2J has it"}]
    bad = {"usable": False, "words": "no udev", "sensors_in_trouble": trouble, "not_listed": 2}
    _, *lines = event_lines(wired(status_event(TEST, "online", NOON, {"usb": bad})))
    assert lines == [
        "          its USB does not work: no udev",
        "          USB:0403:6001:A9XK2P7Q: another program?[2J has it",
        "          and 2 more sensor(s) in trouble",
    ]


def test_a_radio_that_works_and_sensors_that_are_well_are_no_news() -> None:
    assert len(event_lines(status())) == 1


def test_what_ails_a_radio_what_was_tried_and_which_sensors_are_in_trouble_are_said() -> None:
    healing = {
        "ails": "nothing was heard", "remedy": "power cycle", "tried_at": NOON,
        "outcome": "hci0 was switched off and on", "tried": 3,
    }  # fmt: skip
    trouble = [{"address": "C4:F2:17:00:00:01", "words": "refuses\x1b[2J to be bonded with"}]
    _, *lines = event_lines(
        status(usable=False, words="no adapter", healing=healing, sensors_in_trouble=trouble, not_listed=4)
    )
    assert lines == [
        "          its Bluetooth does not work: no adapter",
        "          tried against it: power cycle, 01 Mar 12:00: hci0 was switched off and on (3 so far)",
        "          C4:F2:17:00:00:01: refuses?[2J to be bonded with",
        "          and 4 more sensor(s) in trouble",
    ]


def test_an_amendment_is_said_to_be_no_new_alert() -> None:
    told = complete()
    (line,) = event_lines(wired(amended_alert_event(TEST, RAISED, alert(told), NOON, told, entry_number=7)))
    assert line.startswith("12:00:00  amended  no new alert (test data), raised 01 Mar 12:00: R-0412: NEWS2")
    (line,) = event_lines(wired(amended_observation_event(TEST, told)))
    assert line.startswith("12:00:00  amended  R-0412: ")
    assert line.endswith(", times put right")
