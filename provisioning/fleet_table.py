"""A fleet's summary: a row for each hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tabulate import tabulate

from hub.doctor.findings import LINK
from provisioning.machine_words import plain
from provisioning.report import Report

_NOT_KNOWN = "?"
_LONGEST_CELL = 60
_MOST_NAMED = 3
_MOST = 1e18  # bytes, or seconds: what is more is none


@dataclass(frozen=True, slots=True)
class Row:
    """How a hub is, and what became of it. None is what is not known.

    `outcome` is of what was done now, or of the last update; `certificate_days` whole days that are left;
    `fails` the parts that fail (`carehub doctor`); `disk_free` in bytes; `failed`: what was asked for is not
    so, or something fails; after it was set up that is its link to the ICS, and of the other parts `fails`
    tells. `notes` are to be known of it now, `unsafe` is what its site's file has so.
    """

    name: str
    target: str
    release: str | None = None
    connected: bool | None = None
    outcome: str | None = None
    certificate_days: int | None = None
    fails: tuple[str, ...] | None = None
    disk_free: int | None = None
    to_do: str = ""
    failed: bool = False
    notes: tuple[str, ...] = ()
    unsafe: tuple[str, ...] = ()

    def data(self) -> dict[str, Any]:
        """For machines; these keys stay."""
        return asdict(self)


def row_of(name: str, target: str, said: Mapping[str, Any], at: datetime) -> Row:
    """What a machine said of itself (`fleet_ask`), understood at a time (aware). What cannot be understood is
    said in its row, and spoils no other."""
    try:
        return _row_of(name, target, said, at)
    except (ValueError, TypeError, OverflowError, ArithmeticError) as error:
        return Row(name, target, to_do=f"what it says of itself cannot be read: {error}", failed=True)


def _row_of(name: str, target: str, said: Mapping[str, Any], at: datetime) -> Row:
    keeper, broker, doctor, disk = (_table(said.get(key)) for key in ("keeper", "broker", "doctor", "disk"))
    if isinstance(listed := said.get("doctor"), list):
        doctor = {"findings": listed}
    slot = in_force(said)
    last, trial = _table(keeper.get("last")), _table(keeper.get("trial"))
    findings = [_table(each) for each in doctor.get("findings") or []]
    fails = [each for each in findings if each.get("verdict") == "fail"]
    warns = [each for each in findings if each.get("verdict") == "warn"]
    first = next(iter([*fails, *warns]), {})
    to_do = str(first.get("todo") or first.get("words") or "")
    if not slot:
        to_do = "no release is in force: carehub provision"
    elif not findings:
        to_do = "its doctor could not be asked: log in and run 'sudo carehub doctor'"
    ends = _a(said, "certificate_ends", float, int)
    left = None if ends is None else (datetime.fromtimestamp(ends, UTC) - at) // timedelta(days=1)
    outcome = f"update under way to {_release(_table(trial.get('to')))}" if trial else None
    if last and not trial:
        outcome = f"{last.get('outcome')} {_release(_table(last.get('to')))}"
    return Row(
        name,
        target,
        release=_release(slot) if slot else None,
        connected=_a(broker, "connected", bool),
        outcome=outcome,
        certificate_days=left,
        fails=tuple(str(each.get("part")) for each in fails) if findings else None,
        disk_free=_a(disk, "free", int),
        to_do=to_do,
        failed=bool(fails) or not findings or not slot,
    )


def row_of_report(
    name: str, target: str, report: Report, said: Mapping[str, Any] | None, at: datetime
) -> Row:
    """What became of a machine that was set up, and what it said of itself after that (as for `row_of`; None
    in a dry run)."""
    outcome = f"{len(report.changed)} {'would change' if report.dry_run else 'changed'}"
    if report.failed:
        outcome += f", {len(report.failed)} failed"
    to_do = [f"{each.title}: {each.detail}" for each in report.failed[:1]] or [*report.to_do]
    row, link_fails = Row(name, target), False
    if said is not None:
        row = row_of(name, target, said, at)
        fails = {each.part: each.words for each in report.hub if each.verdict == "fail"}
        if row.fails is not None:
            fails = {part: fails.get(part, row.to_do) for part in row.fails}
        # Without a link it counts as failed, whether it had one before or is new: nobody at the ICS would
        # hear of an alert, and as a canary it proves nothing for the other homes. What else fails may have
        # failed before, and is only told.
        link_fails = row.connected is not True or LINK in fails
        if link_fails:
            outcome += ", link not well"
            words = _table(said.get("broker")).get("words") or "the hub does not answer"
            fails = {LINK: str(words), **{part: fails[part] for part in fails if part != LINK}}
        if link_fails or not to_do:
            to_do += [f"{part}: {words}" for part, words in fails.items()][:1]
        row = replace(row, fails=tuple(fails) if report.hub or fails else None)
    return replace(
        row,
        outcome=outcome,
        to_do="; ".join(to_do),
        failed=not report.ok or link_fails,
        notes=report.notes,
        unsafe=report.warnings,
    )


def in_force(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a machine says of the slot in force; nothing where there is none."""
    keeper = _table(said.get("keeper"))
    return _table(_table(keeper.get("slots")).get(str(keeper.get("in_force"))))


def table(rows: Sequence[Row]) -> str:
    """For people."""
    return tabulate([_cells(row) for row in rows], headers="keys", disable_numparse=True)


def summary(rows: Sequence[Row], good: str) -> str:
    """Of how many that can be said, in a line."""
    failed = [row.name for row in rows if row.failed]
    words = f"{len(rows) - len(failed)} of {len(rows)} hubs {good}"
    return f"{words}; look after {', '.join(failed)}" if failed else words


def remarks(rows: Sequence[Row]) -> list[str]:
    """The notes, and what is unsafe: a line for each, with whose it is before it. What is the same of several
    hubs is told once."""
    of: dict[str, list[str]] = {}
    for row in rows:
        for words in (*(f"note: {each}" for each in row.notes), *(f"unsafe: {each}" for each in row.unsafe)):
            of.setdefault(words, []).append(row.name)
    return [
        f"{', '.join(names) if len(names) <= _MOST_NAMED else f'{len(names)} of {len(rows)} hubs'}: {words}"
        for words, names in of.items()
    ]


def _cells(row: Row) -> dict[str, str]:
    connected = {True: "yes", False: "NO", None: _NOT_KNOWN}[row.connected]
    free = _NOT_KNOWN if row.disk_free is None else f"{row.disk_free / 1e9:.1f} GB"
    fails = _NOT_KNOWN if row.fails is None else _short(", ".join(row.fails)) or "none"
    return {
        "hub": row.name,
        "release": _short(row.release or _NOT_KNOWN),
        "connected": connected,
        "outcome": _short(row.outcome or "-"),
        "certificate": _NOT_KNOWN if row.certificate_days is None else f"{row.certificate_days} days",
        "fails": fails,
        "free": free,
        "what to do": _short(row.to_do, 2 * _LONGEST_CELL),
    }


def _short(text: str, longest: int = _LONGEST_CELL) -> str:
    return plain(text, longest)


def _release(said: Mapping[str, Any]) -> str:
    return f"{said.get('version', _NOT_KNOWN)} ({said.get('build', _NOT_KNOWN)})"


def _a(said: Mapping[str, Any], key: str, *kinds: type) -> Any:
    """A value of such a kind; None where it is not known. Raises `ValueError`."""
    value = said.get(key)
    if value is not None and (type(value) not in kinds or (bool not in kinds and abs(value) > _MOST)):
        raise ValueError(f"{key} is {plain(repr(value), _LONGEST_CELL)}")
    return value


def _table(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}
