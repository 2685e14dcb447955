"""The support bundle: what helps somebody elsewhere to understand a hub, and nothing of anybody in the home.

What goes in is chosen: findings, versions, keys of the configuration that are listed here, counts of tables,
kinds and times of the trail, the log of the hub's own units, what the machine says of disks and the kernel.
Then all of it is searched for every name, room, wristband and label that the hub knows; what is found is
replaced, and the bundle says where and how often.
"""

from __future__ import annotations

import io
import json
import os
import re
import sqlite3
import tarfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from time import monotonic

from hub.clock import from_microseconds, now
from hub.configuration.file import Config, ConfigError
from hub.doctor.configuration import usual
from hub.doctor.database import oldest_waiting
from hub.doctor.findings import Finding
from hub.doctor.looking import Subject, forbidden, said_by
from hub.doctor.personal_words import REPLACED, Words, words_of
from hub.doctor.services import HUB, PAGE, units
from hub.errors import CareportError
from hub.store.database import FILE_NAME, open_for_reading, schema_of
from hub.trail import Audited

_DAYS, _LINES = 3, 20_000
_LONGEST_TEXT = 8 << 20  # characters of one file: the newest stay
_KINDS = 200
_COUNTING_SECONDS = 20.0
_KEEPERS = tuple(
    f"carehub-{name}" for name in ("update.service", "settle.service", "probation.service", "fetch.service")
)
_OWN_UNITS = (HUB, PAGE, *_KEEPERS)
_STATE = "var/lib/carehub-keeper/state.json"
_SERIAL = re.compile(r"(\bserial(?: ?number|no)?(?:: |=))[^\s,]+", re.IGNORECASE)
_ADDRESS = re.compile(r"\b[0-9A-F]{2}(?:[:-][0-9A-F]{2}){5,}\b", re.IGNORECASE)
_AUDIT = re.compile(r"\baudit: ")
_MOUNTED = ("/dev/", "tmpfs ", "overlay ")

TOLD_KEYS: Mapping[str, tuple[str, ...]] = {
    "site": ("id", "timezone", "test_data", "one_person"),
    "hub": ("id", "data_directory", "control_socket"),
    "broker": (
        "host", "port", "tls", "ca_file", "certificate_file", "key_file", "keepalive", "window",
        "reconnect_least", "reconnect_most",
    ),
    "bluetooth": ("radio", "adapter", "may_reboot"),
    "usb": ("ports",),
    "replay": ("socket",),
    "observation_sets": ("recent", "late", "stream", "low_saturation", "low_saturation_on_scale_2"),
    "sensor_clock": ("agrees_within", "believed_for"),
    "rounds": ("lasts", "settle"),
    "alerts": ("from_band", "resolve_after"),
    "model": ("mode", "file", "recalibration", "alerts_per_100_resident_days"),
    "rhythm": ("mode", "file"),
    "beacon": ("output", "chip", "pin", "active_low", "write_to"),
    "publish": ("observation", "reading", "summary"),
    "summary": ("at",),
    "store": (
        "gather", "keep_streams", "keep_readings", "keep_alerts", "keep_scores", "largest", "least_free",
    ),
    "page": ("address", "port", "names", "tls", "certificate_file", "key_file", "signed_in_for", "idle"),
}  # fmt: skip
"""What is told of the configuration, table by table. A key that is not here is not told: of residents and
sensors nothing but what `_configuration` counts."""

_OF_SENSORS = ("address", "driver", "user", "bonding")


class SupportError(CareportError):
    """The bundle cannot be written; the text says why, and what to do."""


