"""What the doctor finds of the disk: room, what is read-only, how worn the card is, what went wrong on it."""

from __future__ import annotations

import os
import pwd
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hub.clock import now
from hub.doctor.findings import Finding, Verdict
from hub.doctor.looking import WITH_RIGHTS, Subject, is_root

_LEAST_FREE, _LITTLE_FREE = 200 * 2**20, 500 * 2**20  # bytes
_FEW, _HARDLY_ANY = 0.05, 0.01  # of the inodes
_QUIET = timedelta(days=1)
_USER = "carehub"
_DISK = re.compile(r"mmcblk\d+$")
_END_OF_LIFE = {
    1: (Verdict.PASS, "of its reserve less than 80 % is used"),
    2: (Verdict.WARN, "80 % of its reserve is used"),
    3: (Verdict.FAIL, "90 % of its reserve is used"),
}
_EXCEEDED = 0x0B
"""JEDEC JESD84-B51, EXT_CSD: PRE_EOL_INFO [267], DEVICE_LIFE_TIME_EST_TYP_A and _B [268, 269]: tenths."""

_REPLACE = "have a new one ready, with the hub's image on it, and replace it soon"


def disk(subject: Subject) -> list[Finding]:
    """Whether the hub can write what it must keep, and how much of it."""
    directory = subject.config.hub.data_directory
    try:
        found = os.statvfs(directory)
        owner = directory.stat().st_uid
    except PermissionError:
        return [Finding("disk", Verdict.WARN, f"{directory} may not be seen by this user", WITH_RIGHTS)]
    except OSError:
        return [
            Finding("disk", Verdict.FAIL, f"{directory} is not there", "make it, owned by the hub's user")
        ]
    if found.f_flag & os.ST_RDONLY:
        words = f"what {directory} is on has become read-only: nothing can be stored"
        return [
            Finding("disk", Verdict.FAIL, words, "see 'dmesg'; the card is most likely worn out: replace it")
        ]
    if is_root() and owner != _hubs_user(owner):
        todo = f"chown -R {_USER}: {directory}"
        return [Finding("disk", Verdict.FAIL, f"{directory} is not the hub's user's", todo)]
    if not os.access(directory, os.W_OK):
        return [Finding("disk", Verdict.WARN, f"{directory} cannot be written by this user", WITH_RIGHTS)]
    return [_room(directory, found), *_inodes(directory, found)]


def _hubs_user(otherwise: int) -> int:
    try:
        return pwd.getpwnam(_USER).pw_uid
    except KeyError:
        return otherwise


def _room(directory: Path, found: os.statvfs_result) -> Finding:
    free = found.f_bavail * found.f_frsize
    words = f"{free // 2**20} MiB free under {directory}"
    if free < _LEAST_FREE:
        return Finding("disk", Verdict.FAIL, words, "make room, or readings cannot be kept")
    if free < _LITTLE_FREE:
        return Finding(
            "disk", Verdict.WARN, words, "make room: 'du -xh / | sort -h | tail' says what takes it"
        )
    return Finding("disk", Verdict.PASS, words)


def _inodes(directory: Path, found: os.statvfs_result) -> list[Finding]:
    if not found.f_files:  # some file systems have no such limit
        return []
    left = found.f_favail / found.f_files
    if left >= _FEW:
        return [Finding("inodes", Verdict.PASS, f"{left:.0%} are left")]
    verdict = Verdict.FAIL if left < _HARDLY_ANY else Verdict.WARN
    words = f"only {found.f_favail} of {found.f_files} are left under {directory}"
    return [Finding("inodes", verdict, words, "find out what makes so many files, and remove them")]


def card_health(subject: Subject) -> list[Finding]:
    """How worn the card is, where it tells: eMMC does, an SD card does not."""
    findings = []
    for path in subject.glob("sys/block/mmcblk*"):
        name = path.rpartition("/")[2]
        if _DISK.match(name):  # not its boot partitions
            findings.append(_card(subject, name, f"{path}/device"))
    if not findings:
        words = "there is no SD card or eMMC: what else there is does not tell how worn it is"
        findings.append(Finding("card health", Verdict.PASS, words))
    return findings + _file_systems(subject)


def _card(subject: Subject, name: str, device: str) -> Finding:
    part = f"card health of {name}"
    if subject.text(f"{device}/type") == "SD":
        made = subject.text(f"{device}/date")
        words = f"an SD card{f', made {made}' if made else ''}: it does not tell how worn it is"
        return Finding(part, Verdict.PASS, words)
    tenths = [_hexadecimal(each) for each in (subject.text(f"{device}/life_time") or "").split()]
    reserve = _hexadecimal(subject.text(f"{device}/pre_eol_info") or "")
    verdict, said = _END_OF_LIFE.get(reserve, (Verdict.PASS, ""))
    used = max(tenths, default=0)
    if not used and not said:
        return Finding(part, Verdict.PASS, "it does not tell how worn it is")
    told: list[str] = []
    if used >= _EXCEEDED:
        verdict = Verdict.FAIL
        told.append("it has outlived the life that it was made for")
    elif used:
        told.append(f"{(used - 1) * 10} to {used * 10} % of its life are used")
        if used >= 9 and verdict is Verdict.PASS:
            verdict = Verdict.WARN
    told += [said] if said else []
    return Finding(part, verdict, "; ".join(told), "" if verdict is Verdict.PASS else _REPLACE)


def _hexadecimal(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        return 0


def _file_systems(subject: Subject) -> list[Finding]:
    """What ext4 noted of errors on itself; the count is kept on the disk until it is checked (ext4(5))."""
    counts = subject.glob("sys/fs/ext4/*/errors_count")
    findings = []
    for path in counts:
        directory = path.rpartition("/")[0]
        name = directory.rpartition("/")[2]
        if errors := subject.number(path):
            last = subject.number(f"{directory}/last_error_time")
            at = datetime.fromtimestamp(last, UTC) if last else None
            words = f"{errors} error(s) on {name}{f', the last on {at:%Y-%m-%d %H:%M} UTC' if at else ''}"
            recent = at is None or now() - at < _QUIET
            todo = (
                f"check it ('fsck -f /dev/{name}', at a start of the machine); if it comes again, {_REPLACE}"
            )
            findings.append(Finding("file system", Verdict.FAIL if recent else Verdict.WARN, words, todo))
    if counts and not findings:
        return [Finding("file system", Verdict.PASS, f"no error noted on {len(counts)} of ext4")]
    return findings
