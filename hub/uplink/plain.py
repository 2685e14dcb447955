"""The data of the events that are plain JSON and not FHIR: about the hub and not about a person's health.

The hub makes its events with these models, a subscriber may read them with them (`heard.py`), and
`carehub contract` publishes their schemas: there is one definition of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from hub.clock import ClockQuality

Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[!-~]+( [!-~]+)*$")]
"""Of a release: plain characters."""
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]


class Said(BaseModel):
    """Plain data: what is not known to it is an error, and it is not changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def data(self) -> dict[str, Any]:
        """As JSON has it; what was not given is left out."""
        return self.model_dump(mode="json", exclude_unset=True)


class AnswerOutcome(StrEnum):
    """What became of a message on the `ack` topic, and by those that begin with UPDATE of one on the `update`
    topic. All but RECORDED, KEPT_IN_MEMORY, UPDATE_ACCEPTED and UPDATE_IN_FORCE changed nothing.

    KEPT_IN_MEMORY: it is of an alert that was told uncommitted. It is recorded as soon as the card takes the
    alert, and the alert's own event says so; a restart before then loses it.

    UPDATE_ACCEPTED is answered at once; when it has ended UPDATE_IN_FORCE follows, UPDATE_TAKEN_BACK (it did
    not prove itself, and the release before is in force again; that may come after UPDATE_IN_FORCE too, in
    its first ten minutes) or UPDATE_REFUSED, which can also be the first answer. The words say why, and what
    to do.
    """

    RECORDED = "recorded"
    KEPT_IN_MEMORY = "kept_in_memory"
    ALREADY_ACKNOWLEDGED = "already_acknowledged"
    UNKNOWN_ALERT = "unknown_alert"
    MALFORMED = "malformed"
    WRONG_TYPE = "wrong_type"
    NOT_RECORDED = "not_recorded"
    UPDATE_ACCEPTED = "update_accepted"
    UPDATE_REFUSED = "update_refused"
    UPDATE_IN_FORCE = "update_in_force"
    UPDATE_TAKEN_BACK = "update_taken_back"


class ModelSaid(Said):
    """A model that a hub runs; the hash is of its file.

    `recalibration` is what a site's makes of its risks: "refused" is one that cannot be used, so that the
    model's own are told (`carehub doctor` says why). Of a model that has none it is left out.
    """

    name: Text
    version: Text
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    recalibration: Literal["none", "applied", "refused"] | None = None


class ClockSaid(Said):
    """How far a hub's wall clock can be believed, in which boot of its machine, and how often it was set."""

    quality: ClockQuality
    boot: UUID
    steps: Count


class InputsSaid(Said):
    """What a hub's deterioration model is given, by the names of its inputs; "risk" is what it makes of them.

    Those that `differ` are much unlike what it was trained on (population stability index above 0.25), which
    a care home will be; those that `changed` are much unlike the home's own first month with the model.
    """

    differ: list[Text]
    changed: list[Text]


class AdapterSaid(Said):
    """A Bluetooth adapter as the hub's machine names it ("hci0"); `in_use` is the one that collects."""

    name: Text
    address: Text
    powered: bool
    in_use: bool


class HealingSaid(Said):
    """How a hub heals its radio: what ails it, null while it is well; the remedy that is being tried or was
    last tried, when, and what came of it, null where there was none; how many were tried since it started."""

    ails: Text | None
    remedy: Text | None
    tried_at: AwareDatetime | None
    outcome: Text | None
    tried: Count


class SensorInTrouble(Said):
    """An enrolled sensor from which nothing is collected, or whose readings are nobody's; and why."""

    address: Text
    words: Text


class RadioSaid(Said):
    """A hub's Bluetooth: whether it collects, and in words how it is. Where very many sensors are in trouble,
    `not_listed` says how many more there are."""

    usable: bool
    words: Text
    adapters: list[AdapterSaid]
    healing: HealingSaid
    sensors_in_trouble: list[SensorInTrouble]
    not_listed: Count


class UsbSaid(Said):
    """A hub's USB: whether it collects from what is plugged in, and in words how it is. That an enrolled
    device is not plugged in is no trouble. `not_listed` is as for the radio."""

    usable: bool
    words: Text
    sensors_in_trouble: list[SensorInTrouble]
    not_listed: Count


class ReleaseSaid(Said):
    """A release of the hub; `build` tells apart those of one version."""

    version: Text
    build: Text