def write(
    path: Path, config: Config | ConfigError, findings: Sequence[Finding], root: Path = Path("/")
) -> str:
    """Write the bundle to a new file that its owner alone may read, and say what was done. In the place of a
    configuration that cannot be used is why it cannot.

    Raises:
        SupportError: it may not be looked for names in the database, or the file cannot be made.
    """
    known = usual() if isinstance(config, ConfigError) else config
    if forbidden(known.hub.data_directory / FILE_NAME):
        raise SupportError(
            f"{path}: not written: this user may not read the database, so that its names cannot be looked"
            " for. Run it as root: 'sudo carehub doctor --support FILE'"
        )
    words = words_of(config)
    subject = Subject(known, root=root, configured=known is config)
    texts, replaced = _searched(_contents(findings, subject), words)
    texts["about.json"] = _json(
        {
            "made_at": now().isoformat(),
            "names_looked_for": words.known,
            "not_all_names_known_because": words.trouble and words.hidden(words.trouble)[0],
            "replaced": replaced,
        }
    )
    # A home may be called as somebody in it is.
    folder, _ = words.hidden(f"carehub-support-{known.site.id}-{known.hub.id}")
    _pack(path, folder, texts)
    said = f"{path}: written, for its owner alone; nobody's data is meant to be in it"
    if replaced:
        where = ", ".join(f"{name} ({count})" for name, count in replaced.items())
        said += f". REPLACED, since it may be of somebody: {where}"
    if words.trouble is not None:
        said += (
            f". Not all names of this home could be looked for ({words.trouble}): look through it before you"
            " send it"
        )
    return said


def _searched(texts: Mapping[str, str], words: Words) -> tuple[dict[str, str], dict[str, int]]:
    searched, replaced = {}, {}
    for name, text in texts.items():
        searched[name], count = words.hidden(text[-_LONGEST_TEXT:])
        if count:
            replaced[name] = count
    return searched, replaced


def _contents(findings: Sequence[Finding], subject: Subject) -> dict[str, str]:
    config = subject.config
    made: dict[str, Callable[[], object]] = {
        "findings.json": lambda: [finding.data() for finding in findings],
        "configuration.json": lambda: _configuration(config) if subject.configured else "cannot be used",
        "database.json": lambda: _database(config),
        "units.json": lambda: units(*_KEEPERS) or "systemd does not run here",
        "journal.txt": _journal,
        "kernel.txt": _kernel,
        "disk.json": lambda: _disk(config, subject),
        "update.json": lambda: _update(subject),
    }
    texts = {}
    for name, make in made.items():
        try:
            content = make()
        except Exception as error:  # noqa: BLE001  # the others are of use all the same
            content = f"could not be had ({type(error).__name__})"
        texts[name] = content if isinstance(content, str) and name.endswith(".txt") else _json(content)
    return texts


def _configuration(config: Config) -> dict[str, object]:
    whole = config.model_dump(mode="json")
    told: dict[str, object] = {
        table: {key: whole[table][key] for key in keys} for table, keys in TOLD_KEYS.items()
    }
    told["residents"] = {
        "count": len(config.residents),
        "with_a_wristband": sum(each.wristband is not None for each in config.residents),
    }
    told["sensors"] = [
        {
            **{key: each[key] for key in _OF_SENSORS},
            "is_a_residents": each["resident"] is not None,
            "is_of_a_kit": each["kit"] is not None,
        }
        for each in whole["sensors"]
    ]
    return told


def _database(config: Config) -> dict[str, object]:
    """How large it is, how many rows each table has, how old what waits is, and kinds of the trail."""
    path = config.hub.data_directory / FILE_NAME
    connection = open_for_reading(path)
    until = monotonic() + _COUNTING_SECONDS
    connection.set_progress_handler(lambda: monotonic() > until, 100_000)
    try:
        oldest = oldest_waiting(connection)
        return {
            "schema": schema_of(connection)[0],
            "bytes": path.stat().st_size,
            "pages_free": connection.execute("PRAGMA freelist_count").fetchone()[0],
            "rows": {name: _rows(connection, name) for name in _tables(connection)},
            "waiting": dict(connection.execute("SELECT channel, count(*) FROM outbox GROUP BY channel")),
            "waiting_since": None if oldest is None else oldest.isoformat(),
            "trail": _kinds(connection),
        }
    finally:
        connection.close()


