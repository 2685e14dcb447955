"""`carehub staff`: who may sign in on the staff page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hub.cli.options import config_option, json_option
from hub.staff.rights import Role

if TYPE_CHECKING:
    from hub.configuration.file import Config

by_option = click.option("--by", required=True, metavar="NAME", help="Who does this; noted in the trail.")
role_names = click.Choice([role.value for role in Role])


@click.group(short_help="Say who may sign in on the staff page.")
def command() -> None:
    """Say who may sign in on the staff page. The first manager is entered here; managers enter the others on
    the page itself.

    \b
    carer     looks, makes rounds, enters observations, acknowledges alerts
    senior    that, and corrects whose a reading is, settles concerns, enrols sensors
    manager   that, and enters residents and staff
    engineer  sees how the hub and its sensors are, enrols sensors; sees nobody's name or health

    \b
    A new home:
      carehub staff add "Mo Manager" --role manager --by "Sam Field"

    The PIN is asked for, and not shown; where the input is no terminal it is read from there, twice.
    """


@command.command("list", short_help="List who may sign in.")
@config_option
@json_option
def list_staff(config_path: Path, as_json: bool) -> None:
    """List who may sign in, with their role, and who entered or changed them last."""
    from hub.cli.options import database, local, show
    from hub.configuration.file import load
    from hub.store.staff import staff

    with database(load(config_path)) as connection:
        found = staff(connection)
    rows: list[dict[str, object]] = [
        {
            "name": each.name,
            "role": each.role.words,
            "changed": each.changed_at.isoformat() if as_json else local(each.changed_at),
            "by": each.changed_by,
        }
        for each in found
    ]
    show(rows, as_json, "Nobody may sign in yet: carehub staff add NAME --role manager --by NAME")


@command.command("add", short_help="Let somebody sign in.")
@click.argument("name")
@click.option("--role", type=role_names, required=True, help="What they are to the home.")
@by_option
@config_option
def add(name: str, role: str, by: str, config_path: Path) -> None:
    """Let NAME sign in from now on, with a PIN of six digits that is asked for."""
    from hub.configuration.file import load

    config = load(config_path)
    _ask(config, "staff_add", name=name, role=role, pin=_hash_of_new_pin(), by=by)


@command.command("change", short_help="Give somebody another role or PIN.")
@click.argument("name")
@click.option("--role", type=role_names, help="Their role from now on.")
@click.option("--pin", "new_pin", is_flag=True, help="Ask for another PIN.")
@by_option
@config_option
def change(name: str, role: str | None, new_pin: bool, by: str, config_path: Path) -> None:
    """Give NAME another role, or another PIN. Where they are signed in, it ends."""
    from hub.configuration.file import load

    if role is None and not new_pin:
        raise click.UsageError("say what shall be changed: --role ROLE, --pin, or both")
    config = load(config_path)
    pin = _hash_of_new_pin() if new_pin else None
    _ask(config, "staff_change", name=name, role=role, pin=pin, by=by)


@command.command("remove", short_help="Let somebody sign in no more.")
@click.argument("name")
@by_option
@config_option
def remove(name: str, by: str, config_path: Path) -> None:
    """Let NAME sign in no more. What they did stays in the trail."""
    from hub.configuration.file import load

    _ask(load(config_path), "staff_remove", name=name, by=by)


def _ask(config: Config, command_name: str, **said: object) -> None:
    from hub.control.control_socket import ask

    click.echo(ask(config.hub.control_socket, command_name, **said)["words"])


def _hash_of_new_pin() -> str:
    from hub.web.pins import Hashes, trouble_of

    if sys.stdin.isatty():
        pin = click.prompt("PIN (6 digits)", hide_input=True)
        again = click.prompt("The same once more", hide_input=True)
    else:
        pin, again = sys.stdin.readline().strip(), sys.stdin.readline().strip()
    if (trouble := trouble_of(pin)) is not None:
        raise click.ClickException(trouble)
    if pin != again:
        raise click.ClickException("These were two different PINs: nothing was changed.")
    return Hashes().of(pin)
