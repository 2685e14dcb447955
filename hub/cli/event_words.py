"""What a hub says on the wire, as people read it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hub.cli.options import one_line
from hub.cli.words import measurements_words, risk_words, vital_words
from hub.clock import now
from hub.uplink.cloudevents import Event
from hub.uplink.contract import AlertChange, Channel, SummaryOf, event_type
from hub.uplink.fhir.understood import HeardAssessment
from hub.uplink.heard import (
    HeardAlert,
    HeardReading,
    HeardSummary,
    alert_heard,
    amended_alert_heard,
    amended_observation_heard,
    hub_summary_heard,
    observation_heard,
    readings_heard,
    resident_summary_heard,
)
from hub.uplink.plain import HubSummaryData
from hub.uplink.unkept import COMMITTED

CALLING = {event_type(Channel.ALERT, change) for change in (AlertChange.RAISED, AlertChange.ESCALATED)}
"""The types of event that call somebody."""

_MARGIN = " " * 10
_BELOW = "time-below "
_MOST_DEVICES = 20


def event_lines(event: Event) -> list[str]:
    """An event as people read it.

    Raises:
        HeardError, LookupError, TypeError, ValueError, AttributeError: it is not as a hub sends it.
    """
    data: dict[str, Any] = dict(event.data)
    when = _hour(event.time)
    kind = event.type.removeprefix("uk.careport.").removesuffix(".v1")
    match kind.split("."):
        case ["alert", _]:
            return [*_alert_lines(alert_heard(event), when), *_uncommitted_lines(event)]
        case ["observation"]:
            assessment = observation_heard(event).assessment
            said = f"{assessment.news2.words}; risk {_risk_words(assessment)}"
            return [
                f"{when}  scored   {assessment.resident}: {_measured_words(assessment)}",
                f"{'':19}{said}",
            ]
        case ["amended_alert"]:
            alert = amended_alert_heard(event)
            raised = f"raised {_day_and_hour(alert.raised_at)}"
            return [f"{when}  amended  no new alert{_test_data(alert.test_data)}, {raised}: {alert.words}"]
        case ["amended_observation"]:
            amended = amended_observation_heard(event)
            assessment = amended.assessment
            how = "in error, not of them" if amended.withdrawn else "times put right"
            return [f"{when}  amended  {assessment.resident}: {_measured_words(assessment)}, {how}"]
        case ["reading"]:
            return [_reading_line(reading) for reading in readings_heard(event)]
        case ["answer"]:
            return [f"{when}  answer   {data['hub']} at {data['site']}: {data['words']}{_test(data)}"]
        case ["status"]:
            # A last will was written when the hub connected: what counts is when it was heard.
            card = data.get("card", "well")
            trouble = "" if card == "well" else f"; its card is {card}"
            said = f"{data['hub']} at {data['site']} is {data['state']}{_test(data)}{trouble}"
            return [
                f"{_hour(now())}  hub      {said}",
                *_radio_lines(data.get("radio")),
                *_usb_lines(data.get("usb")),
            ]
        case ["summary", SummaryOf.RESIDENT]:
            return _resident_summary_lines(resident_summary_heard(event), when)
        case ["summary", SummaryOf.HUB]:
            return _hub_summary_lines(hub_summary_heard(event), when)
        case _:
            return [f"{when}  {kind}"]


def _radio_lines(said: Mapping[str, Any] | None) -> list[str]:
    """What is the matter with a hub's Bluetooth and its sensors; nothing where all is well."""
    if said is None:
        return []
    lines = [] if said["usable"] else [f"{_MARGIN}its Bluetooth does not work: {one_line(said['words'])}"]
    healing = said["healing"]
    if healing["ails"] is not None and healing["remedy"] is not None:
        tried = _day_and_hour(datetime.fromisoformat(healing["tried_at"]))
        lines.append(
            f"{_MARGIN}tried against it: {healing['remedy']}, {tried}: {one_line(healing['outcome'] or '')}"
            f" ({healing['tried']} so far)"
        )
    return lines + _sensor_lines(said)


def _usb_lines(said: Mapping[str, Any] | None) -> list[str]:
    """What is the matter with a hub's USB and its devices; nothing where all is well."""
    if said is None:
        return []
    lines = [] if said["usable"] else [f"{_MARGIN}its USB does not work: {one_line(said['words'])}"]
    return lines + _sensor_lines(said)


def _sensor_lines(said: Mapping[str, Any]) -> list[str]:
    lines = [
        f"{_MARGIN}{one_line(sensor['address'])}: {one_line(sensor['words'])}"
        for sensor in said["sensors_in_trouble"]
    ]
    if said["not_listed"]:
        lines.append(f"{_MARGIN}and {said['not_listed']} more sensor(s) in trouble")
    return lines


def _alert_lines(alert: HeardAlert, when: str) -> list[str]:
    test = " (test data)" if alert.test_data else ""
    lines = [f"{when}  ALERT {alert.change.value.replace('_', ' ')}{test}: {alert.words}"]
    match alert.change:
        case AlertChange.RAISED:
            lines.append(f"{_MARGIN}measured: {_measured_words(alert.assessment)}")
            lines.append(f"{_MARGIN}respond: {alert.response}; risk {_risk_words(alert.assessment)}")
        case AlertChange.ESCALATED:
            lines.append(f"{_MARGIN}nobody has acknowledged it: tell {alert.tell}")
        case AlertChange.ACKNOWLEDGED if alert.acknowledged is not None:
            said = alert.acknowledged
            lines.append(f"{_MARGIN}by {said.by}, {said.after_seconds:.1f} s after it was raised")
        case AlertChange.RESOLVED if alert.resolution is not None:
            lines.append(f"{_MARGIN}{alert.resolution.value}")
        case _:
            pass
    return lines


