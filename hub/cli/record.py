"""`carehub record`: what the live sensors send, in the format that `carehub replay` reads."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from hub.cli.options import config_option
from hub.clock import now

if TYPE_CHECKING:
    from hub.readings import RawPayload

_SPAN = re.compile(r"(\d{1,5})(s|min|h|d)", re.ASCII)
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}


class Span(click.ParamType[timedelta]):
    """A length of time: 30s, 15min, 4h, 2d."""

    name = "span"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """The span that a text names."""
        if isinstance(value, timedelta):
            return value
        match = _SPAN.fullmatch(str(value))
        if match is None:
            self.fail(f"{value!r} is no span of time: write 30s, 15min, 4h or 2d", param, ctx)
        return timedelta(**{_UNITS[match[2]]: int(match[1])})


@click.command(short_help="Record the raw payloads of this hub's sensors.")
@click.option(
    "--out",
    type=click.File("w", encoding="utf-8", lazy=False),
    default="-",
    help="The file to write; standard output unless given.",
)
@click.option(
    "--since",
    type=Span(),
    default=timedelta(0),
    help="Begin with what was received so long ago: 30s, 15min, 4h, 2d.",
)
@click.option("--for", "duration", type=Span(), help="End after so long; until Ctrl-C unless given.")
@config_option
def command(out: TextIO, since: timedelta, duration: timedelta | None, config_path: Path) -> None:
    """Record the raw payloads of this hub's sensors as JSON lines, one a payload, as they arrive.

    It reads what the running hub has committed, undecodable payloads included, and never touches the radio
    itself. What streams is committed a minute at a time, so that its last minute may not be there yet. What
    people entered by hand is not recorded.

    \b
    Examples:
      carehub record --out ward.jsonl --for 1h
      carehub record --since 2d --for 0s > two-days.jsonl
    """
    from hub.cli.options import database
    from hub.configuration.file import load
    from hub.readings import Origin
    from hub.store.queries import readings_after

    config = load(config_path)
    begun = now()
    ends = None if duration is None else time.monotonic() + duration.total_seconds()
    newest = 0
    with database(config) as connection:
        while True:
            over = ends is not None and time.monotonic() >= ends
            for row in readings_after(connection, newest, begun - since):
                newest = row.sequence
                if row.placed.reading.raw.origin is not Origin.MANUAL:
                    _write(out, row.placed.reading.raw, begun - since)
            out.flush()
            if over:
                return
            try:
                time.sleep(0.2)
            except KeyboardInterrupt:
                return


def _write(out: TextIO, raw: RawPayload, since: datetime) -> None:
    """Each payload of a stretch by itself, and of these only what was received since then."""
    from drivers.recording import line_of
    from drivers.stretch import StretchError, payloads

    try:
        found = payloads(raw)
    except StretchError as error:
        click.echo(f"{raw.device}: {error}", err=True)
        return
    for each in found:
        if each.received_at >= since:
            out.write(line_of(each) + "\n")
