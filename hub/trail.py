"""What is noted in the trail, and in which words. `hub/store/audit.py` keeps it.

Each function makes an entry; the caller appends it in the transaction that does what it tells of. Names (a
carer's, as they gave it) and notes may stand in an entry: it stays on the card. Nothing of it goes into a
log or off the hub but the trail's head, a number and a hash.

Not noted: who looks. `carehub readings` and its like open the file themselves, and whoever may do that, the
hub's user and root, could also write it; the head that others were told is what holds against them.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from hub import __version__
from hub.alerts.concern import concern_of
from hub.clock import ClockStamp, now, stamp
from hub.configuration.file import Config, Sensor
from hub.configuration.settings import Settings, changed, configuration_hash, files, settings
from hub.store import audit, people, rows
from hub.store import sensors as sensor_rows
from hub.store.audit import AuditEntry, AuditError, NewEntry

if TYPE_CHECKING:
    from hub.assessment.deterioration import DeteriorationModel
    from hub.control.local_socket import Peer
    from hub.readings import Reading

_LONGEST_WORDS = 300
_LOOKING = frozenset(
    {"status", "progress", "prove", "scan", "sensors", "rounds", "note_sign_in", "may_update"}
)
"""What the control socket answers without touching anything, or by an entry of its own; 'carehub doctor' may
ask it every minute, and the staff page every few seconds."""


class Audited(StrEnum):
    """What is noted. Released words are never changed: they are in the chain."""

    BEGUN = "trail begun"
    TRIMMED = audit.TRIMMED
    STARTED = "hub started"
    STOPPED = "hub stopped"
    CONFIGURATION = "configuration changed"
    MODEL = "model changed"
    SOFTWARE = "software changed"
    RAISED = "alert raised"
    DELIVERED = "alert delivered"
    ESCALATED = "alert escalated"
    ACKNOWLEDGED = "alert acknowledged"
    ACKNOWLEDGED_AGAIN = "alert acknowledged again"
    STEPPED_DOWN = "alert stepped down"
    RESOLVED = "alert resolved"
    CONCERN_SAID = "concern said"
    CONCERN_SETTLED = "concern settled"
    UNREADABLE = "alert closed, since it could not be read"
    REFUSED = "acknowledgement refused"
    ENTERED = "entered by hand"
    ACCESS = "administrative access"
    CLOCK_SET = "clock set"
    TIMES_CORRECTED = "times corrected"
    SALVAGED = "database salvaged"
    RETENTION = "retention ran"
    ENROLLED = sensor_rows.ENROLLED
    FORGOTTEN = sensor_rows.FORGOTTEN
    ROUND_OPENED = "round opened"
    ROUND_CLOSED = "round closed"
    ALERT_CORRECTED = "alert corrected"
    ASSIGNED = "reading assigned"
    DISCARDED = "reading discarded"
    CORRECTED = rows.CORRECTED
    REBOOT = "reboot asked for"
    UPDATE_ASKED = "update asked for"
    UPDATE_ENDED = "update ended"
    CARD_FULL = "card not writable"
    CARD_WRITABLE = "card writable again"
    SHADOW_THRESHOLD = "shadow threshold set"
    RECALIBRATED = "recalibration changed"
    STAFF_ENTERED = "staff entered"
    STAFF_CHANGED = "staff changed"
    STAFF_REMOVED = "staff removed"
    SIGNED_IN = "signed in"
    SIGNED_OUT = "signed out"
    SIGN_IN_REFUSED = "sign-in refused"
    LOCKED_OUT = "locked out"
    UNLOCKED = "unlocked"
    RESIDENT_ENTERED = people.ENTERED
    RESIDENT_CHANGED = people.CHANGED
    RESIDENT_OF_THE_FILE = people.OF_THE_FILE
    RESIDENT_CARE = people.CARE


@dataclass(frozen=True, slots=True)
class Moment:
    """When: by the wall clock (aware), and without it."""

    at: datetime
    stamp: ClockStamp

    @classmethod
    def present(cls) -> Self:
        """Now."""
        return cls(now(), stamp())


@dataclass(frozen=True, slots=True)
class ModelInUse:
    """The model that the hub runs, and how ("shadow")."""

    name: str
    version: str
    sha256: str
    mode: str

    @classmethod
    def of(cls, model: DeteriorationModel | None, mode: str) -> Self | None:
        """None where there is no model."""
        return cls(model.name, model.version, model.sha256, mode) if model is not None else None

    @property
    def detail(self) -> Mapping[str, str]:
        """As it is noted."""
        return {"name": self.name, "version": self.version, "sha256": self.sha256, "mode": self.mode}


@dataclass(frozen=True, slots=True)
class Previous:
    """What the trail says of the time before this start; None where it says nothing."""

    last: AuditEntry | None = None
    started: AuditEntry | None = None
    configuration: AuditEntry | None = None

    @classmethod
    def read(cls, connection: sqlite3.Connection) -> Self:
        """From the trail. What cannot be read there counts as not there: the hub must start."""

        def newest(what: Audited | None) -> AuditEntry | None:
            try:
                return audit.newest(connection, what)
            except AuditError:
                return None

        return cls(newest(None), newest(Audited.STARTED), newest(Audited.CONFIGURATION))


def begin(
    connection: sqlite3.Connection, moment: Moment, config: Config, model: DeteriorationModel | None
) -> Sequence[AuditEntry]:
    """Note, within the open transaction, that the hub started, and all that has changed since it last did."""
    made = hub_started(
        moment,
        config,
        files(config),
        ModelInUse.of(model, config.model.mode),
        __version__,
        Previous.read(connection),
        new=not audit.knows(connection, Audited.BEGUN, Audited.TRIMMED),
    )
    return [audit.append(connection, entry) for entry in made]


def hub_started(
    moment: Moment,
    config: Config,
    states: Mapping[str, str],
    model: ModelInUse | None,
    version: str,
    previous: Previous,
    *,
    new: bool,
) -> Sequence[NewEntry]:
    """That the hub started; before it, what begins the trail if it is new; after it, what has changed.

    Args:
        states: of the files that the configuration names (`hub.configuration.settings.files`).
        version: of the software.
        new: whether the trail has not been begun yet; what a migration brought from before may be in it.
    """
    made = []
    if new:
        identity = {"site": config.site.id, "hub": config.hub.id, "software": version}
        made.append(_entry(moment, Audited.BEGUN, {**identity, "test_data": config.site.test_data}))
    current = settings(config)
    fingerprint = configuration_hash(current)
    running = model.detail if model is not None else None
    stopped = None if previous.last is None else previous.last.what == Audited.STOPPED
    made.append(
        _entry(
            moment,
            Audited.STARTED,
            {
                "software": version,
                "configuration": fingerprint,
                "model": running,
                # False: a power cut, a kill, or a fault; None: there is nothing to tell it by
                "stopped_in_order_before": stopped,
            },
        )
    )
    before = previous.configuration.detail if previous.configuration is not None else {}
    differs = changed(before, current, states)
    if differs or previous.configuration is None:
        detail = {
            "hash": fingerprint,
            "changed": differs if previous.configuration is not None else None,
            "settings": current,
            "files": states,
        }
        made.append(_entry(moment, Audited.CONFIGURATION, detail))
    if previous.started is not None:
        said = previous.started.detail
        if said.get("software") != version:
            made.append(_entry(moment, Audited.SOFTWARE, {"from": said.get("software"), "to": version}))
        if said.get("model") != running:
            made.append(_entry(moment, Audited.MODEL, {"from": said.get("model"), "to": running}))
    return made


def hub_stopped(moment: Moment) -> NewEntry:
    """The hub was stopped in order."""
    return _entry(moment, Audited.STOPPED, {})


def alert(what: Audited, alert_id: uuid.UUID, moment: Moment, detail: Mapping[str, object]) -> NewEntry:
    """Something happened to an alert; `detail` is whatever its history should say, without what is None."""
    return _entry(moment, what, {key: said for key, said in detail.items() if said is not None}, alert_id)


def acknowledgement_refused(
    moment: Moment, words: str, via: str, alert_id: uuid.UUID | None = None, unnoted: int = 0
) -> NewEntry:
    """An acknowledgement changed nothing: its alert is not known here, or it is malformed.

    Whoever may send can send for ever: note them within an allowance (`hub/control/allowance.py`), and with
    the next one how many were not (`unnoted`).
    """
    detail: dict[str, object] = {"words": words[:_LONGEST_WORDS], "via": via}
    if unnoted:
        detail["unnoted_before"] = unnoted
    return _entry(moment, Audited.REFUSED, detail, alert_id)


def entered_by_hand(moment: Moment, reading: Reading, resident: str, by: str) -> NewEntry:
    """A person entered what they saw of a resident (a pseudonym); the values are the reading's."""
    vitals = sorted(measurement.vital.value for measurement in reading.measurements)
    detail: dict[str, object] = {"resident": resident, "vitals": vitals, "by": by}
    if concern_of(reading) is not None:
        detail["concern"] = True
    return _entry(moment, Audited.ENTERED, detail, reading.id)