def _resident_summary_lines(summary: HeardSummary, when: str) -> list[str]:
    least = "" if summary.highest_is_complete else "at least "
    highest = "no score"
    if summary.highest_news2 is not None and summary.highest_at is not None:
        highest = f"highest NEWS2 {least}{summary.highest_news2} at {_hour(summary.highest_at)}"
    numbers = summary.numbers
    lines = [
        f"{when}  summary  {summary.resident}, {_period(summary.since, summary.until)}: {highest};"
        f" sets done {numbers['sets-done']:g} of {numbers['sets-due']:g} due",
        *(f"{_MARGIN}{_statistics(vital.value, said)}" for vital, said in summary.vitals.items()),
    ]
    if summary.pulse is not None:
        lines.append(f"{_MARGIN}rhythm (shadow): {one_line(summary.pulse.words)}")
    if any(numbers[name] for name in ("alerts-raised", "alerts-acknowledged", "alerts-waiting")):
        lines.append(
            f"{_MARGIN}alerts: {numbers['alerts-raised']:g} raised, {numbers['alerts-acknowledged']:g}"
            f" acknowledged{_waits(numbers.get('median-wait'), numbers.get('longest-wait'))},"
            f" {numbers['alerts-waiting']:g} waiting"
        )
    return lines


def _statistics(vital: str, said: Mapping[str, float]) -> str:
    """ "SpO2 94 % (91 to 97), 1.5 lower than before, 40 s below 90; 12 measured".

    Of a stream there may be a range, and nothing that was observed.
    """
    if "minimum" not in said:
        return f"{vital_words(vital, '')}: {said['count']:g} measured"
    below = "".join(
        f", {seconds:.0f} s below {name.removeprefix(_BELOW)}"
        for name, seconds in said.items()
        if name.startswith(_BELOW) and seconds
    )
    lowest, highest = said["minimum"], said["maximum"]
    if "median" not in said:
        return f"{vital_words(vital, f'{lowest:g} to {highest:g}')}{below}; never observed"
    range_words = f" ({lowest:g} to {highest:g})" if said["count"] > 1 or lowest != highest else ""
    change = said.get("median-change", 0.0)
    moved = f", {abs(change):g} {'higher' if change > 0 else 'lower'} than before" if change else ""
    return f"{vital_words(vital, said['median'])}{range_words}{moved}{below}; {said['count']:g} measured"


def _hub_summary_lines(said: HubSummaryData, when: str) -> list[str]:
    readings, alerts, residents = said.readings, said.alerts, said.residents
    lines = [
        f"{when}  summary  {said.hub} at {said.site}{_test_data(said.test_data)},"
        f" {_period(said.period.since, said.period.until)}: {readings.received} readings,"
        f" {readings.unassigned} of nobody yet, {readings.not_decoded} not decoded",
        f"{_MARGIN}alerts: {alerts.raised} raised, {alerts.acknowledged} acknowledged"
        f"{_waits(alerts.median_wait_seconds, alerts.longest_wait_seconds)}, {alerts.waiting} waiting",
        f"{_MARGIN}residents: {residents.count}, not observed"
        f" {len(residents.unobserved) + residents.not_listed}",
    ]
    for device in said.devices[:_MOST_DEVICES]:
        heard = "not heard in 7 days"
        if device.last_heard is not None:
            heard = f"last heard {_day_and_hour(device.last_heard)}"
        battery = "" if device.battery is None else f", battery {device.battery} %"
        lines.append(
            f"{_MARGIN}{device.address} ({device.driver}): {device.readings} readings,"
            f" {device.not_decoded} not decoded; {heard}{battery}"
        )
    if more := len(said.devices[_MOST_DEVICES:]) + said.devices_not_listed:
        lines.append(f"{_MARGIN}and {more} more sensor(s)")
    lines.append(
        f"{_MARGIN}waiting for the broker: {said.outbox.waiting}, refused by it: {said.outbox.set_aside};"
        f" clock {said.clock.value.replace('_', ' ')}"
    )
    return lines


def _waits(median_seconds: float | None, longest_seconds: float | None) -> str:
    if median_seconds is None or longest_seconds is None:
        return ""
    return f" (after {median_seconds / 60:.1f} min, at the longest {longest_seconds / 60:.1f} min)"


def _period(since: datetime, until: datetime) -> str:
    return f"{_day_and_hour(since)} to {_day_and_hour(until)}"


def _day_and_hour(moment: datetime) -> str:
    return moment.astimezone().strftime("%d %b %H:%M")


def _uncommitted_lines(event: Event) -> list[str]:
    if event.extensions.get(COMMITTED) != "false":
        return []
    yet = "; an acknowledgement waits in its memory" if event.type in CALLING else ""
    return [f"{_MARGIN}not stored on the hub: its card takes nothing{yet}"]


def _reading_line(reading: HeardReading) -> str:
    said = reading.problem or measurements_words([each.said for each in reading.measurements])
    return f"{_hour(reading.received_at)}  reading  {reading.resident or 'nobody yet'}: {said}"


def _measured_words(assessment: HeardAssessment) -> str:
    return measurements_words([each.said for each in assessment.observations.values()])


def _risk_words(assessment: HeardAssessment) -> str:
    risk = assessment.risk
    if risk is None:
        return risk_words(None)
    reasons = None if risk.reasons is None else [risk.reasons]
    return risk_words(
        {"probability": risk.probability, "uncalibrated": risk.uncalibrated, "reasons": reasons}
    )


def _hour(moment: datetime) -> str:
    return moment.astimezone().strftime("%H:%M:%S")


def _test(data: Mapping[str, Any]) -> str:
    return _test_data(bool(data.get("test_data")))


def _test_data(is_so: bool) -> str:
    return " (test data)" if is_so else ""
