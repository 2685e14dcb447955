"""What was seen during the demonstration, and whether it is what should have happened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any, Generic, TypeVar
from uuid import UUID

from hub.assessment.news2 import Band
from hub.demo.stage import ILL, SHARED_OXIMETER, WELL
from hub.uplink.cloudevents import Event
from hub.uplink.contract import AlertChange
from hub.uplink.heard import (
    HeardAlert,
    HeardObservation,
    HeardReading,
    alert_heard,
    observation_heard,
    readings_heard,
)


@dataclass(frozen=True, slots=True)
class Sent:
    """A payload that a virtual sensor sent, and when (monotonic seconds)."""

    device: str
    payload: str
    monotonic: float


_Heard = TypeVar("_Heard")


@dataclass(frozen=True, slots=True)
class Seen(Generic[_Heard]):
    """What the subscriber heard, and when: in monotonic seconds, and by the clock on the wall (aware)."""

    monotonic: float
    received_at: datetime
    heard: _Heard


@dataclass(slots=True)
class Record:
    """The demonstration as the subscriber saw it: each event once, however often it came."""

    readings: list[Seen[HeardReading]] = field(default_factory=list)
    observations: list[Seen[HeardObservation]] = field(default_factory=list)
    alerts: list[Seen[HeardAlert]] = field(default_factory=list)
    broker_stopped: float | None = None
    broker_started: float | None = None
    _known: set[str] = field(default_factory=set)

    def add(self, event: Event, monotonic: float, received_at: datetime) -> None:
        """Note an event that was received. Raises `HeardError` if it is not as a hub sends it."""
        if event.id in self._known:
            return
        match kind_of(event).split("."):
            case ["reading"]:
                self.readings += [Seen(monotonic, received_at, each) for each in readings_heard(event)]
            case ["observation"]:
                self.observations.append(Seen(monotonic, received_at, observation_heard(event)))
            case ["alert", _]:
                self.alerts.append(Seen(monotonic, received_at, alert_heard(event)))
            case _:
                pass
        self._known.add(event.id)

    def told(self, change: AlertChange, band: Band | None = None) -> list[Seen[HeardAlert]]:
        """What was told of alerts: of this change, and of this band where one is given."""
        return [
            seen for seen in self.alerts if seen.heard.change is change and band in (None, seen.heard.band)
        ]


def kind_of(event: Event) -> str:
    """The event's type without the programme and the version: "alert.raised"."""
    return event.type.removeprefix("uk.careport.").removesuffix(".v1")


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from a sensor's last byte to the subscriber."""

    what: str
    milliseconds: Sequence[float]

    @property
    def words(self) -> str:
        """The median and the longest."""
        if not self.milliseconds:
            return f"{self.what}: none"
        return (
            f"{self.what}: median {median(self.milliseconds):.0f} ms, "
            f"longest {max(self.milliseconds):.0f} ms (of {len(self.milliseconds)})"
        )


def latencies(record: Record, sent: Iterable[Sent]) -> dict[str, Latency]:
    """From the sensor's last byte to the subscriber: readings and alerts, apart from what met the outage."""
    sent_at = {(each.device, each.payload): each.monotonic for each in sent}
    began: dict[UUID, float] = {}
    found: dict[str, list[float]] = {"reading": [], "alert": [], "during the outage": []}
    for seen in record.readings:
        start = sent_at.get((seen.heard.device or "", seen.heard.payload or ""))
        if start is not None:
            began[seen.heard.reading] = start
            what = "during the outage" if _met_outage(record, start) else "reading"
            found[what].append((seen.monotonic - start) * 1000)
    for raised in record.told(AlertChange.RAISED):
        start = began.get(raised.heard.assessment.reading)
        if start is not None and not _met_outage(record, start):
            found["alert"].append((raised.monotonic - start) * 1000)
    return {what: Latency(what, milliseconds) for what, milliseconds in found.items()}


def _met_outage(record: Record, start: float) -> bool:
    if record.broker_stopped is None or record.broker_started is None:
        return False
    return record.broker_stopped - 0.5 <= start <= record.broker_started


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that had to happen, and whether it did."""

    what: str
    happened: bool


def checks(record: Record, sent: Sequence[Sent], kept: Sequence[Mapping[str, Any]]) -> list[Check]:
    """What had to happen. `kept` is what the hub itself says of its alerts (`carehub alerts --all`)."""
    readings = [seen.heard for seen in record.readings]
    told = [
        (each.device, each.payload or "") for each in readings if each.device not in (None, SHARED_OXIMETER)
    ]
    shared = [each.resident for each in readings if each.device == SHARED_OXIMETER]
    scores = [seen.heard.assessment.news2 for seen in record.observations]
    risks = [seen.heard.assessment.risk for seen in record.observations]
    raised = record.told(AlertChange.RAISED)
    bands = [seen.heard.band for seen in raised]
    acknowledged = record.told(AlertChange.ACKNOWLEDGED)
    high = record.told(AlertChange.RAISED, Band.HIGH)
    outage = record.broker_stopped is not None and record.broker_started is not None
    return [
        Check(
            "every payload of every sensor on Bluetooth reached the subscriber, each once",
            bool(sent) and sorted(told) == sorted((each.device, each.payload) for each in sent),
        ),
        Check(
            "a complete NEWS2 was told, and a partial one that says what is missing",
            any(score.complete for score in scores) and any(score.missing for score in scores),
        ),
        Check(
            "the model's risk was told beside the score, as a shadow",
            bool(risks) and all(risk is not None and risk.mode == "shadow" for risk in risks),
        ),
        Check("a cuff that failed gave no number", any(failed(each) for each in readings)),
        Check(
            "a truncated payload was kept with the reason and scored as nothing",
            any(each.problem and not each.measurements for each in readings),
        ),
        Check(
            "one alert for each band that was reached (medium, then high), and no more",
            bands == [Band.MEDIUM, Band.HIGH],
        ),
        Check(
            "no alert for the resident who is well",
            {seen.heard.resident for seen in raised} == {ILL}
            and any(each.resident == WELL for each in readings),
        ),
        Check(
            "the shared oximeter on USB was nobody's, and then the resident's whose wristband was scanned",
            set(shared) == {None, WELL},
        ),
        Check(
            "the high alert was raised while the broker was down, and arrived when it was back",
            outage and bool(high) and _waited_for_the_broker(record, high[0]),
        ),
        Check(
            "the ICS acknowledged both, and the hub told that it knows",
            len(acknowledged) == len(bands) == 2,
        ),
        Check(
            "the hub's own record says who acknowledged, and when",
            len(kept) == 2
            and all(
                alert["acknowledged_by"] and alert["acknowledged_at"] and alert["acknowledged_via"] == "ics"
                for alert in kept
            ),
        ),
    ]


def failed(reading: HeardReading) -> bool:
    """Whether a reading says that its sensor measured and got nothing."""
    return bool(reading.measurements) and all(each.value is None for each in reading.measurements)


def _waited_for_the_broker(record: Record, high: Seen[HeardAlert]) -> bool:
    assert record.broker_started is not None
    waited = (high.received_at - high.heard.raised_at).total_seconds()
    return high.monotonic > record.broker_started > high.monotonic - waited