def sensor_enrolled(moment: Moment, sensor: Sensor, by: str, configuration: Settings) -> NewEntry:
    """A person enrolled a sensor; `configuration` is what holds from now on. Whether there is a passkey is
    noted, and not which; the label may name somebody, and is left out."""
    said = sensor.model_dump(mode="json", exclude_none=True, exclude={"label", "passkey"})
    detail = {**said, "passkey": sensor.passkey is not None, "by": by}
    return _entry(moment, Audited.ENROLLED, {**detail, "configuration": configuration_hash(configuration)})


def sensor_forgotten(
    moment: Moment, sensor: Sensor, since: datetime, by: str, configuration: Settings
) -> NewEntry:
    """A person took a sensor out again, whose readings were its resident's `since` then; `configuration` is
    what holds from now on."""
    said = sensor.model_dump(mode="json", exclude_none=True, include={"address", "driver", "resident"})
    detail = {
        **said,
        "since": since.isoformat(),
        "by": by,
        "configuration": configuration_hash(configuration),
    }
    return _entry(moment, Audited.FORGOTTEN, detail)


def round_opened(
    moment: Moment, resident: str, kit: str | None, reader: str | None, by: str | None = None
) -> NewEntry:
    """From now on what the shared sensors of a kit measure is this resident's (a pseudonym), whose wristband
    was scanned by the reader with that address, or for whom a person opened the round (`by`). What was
    scanned is not noted."""
    detail = {"resident": resident, "kit": kit, "reader": reader}
    return _entry(moment, Audited.ROUND_OPENED, detail if by is None else {**detail, "by": by})


