"""`carehub audit`: what was noted on this hub, and whether it is still what was written."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click
from click.core import ParameterSource

from hub.cli.options import config_option, json_option

if TYPE_CHECKING:
    from hub.configuration.file import Config
    from hub.store.audit import AuditEntry, AuditHead
    from hub.store.audit_verification import Finding, Verification

_MOST_SHOWN = 5
_WHAT_TO_DO = """
A hand or a failing card may have done this; 'carehub doctor' examines disk and database. The entries that
are not named above still hold together. What to do: change nothing, copy {database}
(and the files beside it that begin so) to another medium, and tell whoever answers for this hub."""


@click.group(invoke_without_command=True, short_help="List what was noted, and verify that it is unchanged.")
@click.option("--alert", "--subject", "subject", metavar="ID",
              help="Only of this alert or entered reading (its id or the first digits of it).")  # fmt: skip
@click.option(
    "--most", type=click.IntRange(1), default=50, show_default=True, help="How many, the newest first."
)
@config_option
@json_option
@click.pass_context
def command(context: click.Context, subject: str | None, most: int, config_path: Path, as_json: bool) -> None:
    """List the trail, the newest first: alerts, acknowledgements, changes of configuration, model and
    software, what was entered by hand, administrative access. 'verify' tells whether it is still what was
    written. It has names of people: keep what it prints in the home."""
    from hub.cli.options import show
    from hub.configuration.file import load
    from hub.store.audit import entries

    if context.invoked_subcommand is not None:
        if any(context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in context.params):
            raise click.UsageError(
                f"give options behind '{context.invoked_subcommand}', not before it", context
            )
        return
    with _trail(load(config_path)) as connection:
        found = entries(connection, subject=subject, most=most)
    rows = [_document(entry) if as_json else _row(entry) for entry in found]
    show(rows, as_json, "Nothing was noted." if subject is None else "Nothing was noted of that.")


@command.command("verify", short_help="Say whether the trail is still what was written.")
@click.option("--head", "heads", multiple=True, metavar="COUNT:HASH",
              help="What the hub told others of its trail (in its status); may be given again.")  # fmt: skip
@click.option(
    "--heads", "heads_file", type=click.File(), help="A file of them, one a line ('-': standard input)."
)
@config_option
@json_option
def verify_trail(heads: tuple[str, ...], heads_file: TextIO | None, config_path: Path, as_json: bool) -> None:
    """Say whether the trail is still what was written: 0 if it is, 1 if not, with where and what was done.

    It runs beside the hub. The trail alone cannot show that its end was cut off, or that all of it was
    written anew: for that, give heads that others have kept.
    """
    from hub.configuration.file import load
    from hub.store.audit import AuditError, AuditHead
    from hub.store.audit_verification import verify
    from hub.store.database import FILE_NAME

    lines = [*heads, *(line for line in heads_file or () if line.strip())]
    try:
        told = [AuditHead.parse(line) for line in lines]
    except AuditError as error:
        raise click.BadParameter(str(error), param_hint="--head") from error
    config = load(config_path)
    with _trail(config) as connection:
        found = verify(connection, heads=told)
        salvaged = None if found.whole else _salvaged(connection)
    if as_json:
        click.echo(json.dumps(_verdict(found), indent=2))
    else:
        _say(found, told)
        if salvaged is not None:
            click.echo(
                f"The database was salvaged on {_time(salvaged.at)} (entry {salvaged.sequence}): what is"
                " missing before that entry may have been lost with the damaged file."
            )
        if not found.whole:
            click.echo(_WHAT_TO_DO.format(database=config.hub.data_directory / FILE_NAME))
    sys.exit(not found.whole)


@contextmanager
def _trail(config: Config) -> Iterator[sqlite3.Connection]:
    from hub.cli.options import database
    from hub.store.database import FILE_NAME
    from hub.store.errors import StoreError

    path = config.hub.data_directory / FILE_NAME
    with database(config) as connection:
        try:
            if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'audit'").fetchone() is None:
                raise StoreError(path, "has no trail yet: this version of the hub has not run here.")
            yield connection
        except sqlite3.Error as error:
            raise StoreError(
                path, f"cannot be read: {error}. Is the card failing? See 'carehub doctor'."
            ) from error


def _salvaged(connection: sqlite3.Connection) -> AuditEntry | None:
    from hub.store.audit import AuditError, newest
    from hub.trail import Audited

    try:
        return newest(connection, Audited.SALVAGED)
    except AuditError:
        return None  # changed itself, and so among the findings


def _say(found: Verification, told: list[AuditHead]) -> None:
    for finding in found.findings:
        click.echo(f"{click.style('BROKEN', fg='red')}  {_words(finding)}")
    if not found.complete:
        click.echo("Too much is broken: the rest was not looked at.")
    verdict = click.style("whole", fg="green") if found.whole else "in all"
    until = f", the newest of {_time(found.head_at)}" if found.head_at else ""
    click.echo(f"{verdict}: {found.entries} entries{until}")
    if found.trimmed_at is not None:
        click.echo(f"begins at {found.begins}: those before were trimmed on {_time(found.trimmed_at)}")
    click.echo(f"head {found.head}")
    if told:
        click.echo(f"heads of others: {len(found.matched)} of {len(told)} confirmed")
    if found.unmatched:
        click.echo(f"                 {len(found.unmatched)} of entries that are gone, so not to be compared")
    if not told:
        click.echo(
            "No head was given (--head): whether its end was cut off or all of it written anew is not known."
        )


def _words(finding: Finding) -> str:
    several = finding.first != finding.last
    numbers = f"entries {finding.first} to {finding.last}" if several else f"entry {finding.first}"
    missing = finding.kind in {"removed", "truncated"}
    when = f" ({'after ' if missing else ''}{_time(finding.at)})" if finding.at is not None else ""
    return f"{finding.kind.value}: {numbers}{when}: {finding.words}"


def _verdict(found: Verification) -> dict[str, object]:
    return {
        "whole": found.whole,
        "complete": found.complete,
        "entries": found.entries,
        "begins": found.begins,
        "trimmed_at": found.trimmed_at.isoformat() if found.trimmed_at else None,
        "head": str(found.head),
        "head_at": found.head_at.isoformat() if found.head_at else None,
        "matched": [str(head) for head in found.matched],
        "not_compared": [str(head) for head in found.unmatched],
        "findings": [
            {
                "kind": finding.kind.value,
                "first": finding.first,
                "last": finding.last,
                "at": finding.at.isoformat() if finding.at else None,
                "words": finding.words,
            }
            for finding in found.findings
        ],
    }


def _document(entry: AuditEntry) -> dict[str, object]:
    return {
        "sequence": entry.sequence,
        "at": entry.at.isoformat(),
        "clock": entry.stamp.quality.value,
        "boot": str(entry.stamp.boot),
        "since_boot_seconds": entry.stamp.since_boot.total_seconds(),
        "what": entry.what,
        "subject": str(entry.subject) if entry.subject is not None else None,
        "detail": entry.detail,
        "hash": entry.hash.hex(),
    }


def _row(entry: AuditEntry) -> dict[str, object]:
    return {
        "number": entry.sequence,
        "at": _time(entry.at),
        "clock": "" if entry.stamp.quality.value == "synchronised" else entry.stamp.quality.value,
        "what": entry.what,
        "of": str(entry.subject)[:8] if entry.subject is not None else "",
        "detail": detail_words(entry.detail),
    }


def detail_words(detail: Mapping[str, object]) -> str:
    """The detail of an entry in one line for people; long lists cut short, and no control of a terminal."""
    said = [f"{key.replace('_', ' ')} {_short(value)}" for key, value in detail.items() if value is not None]
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in ", ".join(said))


def _short(value: object) -> str:
    match value:
        case dict() if len(value) > _MOST_SHOWN:
            return f"({len(value)})"
        case dict():
            return "; ".join(f"{key} {_short(inner)}" for key, inner in value.items()) or "none"
        case list():
            more = f" and {len(value) - _MOST_SHOWN} more" if len(value) > _MOST_SHOWN else ""
            return (" ".join(map(str, value[:_MOST_SHOWN])) or "none") + more
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)


def _time(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
