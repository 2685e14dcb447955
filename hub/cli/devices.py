"""`carehub devices`: what is heard on Bluetooth and what is plugged in, and what of it is of this home."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli.device_words import is_of_interest, list_lines, scan_lines
from hub.cli.options import config_option, json_option, one_line
from hub.cli.record import Span

if TYPE_CHECKING:
    from datetime import datetime

    from hub.configuration.file import Config

_EVERY_SECONDS = 1.0


class User(click.ParamType["int | str"]):
    """The sensor's own number for a person, or "any"."""

    name = "user"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """The number that a text names."""
        text = str(value).strip().lower()
        if text == "any":
            return text
        if not text.isascii() or not text.isdigit() or int(text) > 254:
            self.fail(f"{value!r} is no number of a user: give 0 to 254, or any", param, ctx)
        return int(text)


class Address(click.ParamType[str]):
    """The address of a device on Bluetooth or on USB, as labels and lists have it."""

    name = "address"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The address as the hub writes it."""
        from pydantic import TypeAdapter, ValidationError

        from drivers.usb.address import is_usb
        from hub.configuration.values import Address as Written

        text = str(value).strip()
        try:
            made: str = TypeAdapter(Written).validate_python(text if is_usb(text) else text.replace("-", ":"))
        except ValidationError as error:
            words = error.errors()[0]["msg"].removeprefix("Value error, ")
            self.fail(f"{value!r} is no address: {words}", param, ctx)
        return made


by_option = click.option(
    "--by", required=True, metavar="NAME", help="Who does this; noted in the trail, and stays on the hub."
)


@click.group(short_help="See what is near, and enrol and forget sensors.")
def command() -> None:
    """See what is heard on Bluetooth and what is plugged in (USB); enrol and forget sensors.

    The hub connects to enrolled sensors and to no others. It takes up at once what is enrolled or forgotten
    here, and keeps it over restarts. Sensors in the configuration ([[sensors]]) are enrolled as well, and
    are changed there.

    \b
    A new cuff for R-0412:
      carehub devices scan                    take a measurement with it, and see it appear
      carehub devices add C4:F2:17:00:00:01 --resident R-0412 --by "Sam Field"
      carehub devices list                    after the next measurement: is it heard, does it tell?

    \b
    A reader of wristbands, and an oximeter that goes round with it:
      carehub devices scan                    plug them in, and see them appear
      carehub devices add USB:0C2E:0204:S1234567 --kit ward-a --by "Sam Field"
      carehub devices add USB:0403:6001:A9XK2P7Q --kit ward-a --driver nonin_serial --by "Sam Field"
    """


@command.command("scan", short_help="List what is heard nearby and what is plugged in.")
@click.option("--for", "duration", type=Span(), help="For so long: 30s, 5min; until Ctrl-C unless given.")
@click.option("--all", "everything", is_flag=True, help="Also what has no name and offers nothing known.")
@config_option
@json_option
def scan(duration: timedelta | None, everything: bool, config_path: Path, as_json: bool) -> None:
    """List what is heard nearby and what is plugged in, enrolled or not: live in a terminal, until Ctrl-C.

    Most Bluetooth sensors are heard only while they measure and for a minute after. What is not enrolled is
    not connected to, nor opened. A question mark says that what is plugged in may be another thing as well,
    as where only the chip in its cable is known: look at it, and name its driver in 'add'. With --json, or
    where the output is no terminal, the list is printed once, after --for if it is given.
    """
    from hub.configuration.file import load

    config = load(config_path)
    live = sys.stdout.isatty() and not as_json
    ends = None if duration is None else time.monotonic() + duration.total_seconds()
    try:
        if live:
            while ends is None or time.monotonic() < ends:
                lines = scan_lines(_ask(config, "scan"), everything=everything)
                click.clear()
                click.echo("\n".join([*lines, "", "Ctrl-C ends."]))
                time.sleep(_EVERY_SECONDS)
            return
        if ends is not None:
            _ask(config, "scan")  # what is wrong is said at once
            time.sleep(max(0.0, ends - time.monotonic()))
    except KeyboardInterrupt:
        if live:
            return
    said = _ask(config, "scan")
    if as_json:
        shown = said["devices"] if everything else [each for each in said["devices"] if is_of_interest(each)]
        click.echo(json.dumps({**said, "devices": shown}, indent=2))
    else:
        click.echo("\n".join(scan_lines(said, everything=everything)))


@command.command("list", short_help="List the enrolled sensors, and how each is.")
@config_option
@json_option
def list_sensors(config_path: Path, as_json: bool) -> None:
    """List the enrolled sensors: whose they are, when they were last heard, what is the matter with them."""
    from hub.configuration.file import load

    config = load(config_path)
    said = _ask(config, "sensors")
    newest = _newest_readings(config)
    rows = [
        {**each, "last_reading": at.isoformat() if (at := newest.get(each["address"])) else None}
        for each in said["sensors"]
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        click.echo("\n".join(list_lines(rows, said["radio"], said["usb"])))


@command.command("add", short_help="Enrol a sensor.")
@click.argument("address", type=Address())
@click.option("--resident", metavar="PSEUDONYM",
              help="Whose it is; without, it is shared: of whose wristband was scanned.")  # fmt: skip
@click.option("--driver", metavar="NAME",
              help="What it is, as 'scan' names it; need not be given where there is no doubt.")  # fmt: skip
@click.option("--user", type=User(), metavar="N|any",
              help="The resident's number on a sensor that keeps people apart, or any.")  # fmt: skip
@click.option("--kit", metavar="NAME",
              help="What a shared sensor or a reader of wristbands goes round with.")  # fmt: skip
@click.option("--label", default="", help="What the home calls it; stays on the hub.")
@click.option("--passkey", metavar="DIGITS", help="The six digits that it shows, if it wants them.")
@click.option("--bond", "bonding", type=click.Choice(["first", "when-asked", "never"]),
              help="When to bond with it, if not as its driver has it.")  # fmt: skip
@by_option
@config_option
@json_option
def add(address: str, by: str, config_path: Path, as_json: bool, **said: object) -> None:
    """Enrol the sensor ADDRESS. The hub collects from it at once; nothing is restarted.

    Who it belongs to is said by the pseudonym, as 'carehub residents' lists them. Read what is answered: it
    says with their name whose readings these are from now on. To change the owner, forget it and add it anew.
    """
    from hub.configuration.file import load

    answer = _ask(load(config_path), "enrol", address=address, by=by, **said)
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    click.echo(f"{one_line(str(answer['words']))}.")
    for note in answer["notes"]:
        click.echo(f"  note: {one_line(str(note))}")


@command.command("forget", short_help="Forget a sensor that was enrolled with 'add'.")
@click.argument("address", type=Address())
@by_option
@config_option
@json_option
def forget(address: str, by: str, config_path: Path, as_json: bool) -> None:
    """Forget the sensor ADDRESS: the hub ends its link, removes the bond, and connects to it no more.
    What is plugged in is closed.

    What it measured until now stays with whom it was of; what it measures from now on is nobody's.
    """
    from hub.configuration.file import load

    answer = _ask(load(config_path), "forget", address=address, by=by)
    click.echo(json.dumps(answer, indent=2) if as_json else f"{one_line(str(answer['words']))}.")


def _newest_readings(config: Config) -> Mapping[str, datetime]:
    import sqlite3

    from hub.cli.options import database
    from hub.errors import CareportError
    from hub.store.queries import newest_by_device

    try:
        with database(config) as connection:
            return newest_by_device(connection)
    except (CareportError, sqlite3.Error):
        return {}  # 'carehub doctor' says why


def _ask(config: Config, what: str, **arguments: object) -> dict[str, Any]:
    from hub.control.control_socket import ask

    return ask(config.hub.control_socket, what, **arguments)
