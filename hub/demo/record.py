"""What was seen during the demonstration, and whether it is what should have happened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any

from hub.demo.stage import ILL, WELL


@dataclass(frozen=True, slots=True)
class Sent:
    """A payload that a virtual sensor sent, and when (monotonic seconds)."""

    device: str
    payload: str
    monotonic: float


@dataclass(frozen=True, slots=True)
class Seen:
    """An event that the subscriber received, and when (monotonic seconds)."""

    monotonic: float
    received_at: str
    event: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """The event's type without the programme and the version: "alert.raised"."""
        return str(self.event["type"]).removeprefix("uk.careport.").removesuffix(".v1")

    @property
    def data(self) -> Mapping[str, Any]:
        """The event's data."""
        data: Mapping[str, Any] = self.event["data"]
        return data


@dataclass(slots=True)
class Record:
    """The demonstration as the subscriber saw it."""

    seen: list[Seen] = field(default_factory=list)
    broker_stopped: float | None = None
    broker_started: float | None = None

    def of(self, kind: str, **data: object) -> list[Seen]:
        """What was seen of a kind, whose data has these values; each event once, however often it came."""
        first: dict[str, Seen] = {}
        for seen in self.seen:
            if seen.kind == kind and all(seen.data.get(key) == value for key, value in data.items()):
                first.setdefault(str(seen.event["id"]), seen)
        return list(first.values())


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
    began = {
        str(seen.event["id"]): sent_at[key]
        for seen in record.of("reading")
        if (key := (seen.data["device"], seen.data["payload"])) in sent_at
    }
    found: dict[str, list[float]] = {"reading": [], "alert": [], "during the outage": []}
    for seen in record.of("reading"):
        if (start := began.get(str(seen.event["id"]))) is not None:
            met_outage = _met_outage(record, start)
            found["during the outage" if met_outage else "reading"].append((seen.monotonic - start) * 1000)
    for seen in record.of("alert.raised"):
        start = began.get(str(seen.data["reading"]))
        if start is not None and not _met_outage(record, start):
            found["alert"].append((seen.monotonic - start) * 1000)
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
    readings = record.of("reading")
    told = [
        (seen.data["device"], seen.data["payload"]) for seen in readings if seen.data["device"] != "manual"
    ]
    scores = [seen.data["news2"] for seen in record.of("observation")]
    risks = [seen.data["risk"] for seen in record.of("observation")]
    raised = record.of("alert.raised")
    bands = [seen.data["band"] for seen in raised]
    acknowledged = record.of("alert.acknowledged")
    high = record.of("alert.raised", band="high")
    outage = record.broker_stopped is not None and record.broker_started is not None
    return [
        Check(
            "every payload of every sensor reached the subscriber, each as one event",
            bool(sent) and sorted(told) == sorted((each.device, each.payload) for each in sent),
        ),
        Check(
            "a complete NEWS2 was told, and a partial one that says what is missing",
            any(score["complete"] for score in scores) and any(score["missing"] for score in scores),
        ),
        Check(
            "the model's risk was told beside the score, as a shadow",
            bool(risks) and all(risk and risk["mode"] == "shadow" for risk in risks),
        ),
        Check("a cuff that failed gave no number", any(failed(seen) for seen in readings)),
        Check(
            "a truncated payload was kept with the reason and scored as nothing",
            any(seen.data["problem"] and not seen.data["measurements"] for seen in readings),
        ),
        Check(
            "one alert for each band that was reached (medium, then high), and no more",
            bands == ["medium", "high"],
        ),
        Check(
            "no alert for the resident who is well",
            {seen.data["resident"] for seen in raised} == {ILL} and bool(record.of("reading", resident=WELL)),
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


def failed(seen: Seen) -> bool:
    """Whether a reading says that its sensor measured and got nothing."""
    measurements = seen.data["measurements"]
    return bool(measurements) and all("absent" in measurement for measurement in measurements)


def _waited_for_the_broker(record: Record, high: Seen) -> bool:
    assert record.broker_started is not None
    raised_at = datetime.fromisoformat(high.data["raised_at"])
    waited = (datetime.fromisoformat(high.received_at) - raised_at).total_seconds()
    return high.monotonic > record.broker_started > high.monotonic - waited
