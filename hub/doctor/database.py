"""What the doctor finds in the database: what waits, was refused, or was lost; alerts that nobody took."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

from hub.alerts.life import AlertState
from hub.clock import from_microseconds, now
from hub.configuration.file import Config
from hub.doctor.findings import Finding, Verdict
from hub.doctor.looking import WITH_RIGHTS, forbidden
from hub.errors import CareportError
from hub.store import audit
from hub.store.damage import damages
from hub.store.database import FILE_NAME, SCHEMA_VERSION, open_for_reading, schema_of
from hub.store.delivery import set_aside_of
from hub.store.encoding import event_text
from hub.store.queries import outbox_size
from hub.store.retention import removed
from hub.trail import Audited
from hub.uplink.contract import Channel

_QUIET = timedelta(days=1)
_LATE = timedelta(hours=1)
_ORDER = (1 << 48) - 1
"""Of an outbox row's number: its place in time; above it is its priority."""

_TABLE_OF_CHANNEL = {Channel.READING: ("reading", "received_at"), Channel.OBSERVATION: ("assessment", "at")}


def database(config: Config) -> list[Finding]:
    """Whether it can be read, and what is in it that somebody must know."""
    path = config.hub.data_directory / FILE_NAME
    if forbidden(path):
        return [Finding("database", Verdict.WARN, f"{path} may not be read by this user", WITH_RIGHTS)]
    try:
        connection = open_for_reading(path)
    except CareportError as error:
        return [Finding("database", Verdict.FAIL, str(error))]
    try:
        return _of(config, path, connection)
    except sqlite3.Error as error:
        words = f"{path}: cannot be read: {error}"
        todo = "start the hub anew: it saves what can be read; then see what is wrong with the card"
        return [Finding("database", Verdict.FAIL, words, todo)]
    finally:
        connection.close()


def _of(config: Config, path: Path, connection: sqlite3.Connection) -> list[Finding]:
    waiting, aside = outbox_size(connection)
    files = (path, path.with_name(f"{path.name}-wal"))
    size = sum(file.stat().st_size for file in files if file.exists())
    schema, _ = schema_of(connection)
    words = f"{size // 1024} KiB at {path}, schema {schema}; {waiting} event(s) wait for the broker"
    verdict, todo = Verdict.PASS, ""
    if schema > SCHEMA_VERSION:
        words = f"{words}; a newer hub wrote it, and this one ({SCHEMA_VERSION}) works with it"
    if size > config.store.largest * 1.1:
        verdict, todo = Verdict.WARN, "raise store.largest, or keep less: see [store] in hub.toml"
        words = f"{words}; it is larger than store.largest"
    return [
        Finding("database", verdict, words, todo),
        *_queue(connection, waiting),
        *_unseen(connection),
        *_retention(connection),
        *_damaged(connection, path),
        *_refused(connection, aside),
    ]


def _queue(connection: sqlite3.Connection, waiting: int) -> list[Finding]:
    if not waiting:
        return [Finding("queue", Verdict.PASS, "nothing waits for the broker")]
    oldest = oldest_waiting(connection)
    words = f"{waiting} event(s) wait for the broker"
    if oldest is None:
        return [Finding("queue", Verdict.PASS, words)]
    words += f", the oldest since {oldest:%Y-%m-%d %H:%M} UTC"
    if now() - oldest < _LATE:
        return [Finding("queue", Verdict.PASS, words)]
    return [Finding("queue", Verdict.WARN, words, "mend the link to the ICS; nothing of it is lost")]


def oldest_waiting(connection: sqlite3.Connection) -> datetime | None:
    """When what waits the longest for the broker came to be; None where nothing waits, or it is not known."""
    row = connection.execute(
        f"SELECT channel, event, first FROM outbox ORDER BY sequence & {_ORDER} LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    channel, event, first = row
    try:
        if event is not None:
            return datetime.fromisoformat(json.loads(event_text(event))["time"])
        table, column = _TABLE_OF_CHANNEL[Channel(channel)]
        (at,) = connection.execute(f"SELECT {column} FROM {table} WHERE sequence = ?", (first,)).fetchone()
        return from_microseconds(at)
    except (ValueError, LookupError, TypeError):  # damaged, or removed since
        return None


def _unseen(connection: sqlite3.Connection) -> list[Finding]:
    """How many alerts nobody has taken: a number, and nobody's name."""
    (count,) = connection.execute(
        "SELECT count(*) FROM alert WHERE resolved_at IS NULL AND state != ?",
        (AlertState.ACKNOWLEDGED.value,),
    ).fetchone()
    if not count:
        return [Finding("alerts", Verdict.PASS, "none waits for somebody to take it")]
    words = f"{count} wait(s) for somebody to take it"
    return [Finding("alerts", Verdict.WARN, words, "ask in the home whether somebody has seen to it")]


def _damaged(connection: sqlite3.Connection, path: Path) -> list[Finding]:
    findings = []
    for damage in damages(connection):
        # Until a person has looked, and taken the damaged file away.
        if not path.with_name(damage.file).exists():
            findings.append(Finding("damaged database", Verdict.PASS, damage.words))
            continue
        verdict = Verdict.FAIL if damage.alerts_may_be_lost else Verdict.WARN
        words = f"{damage.words}. Take {damage.file} away when that is done: then this passes"
        findings.append(Finding("damaged database", verdict, words))
    return findings


def _refused(connection: sqlite3.Connection, aside: int) -> list[Finding]:
    if not aside:
        return []
    words = f"{aside} event(s) were refused by the broker and set aside"
    alerts = set_aside_of(connection, Channel.ALERT)
    if not alerts:
        return [Finding("refused events", Verdict.WARN, words, "see table outbox_aside for why")]
    words = f"{words}; {alerts} of them tell of an ALERT, and the ICS does not have them"
    todo = (
        "see table outbox_aside for why, tell the ICS, and have the broker mended; they are sent again when"
        " the hub next connects to it"
    )
    return [Finding("refused events", Verdict.FAIL, words, todo)]


def _retention(connection: sqlite3.Connection) -> list[Finding]:
    """What left the card. What went for want of room went before its age."""
    counts = removed(connection)
    if not counts:
        return []
    words = "removed so far: " + ", ".join(f"{number} {what}" for what, number in sorted(counts.items()))
    verdict, todo = Verdict.PASS, ""
    ran = audit.newest(connection, Audited.RETENTION)
    if ran is not None:
        words += f"; last on {ran.at:%Y-%m-%d %H:%M} UTC because of their {ran.detail.get('reason')}"
        if ran.detail.get("reason") == "size" and now() - ran.at < _QUIET:
            verdict = Verdict.WARN
            words += "; there is no room for what [store] says to keep"
            todo = "make room, or raise store.largest"
    return [Finding("retention", verdict, words, todo)]