class UpdateSaid(Said):
    """What became of a hub's last update, why in words, and when by its machine's clock.

    "rolled back": the new release did not prove itself, and the one it came from is in force again.
    "interrupted": it was cut off before it was judged, as a rule by a power cut, and taken back.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    outcome: Literal["kept", "rolled back", "interrupted"]
    from_: Annotated[ReleaseSaid, Field(alias="from")]
    to: ReleaseSaid
    why: Text
    at: AwareDatetime


class Status(Said):
    """How a hub is: retained, so that a new subscriber learns it; "lost" is its last will.

    `model` is that of deterioration. `card` is "well", or says in words what is wrong with the card that the
    hub stores on. `radio` and `usb` are told by a hub that is online and has them, and told anew when they
    change; so are the `inputs` of its model, once they were looked at, and what became of its last `update`,
    once there was one. `release` is left out by a hub that does not run from one.
    """

    site: Text
    hub: Text
    state: Literal["online", "offline", "lost"]
    test_data: bool
    version: Text | None = None
    model: ModelSaid | None = None
    rhythm_model: ModelSaid | None = None
    sensors: Count | None = None
    residents: Count | None = None
    card: Text | None = None
    clock: ClockSaid | None = None
    radio: RadioSaid | None = None
    usb: UsbSaid | None = None
    inputs: InputsSaid | None = None
    release: ReleaseSaid | None = None
    update: UpdateSaid | None = None


class UpdateAsked(Said):
    """The release that the centre wants in force: the SHA-256 of its bundle's manifest, as `carehub bundle`
    says it, and what it is called there. From where it is fetched the site says, and never a message."""

    manifest_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    version: Name
    build: Name


class Answered(Said):
    """The event that is answered."""

    id: Text
    source: Text


class Acknowledged(Said):
    """Who has acknowledged an alert, when, and by what way; "the home" stands for all who work there."""

    by: Text
    at: AwareDatetime
    via: Text | None


class Answer(Said):
    """What became of a message on the hub's `ack` or `update` topic. `answers` is null where it was no event,
    `alert` where it named none."""

    site: Text
    hub: Text
    outcome: AnswerOutcome
    words: Text
    at: AwareDatetime
    answers: Answered | None
    alert: UUID | None
    test_data: bool
    acknowledged: Acknowledged | None = None


class PeriodSaid(Said):
    """From `since`, up to and without `until`."""

    since: AwareDatetime
    until: AwareDatetime


class ReadingsSaid(Said):
    """How many readings came in, a stretch of a stream as one; of those, how many were nobody's, and how many
    could not be decoded."""

    received: Count
    unassigned: Count
    not_decoded: Count


class DeviceSaid(Said):
    """A sensor's period. `battery` is in percent, null where it is not known; `last_heard` is null where the
    sensor was not heard in the 7 days before the end of the period."""

    address: Text
    driver: Text
    readings: Count
    not_decoded: Count
    last_heard: AwareDatetime | None
    battery: Annotated[int, Field(ge=0, le=100)] | None


class AlertsSaid(Said):
    """What became of alerts in the period, whenever they were raised.

    `never_acknowledged` ended before anybody had acknowledged them; `waiting` had neither ended nor been
    acknowledged when the period ended. The waits are the time from the raising of an alert to its
    acknowledgement, of those that were acknowledged in the period; null where there are none.
    """

    raised: Count
    acknowledged: Count
    never_acknowledged: Count
    escalated: Count
    resolved: Count
    waiting: Count
    median_wait_seconds: Seconds | None
    longest_wait_seconds: Seconds | None


class ShadowSaid(Said):
    """What the model would have alerted in the period, had it been let: it raised none.

    `scored` sets got a risk. `would_alert` counts whoever came to be at or above the threshold of the hub's
    alert budget, once until they were below for 12 hours. Of the `news2_alerts` that were raised, `coincided`
    had one of these of the same resident within 12 hours before or after.
    """

    scored: Count
    would_alert: Count
    news2_alerts: Count
    coincided: Count


class ResidentsSaid(Said):
    """How many residents the hub knows, and by pseudonym those of whom nothing was measured, or nothing
    but weight and glucose.

    Where these are very many, `not_listed` says how many more there are.
    """

    count: Count
    unobserved: list[Text]
    not_listed: Count


class OutboxSaid(Said):
    """Events that wait for the broker, and those that it refused, when the summary was made."""

    waiting: Count
    set_aside: Count


class LinkSaid(Said):
    """The connection to the broker when the summary was made; `nobody_listens` to the alerts that wait."""

    connected: bool
    since: AwareDatetime
    nobody_listens: bool


class HubSummaryData(Said):
    """A hub's period, and how it was when the summary was made.

    `removed` is what retention has removed in the life of the hub's database, by its kind; `trail` is the
    head of its audit trail, COUNT:HASH, with which `carehub audit verify --head` proves that nothing that
    was noted until now was changed later. Where there are very many devices, `devices_not_listed` says how
    many more there are. `shadow` and `inputs` are left out where there is no model, or nothing to tell of it.
    """

    site: Text
    hub: Text
    test_data: bool
    period: PeriodSaid
    readings: ReadingsSaid
    devices: list[DeviceSaid]
    devices_not_listed: Count
    alerts: AlertsSaid
    residents: ResidentsSaid
    removed: Mapping[str, Count]
    trail: Annotated[str, Field(pattern="^[0-9]+:[0-9a-f]{64}$")]
    outbox: OutboxSaid
    link: LinkSaid
    clock: ClockQuality
    shadow: ShadowSaid | None = None
    inputs: InputsSaid | None = None