def _tables(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return [str(name) for (name,) in found]


def _rows(connection: sqlite3.Connection, table: str) -> int | str:
    try:
        (count,) = connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()
        return int(count)
    except sqlite3.Error as error:
        return f"cannot be counted: {error}"


def _kinds(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """When, and of what kind; what it says is left out, since it names people."""
    known = {kind.value for kind in Audited}
    rows = connection.execute("SELECT at, what FROM audit ORDER BY sequence DESC LIMIT ?", (_KINDS,))
    return [(_time(at), what if what in known else "of an unknown kind") for at, what in rows]


def _time(microseconds: int) -> str:
    try:
        return from_microseconds(microseconds).isoformat()
    except (ValueError, OverflowError):
        return "no time"


def _journal() -> str:
    """What the hub's own units have logged, and systemd of them. The log has no names."""
    chosen = [option for name in _OWN_UNITS for option in ("--unit", name)]
    said = said_by(
        "journalctl",
        "--no-pager",
        "--output=short-iso",
        f"--since=-{_DAYS}d",
        f"--lines={_LINES}",
        *chosen,
        seconds=30.0,
    )
    return said or "there is no journal of the hub's units, or it may not be read"


def _kernel() -> str:
    """What the kernel has logged, but for what tells one device from another of its kind: whatever is plugged
    in to be charged is somebody's, and an access point says where the home is. And nobody's logins."""
    said = said_by("dmesg")
    if said is None:
        return "dmesg may not be read"
    lines = (line for line in said.splitlines(keepends=True) if not _AUDIT.search(line))
    return _ADDRESS.sub(REPLACED, _SERIAL.sub(rf"\g<1>{REPLACED}", "".join(lines))) or "it says nothing"


def _disk(config: Config, subject: Subject) -> dict[str, object]:
    mounts = [line for line in (subject.text("proc/mounts") or "").splitlines() if line.startswith(_MOUNTED)]
    room = os.statvfs(config.hub.data_directory)
    return {
        "mounts": mounts,
        "free_bytes": room.f_bavail * room.f_frsize,
        "free_inodes": room.f_favail,
        "cards": {
            path: subject.text(path)
            for name in ("type", "name", "date", "fwrev", "life_time", "pre_eol_info")
            for path in subject.glob(f"sys/block/mmcblk*/device/{name}")
        },
        "ext4": {
            path: subject.text(path)
            for name in ("errors_count", "last_error_time", "lifetime_write_kbytes")
            for path in subject.glob(f"sys/fs/ext4/*/{name}")
        },
    }


def _update(subject: Subject) -> dict[str, object]:
    return {
        path: json.loads(subject.text(path) or "null")
        for path in (_STATE, *subject.glob("opt/carehub/slots/*/manifest.json"))
    }


def _json(content: object) -> str:
    # As people write it: a name with an accent would not be found in \\u escapes.
    return json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n"


def _pack(path: Path, folder: str, texts: Mapping[str, str]) -> None:
    made = datetime.timestamp(now())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError as error:
        raise SupportError(f"{path}: is there already: name another file") from error
    except OSError as error:
        raise SupportError(f"{path}: cannot be made: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            if (asker := os.environ.get("SUDO_UID", "")).isdigit() and os.geteuid() == 0:
                os.fchown(file.fileno(), int(asker), -1)  # whoever is to carry it away
            with tarfile.open(fileobj=file, mode="w:gz") as archive:
                for name, text in texts.items():
                    content = text.encode()
                    member = tarfile.TarInfo(f"{folder}/{name}")
                    member.size, member.mtime, member.mode = len(content), int(made), 0o600
                    archive.addfile(member, io.BytesIO(content))
    except OSError as error:
        path.unlink(missing_ok=True)
        raise SupportError(f"{path}: cannot be written: {error.strerror}") from error
