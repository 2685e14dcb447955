"""Options and output that several commands share."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from hub.configuration.file import Config

config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("/etc/carehub/hub.toml"),
    envvar="CAREHUB_CONFIG",
    show_default=True,
    show_envvar=True,
    help="The hub's configuration file.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines instead.")

log_level_option = click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="How much to log, on standard error.",
)

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


@contextmanager
def database(config: Config) -> Iterator[sqlite3.Connection]:
    """The hub's database, to look at."""
    from hub.store.database import FILE_NAME, open_for_reading

    connection = open_for_reading(config.hub.data_directory / FILE_NAME)
    try:
        yield connection
    finally:
        connection.close()


def local(moment: datetime) -> str:
    """A time as people in the home read it."""
    return moment.astimezone().strftime("%d %b %H:%M:%S")


def one_line(text: str) -> str:
    """Text from outside, as it may be shown on a terminal: whatever advertises may call itself anything."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def show(rows: Sequence[dict[str, object]], as_json: bool, nothing: str) -> None:
    """Print rows as a table, or as JSON, or say that there are none."""
    if as_json:
        click.echo(json.dumps(rows, indent=2, default=str))
    elif rows:
        from tabulate import tabulate

        click.echo(tabulate(rows, headers="keys", disable_numparse=True))
    else:
        click.echo(nothing)


def start_log(level: str, identifier: str) -> None:
    """Have all of this process logged from that level on: to the journal, by this identifier, where systemd
    gave it one; else to standard error, with the time. What ends it in a way that nobody foresaw, too."""
    import logging

    from hub.running.journal import OneLine, log_to_journal, log_what_ends_it

    log_what_ends_it()
    if log_to_journal(level, identifier):
        return
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])
