"""Summaries on their schedule: what `hub/telling/summary.py` makes of the card, told each time that is set
for it.

A summary that was missed, since the hub was off, is told when it is back: one, from where the last one ended
to the newest time that it was due at, a week at the most. Which ends were told is kept by their moments and
not as "until when", so that a wall clock that was wrong for a while, by days or years, neither has one told
twice nor silences those that come when it is right again: what lies in the future of a synchronised clock is
forgotten.

A card that is asked about weeks takes a while: it is read beside the writer, on a thread and a connection of
its own, row by row.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

from drivers.catalogue import DRIVERS
from hub.alerts.book import UnreadableAlertError, alert_of
from hub.alerts.life import Alert
from hub.assessment.news2 import Band
from hub.clock import ClockQuality, from_microseconds, now, stamp, to_microseconds
from hub.configuration.file import Config
from hub.residents.listed import residents_of
from hub.running import progress
from hub.sensors.enrolment import enrolled_sensors
from hub.sensors.fitting import is_reader
from hub.shadow.record import ShadowTally
from hub.shadow.watch import watched
from hub.store import audit
from hub.store.database import open_for_reading
from hub.store.encoding import stretch_of
from hub.store.queries import NOT_DECODED, OF_NOBODY_YET, outbox_size
from hub.store.retention import removed
from hub.store.rows import SELECT_ALERT, SELECT_ASSESSMENT, AlertRow, AssessmentRow, fact_of
from hub.store.sensors import information
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from hub.stretch import Stretch
from hub.telling.irregular_pulse import pulses_or_none
from hub.telling.summary import DeviceSummary, HubState, HubSummary, Period, ResidentSummary, Tally, of_alerts
from hub.trail import Audited
from hub.uplink.cloudevents import Event, to_json
from hub.uplink.contract import Channel

LONGEST = timedelta(days=7)
"""How long a period may be, and how far back it is looked for a sensor that was not heard in it."""

_TOLD = "summaries told"  # the fact that has the ends of the last ones that were told
_REMEMBERED = 100
_LOOKS_EVERY_SECONDS = 30.0
_TURN_WITHIN_SECONDS = 600.0  # a week of a large home, on a slow card
_STRAYS = 5_000  # readings in a row whose times lie before the period: then all that is older does
_LOOKED_BACK = 5_000  # assessments of a resident, for the newest that is of a score
_log = logging.getLogger(__name__)

Tell = Callable[[HubSummary, Sequence[ResidentSummary]], Sequence[Event]]
"""Makes the events of a period."""


class Summaries:
    """Tells the summaries that are due. `tell` makes their events."""

    def __init__(self, config: Config, path: Path, writer: Writer, tell: Tell) -> None:
        self._config = config
        self._path = path
        self._writer = writer
        self._tell = tell
        self._zone = ZoneInfo(config.site.timezone)

    async def run(self) -> None:
        """Look now and then whether one is due, until cancelled."""
        while True:
            progress.turn(_TURN_WITHIN_SECONDS)
            await self.tell_if_due(now(), believed=stamp().quality is ClockQuality.SYNCHRONISED)
            await asyncio.sleep(_LOOKS_EVERY_SECONDS)

    async def tell_if_due(self, moment: datetime, *, believed: bool) -> bool:
        """Tell the summary that is due, if one is; return whether one was.

        Args:
            moment: what time it is.
            believed: whether the clock that says so is synchronised.

        Raises:
            StoreError: the database cannot be read, or takes nothing; it is due still.
        """
        until = last_due(self._config.summary.at, moment, self._zone)
        told = await asyncio.to_thread(self._told)
        if believed and any(each > moment for each in told):
            told = [each for each in told if each <= moment]
            await self._writer.write(lambda transaction: _note(transaction, told))
        since = max((each for each in told if each <= until), default=None)
        if since == until:
            return False
        told = [*told, until][-_REMEMBERED:]
        if since is None:  # of what was before, nothing is known: the first summary begins here
            await self._writer.write(lambda transaction: _note(transaction, told))
            return False
        period = Period(max(since, until - LONGEST), until)
        hub, residents = await asyncio.to_thread(self._read, period)
        events = self._tell(hub, residents)
        await self._writer.write(lambda transaction: _enqueue(transaction, events, told))
        _log.info("summary of %s to %s: %d event(s)", period.since, period.until, len(events))
        return True

    def _told(self) -> list[datetime]:
        """The ends of the last summaries that were told, in the order of telling; none if unreadable."""
        with closing(open_for_reading(self._path)) as connection:
            told = fact_of(connection, _TOLD)
        try:
            return [from_microseconds(int(each)) for each in told.split()] if told else []
        except (ValueError, OverflowError):
            return []

    def _read(self, period: Period) -> tuple[HubSummary, list[ResidentSummary]]:
        with closing(open_for_reading(self._path)) as connection:
            return read(connection, self._config, period)


def last_due(times: Sequence[time], moment: datetime, zone: ZoneInfo) -> datetime:
    """The newest moment, not after `moment`, at which the clock on the wall showed one of the times.

    Where it shows one twice, in the night in which it is set back, that is the first of them; where it does
    not show it, in the night in which it is set ahead, as if it had not yet been set.
    """
    day = moment.astimezone(zone).date()
    return max(
        each
        for days in (0, 1, 2)
        for at in times
        if (each := datetime.combine(day - timedelta(days=days), at, zone).astimezone(UTC)) <= moment
    )


def read(
    connection: sqlite3.Connection, config: Config, period: Period
) -> tuple[HubSummary, list[ResidentSummary]]:
    """The summaries of a period, from what the store keeps."""
    first = first_reading(connection, period.before.since)
    here = [each.resident.id for each in residents_of(config, connection) if each.care.watched]
    tallies = {resident: Tally(resident, period) for resident in here}
    shadow, found_of_model = ShadowTally(), watched(connection)
    for row in _assessments(connection, tallies, first):
        tallies[row.resident].add(row)
        shadow.add(row.resident, row.at, row.would_alert)
    for resident, at, stretch in _stretches(connection, first):
        if resident in tallies:
            tallies[resident].add_stretch(at, stretch)
    alerts, escalated = list(_alerts(connection, period)), _escalated(connection, period)
    found = pulses_or_none(connection, period, first)
    residents = [
        tally.summary(
            of_alerts((each for each in alerts if each.resident == resident), period, escalated),
            found.get(resident),
        )
        for resident, tally in tallies.items()
    ]
    readings, unassigned, not_decoded = connection.execute(
        f"SELECT count(*), total({OF_NOBODY_YET}), total({NOT_DECODED})"
        " FROM reading WHERE sequence >= ? AND received_at >= ? AND received_at < ?",
        (first, *_bounds(period)),
    ).fetchone()
    waiting, set_aside = outbox_size(connection)
    hub = HubSummary(
        period=period,
        readings=int(readings),
        unassigned=int(unassigned),
        not_decoded=int(not_decoded),
        devices=tuple(_devices(connection, config, period)),
        alerts=of_alerts(alerts, period, escalated),
        residents=len(residents),
        unobserved=tuple(each.resident for each in residents if not each.sets),
        state=HubState(
            waiting,
            set_aside,
            removed(connection),
            str(audit.head(connection)),
            stamp().quality,
            None if found_of_model is None or not found_of_model.inputs else found_of_model.differing,
            () if found_of_model is None else found_of_model.changed,
        ),
        shadow=shadow.summary_or_none(period, alerts),
    )
    return hub, residents


def _note(transaction: Transaction, told: Sequence[datetime]) -> None:
    transaction.set_fact(_TOLD, " ".join(str(to_microseconds(each)) for each in told))


def _enqueue(transaction: Transaction, events: Sequence[Event], told: Sequence[datetime]) -> None:
    for event in events:
        transaction.tell(Channel.SUMMARY.priority, Channel.SUMMARY, to_json(event))
    _note(transaction, told)


def _bounds(period: Period) -> tuple[int, int]:
    return to_microseconds(period.since), to_microseconds(period.until)


def first_reading(connection: sqlite3.Connection, since: datetime) -> int:
    """A number below which no reading was received since then (aware).

    Nothing but the order of arrival is indexed; a time may be out of its order, since the clock was wrong.
    """
    bound, first, strays = to_microseconds(since), 1, 0
    for sequence, received_at in connection.execute(
        "SELECT sequence, received_at FROM reading ORDER BY sequence DESC"
    ):
        strays = strays + 1 if received_at < bound else 0
        if strays > _STRAYS:
            break
        first = sequence
    return int(first)


def _assessments(
    connection: sqlite3.Connection, tallies: dict[str, Tally], first_reading: int
) -> Iterator[AssessmentRow]:
    """Those that came of these readings, in their order; before them, of whom that does not say how the
    period began, the last one."""
    first = 1
    for sequence, reading in connection.execute(
        # Without those made anew of readings long before: see `hub/store/planner.py`.
        "SELECT sequence, reading FROM assessment WHERE at IS NULL ORDER BY sequence DESC"
    ):
        if reading < first_reading:
            first = sequence + 1
            break
    for resident in tallies:
        before = _readable(
            connection.execute(
                f"{SELECT_ASSESSMENT} WHERE a.sequence < ? AND a.resident = ?"
                " ORDER BY a.sequence DESC LIMIT ?",
                (first, resident, _LOOKED_BACK),
            )
        )
        yield from itertools.islice((row for row in before if row.is_of_a_score), 1)
    for row in _readable(
        connection.execute(f"{SELECT_ASSESSMENT} WHERE a.sequence >= ? ORDER BY a.sequence", (first,))
    ):
        if row.resident in tallies:
            yield row


def _stretches(connection: sqlite3.Connection, first: int) -> Iterator[tuple[str, datetime, Stretch]]:
    """Whose each stretch of a stream is, of these readings, and when it ended."""
    unreadable = 0
    for resident, received_at, text in connection.execute(
        "SELECT resident, received_at, stretch FROM reading"
        " WHERE sequence >= ? AND resident IS NOT NULL AND stretch IS NOT NULL",
        (first,),
    ):
        try:
            yield str(resident), from_microseconds(received_at), stretch_of(text)
        except (ValueError, TypeError, LookupError, OverflowError):
            unreadable += 1  # as below
    if unreadable:
        _log.error("%d stretch(es) on the card cannot be read, and are in no summary", unreadable)


def _readable(rows: sqlite3.Cursor) -> Iterator[AssessmentRow]:
    unreadable = 0
    for row in rows:
        try:
            made = AssessmentRow.of(row)
            Band(made.band)
        except (ValueError, TypeError, LookupError, OverflowError):
            unreadable += 1  # it must not keep all others from being summed up
        else:
            yield made
    if unreadable:
        _log.error("%d assessment(s) on the card cannot be read, and are in no summary", unreadable)


def _alerts(connection: sqlite3.Connection, period: Period) -> Iterator[Alert]:
    """Those that may bear upon a period: also one that had ended and is acknowledged late."""
    rows = connection.execute(
        f"{SELECT_ALERT} WHERE raised_at < ?1 AND coalesce(resolved_at, ?1) >= ?2",
        (to_microseconds(period.until), to_microseconds(period.since - LONGEST)),
    )
    for row in rows:
        try:
            yield alert_of(AlertRow.of(row))
        except (UnreadableAlertError, ValueError, TypeError, OverflowError) as error:
            words = str(error) if isinstance(error, UnreadableAlertError) else type(error).__name__
            _log.error("an alert on the card is in no summary: %s", words)


def _escalated(connection: sqlite3.Connection, period: Period) -> set[UUID]:
    """The alerts that climbed their ladder, by the trail."""
    rows = connection.execute(
        "SELECT DISTINCT subject FROM audit WHERE what = ? AND at >= ? AND at < ?",
        (Audited.ESCALATED.value, *_bounds(period)),
    )
    return {UUID(bytes=subject) for (subject,) in rows if isinstance(subject, bytes) and len(subject) == 16}


def _devices(connection: sqlite3.Connection, config: Config, period: Period) -> Iterator[DeviceSummary]:
    """The sensors that are enrolled now, those that were not heard included. Readers of wristbands measure
    nothing, and are none."""
    since, until = _bounds(period)
    counted = {
        device: (int(count), int(not_decoded), from_microseconds(last))
        for device, count, not_decoded, last in connection.execute(
            "SELECT s.device, total(r.received_at >= ?1),"
            f" total(r.received_at >= ?1 AND {NOT_DECODED}), max(r.received_at)"
            " FROM reading r JOIN source s ON s.number = r.source"
            " WHERE r.sequence >= ?3 AND r.received_at < ?2 GROUP BY s.device",
            (since, until, first_reading(connection, period.until - LONGEST)),
        )
    }
    known = information(connection)
    for each in enrolled_sensors(config, connection):
        sensor = each.sensor
        if is_reader(DRIVERS.get(sensor.driver)):
            continue
        count, not_decoded, last = counted.get(sensor.address, (0, 0, None))
        said = known.get(sensor.address)
        battery = said.information.battery if said is not None else None
        yield DeviceSummary(sensor.address, sensor.driver, count, not_decoded, last, battery)