def round_closed(
    moment: Moment, resident: str, kit: str | None, reader: str | None, why: str, by: str | None = None
) -> NewEntry:
    """From now on it is not. `reader` is the one that the round was opened by, `by` who closed it, where that
    was a person."""
    detail = {"resident": resident, "kit": kit, "reader": reader, "why": why}
    return _entry(moment, Audited.ROUND_CLOSED, detail if by is None else {**detail, "by": by})


def reboot_asked_for(moment: Moment, reason: str) -> NewEntry:
    """The hub is about to ask for its machine to be started anew."""
    return _entry(moment, Audited.REBOOT, {"reason": reason[:_LONGEST_WORDS]})


def update_asked_for(moment: Moment, release: str, manifest_sha256: str, source: str) -> NewEntry:
    """The centre asked for another release, and the machine's keeper is left to fetch and try it; `source` is
    who sent that, as the message has it."""
    detail = {"release": release, "manifest_sha256": manifest_sha256, "source": source[:_LONGEST_WORDS]}
    return _entry(moment, Audited.UPDATE_ASKED, detail)


def update_ended(moment: Moment, release: str, outcome: str, words: str) -> NewEntry:
    """How that ended, as it is told to the centre."""
    detail = {"release": release, "outcome": outcome, "words": words[:_LONGEST_WORDS]}
    return _entry(moment, Audited.UPDATE_ENDED, detail)


def access(moment: Moment, command: str, peer: Peer) -> NewEntry | None:
    """A command came over the control socket, from that user's process; None for one that only looks."""
    if command in _LOOKING:
        return None
    return _entry(moment, Audited.ACCESS, {"command": command, "uid": peer.uid, "pid": peer.pid})


def shadow_threshold(
    moment: Moment, value: float | None, basis: str, budget: float, model_sha256: str
) -> NewEntry:
    """From now on the model would have alerted from this risk on (None: from none), by `basis`, for a budget
    of alerts per 100 resident-days. It raises none."""
    detail = {"risk": value, "basis": basis, "budget": budget, "model": model_sha256}
    return _entry(moment, Audited.SHADOW_THRESHOLD, detail)


def recalibrated(connection: sqlite3.Connection, moment: Moment, model: DeteriorationModel) -> None:
    """Note, within the open transaction, which recalibration of the model is used from now on, or why none
    is; unless it is what was noted last."""
    try:
        last = audit.newest(connection, Audited.RECALIBRATED)
    except AuditError:
        last = None
    made, refused = model.recalibration, model.refused
    detail: dict[str, object] = {"model": model.sha256}
    if refused is not None:
        detail["refused"] = refused[:_LONGEST_WORDS]
    if made is not None:
        detail |= made.model_dump(mode="json", include={"slope", "intercept", "fitted_on", "at", "by"})
    if detail != (last.detail if last is not None else None) and (last is not None or len(detail) > 1):
        audit.append(connection, _entry(moment, Audited.RECALIBRATED, detail))


def clock_set(moment: Moment, kind: str, shift: timedelta) -> NewEntry:
    """The wall clock was set while the hub ran; `shift` is how far ahead, `kind` what that means."""
    return _entry(moment, Audited.CLOCK_SET, {"kind": kind, "shift_seconds": shift / timedelta(seconds=1)})


def times_corrected(moment: Moment, shift: timedelta, counts: Mapping[str, int]) -> NewEntry:
    """What was noted before the clock was set is told anew; `counts` says how many of what."""
    seconds = shift / timedelta(seconds=1)
    return _entry(moment, Audited.TIMES_CORRECTED, {"shift_seconds": seconds, "counts": dict(counts)})


def database_salvaged(
    moment: Moment, damage: str, set_aside: str, saved: Mapping[str, int], lost: Mapping[str, int | None]
) -> NewEntry:
    """The database was damaged; `saved` and `lost` (None: nobody knows how many) count rows by table.

    Args:
        damage: what SQLite says of it.
        set_aside: the name of the file that the damaged one is kept as.
    """
    words = damage[:_LONGEST_WORDS]
    detail = {"damage": words, "set_aside": set_aside, "saved": dict(saved), "lost": dict(lost)}
    return _entry(moment, Audited.SALVAGED, detail)


def retention_ran(moment: Moment, removed: Mapping[str, int], reason: str) -> NewEntry:
    """Old rows were removed, so many by table, because of `reason` ("age", "size"). The trail's own
    trimming is noted by `hub.store.audit.trim` itself."""
    return _entry(moment, Audited.RETENTION, {"removed": dict(removed), "reason": reason})


def card_writable(moment: Moment, since: Moment, reason: str) -> Sequence[NewEntry]:
    """The card took nothing (`reason`) since that moment, and does again: the two entries that could not
    be written until now. The first has the time when it happened."""
    waited = moment.stamp.since_boot - since.stamp.since_boot
    return [
        _entry(since, Audited.CARD_FULL, {"reason": reason[:_LONGEST_WORDS]}),
        _entry(moment, Audited.CARD_WRITABLE, {"after_seconds": waited / timedelta(seconds=1)}),
    ]


def _entry(
    moment: Moment, what: Audited, detail: Mapping[str, object], subject: uuid.UUID | None = None
) -> NewEntry:
    return NewEntry(moment.at, moment.stamp, what.value, subject, detail)
