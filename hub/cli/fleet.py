"""`carehub fleet`: many hubs at once, over SSH."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli.options import json_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provisioning.fleet_table import Row
    from provisioning.inventory import Hub

_PARAMETERS: tuple[Callable[[Any], Any], ...] = (
    click.argument("fleet", type=click.Path(path_type=Path, dir_okay=False)),
    click.option("--only", multiple=True, metavar="NAME", help="This hub only; may be given again."),
    click.option(
        "--parallel", type=click.IntRange(1, 100), default=20, show_default=True, help="So many at once."
    ),
    click.option("--accept-new-key", is_flag=True, help="Believe host keys that were never seen before."),
    json_option,
)
_bundle_option = click.option(
    "--bundle",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The release for all of them, instead of the fleet's file's.",
)


_canary_option = click.option(
    "--canary",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="The first N, and the others only if none of those fails.",
)


def _of_a_fleet(function: Callable[..., None]) -> Callable[..., None]:
    for each in reversed(_PARAMETERS):
        function = each(function)
    return function


@click.group(short_help="Look after many hubs at once, over SSH.")
def command() -> None:
    """Look after many hubs at once, over SSH: FLEET is a file that names them, as
    provisioning/fleet.example.toml does.

    Each says how it goes on while it does, with its name before it; at the end there is a table. A hub that
    cannot be reached stops no other. After Ctrl-C no other is begun, and those under way end what they do; a
    second one cuts them off. Ends with 1 if one failed.
    """


@command.command("status", short_help="Say how each hub is.")
@_of_a_fleet
def status(fleet: Path, only: tuple[str, ...], parallel: int, accept_new_key: bool, as_json: bool) -> None:
    """Say of each hub which release it has, whether it is connected, and what its doctor finds."""
    from provisioning.fleet import everywhere
    from provisioning.fleet import status as looked_at

    hubs = _hubs(fleet, only, None)
    _show(everywhere(hubs, looked_at(accept_new_key=accept_new_key), _tell, parallel), as_json, "are well")


@command.command("provision", short_help="Have each machine be the hub of its site's file.")
@_of_a_fleet
@_bundle_option
@_canary_option
@click.option("--dry-run", is_flag=True, help="Change nothing; show what would change.")
def provision(
    fleet: Path,
    only: tuple[str, ...],
    parallel: int,
    accept_new_key: bool,
    as_json: bool,
    bundle: Path | None,
    canary: int,
    dry_run: bool,
) -> None:
    """Do what 'carehub provision' does, on every machine of FLEET. A hub that has no link to the ICS after
    that has failed."""
    from provisioning.fleet import in_waves, provisioned, releases

    hubs = _hubs(fleet, only, bundle)
    with releases() as found:
        work = provisioned(found, dry_run=dry_run, accept_new_key=accept_new_key)
        _show(in_waves(hubs, work, _tell, parallel, canary), as_json, "have what they are to have")


@command.command("update", short_help="Bring a release to each hub; it stays where it proves itself.")
@_of_a_fleet
@_bundle_option
@_canary_option
@click.option("--patience", type=click.FloatRange(1, 3600), help="Of each hub's 'carehub update'.")
def update(
    fleet: Path,
    only: tuple[str, ...],
    parallel: int,
    accept_new_key: bool,
    as_json: bool,
    bundle: Path | None,
    canary: int,
    patience: float | None,
) -> None:
    """Do what 'carehub update' does, on every hub of FLEET: a release that does not prove itself is taken
    back there."""
    from provisioning.fleet import in_waves, releases, updated

    hubs = _hubs(fleet, only, bundle)
    with releases() as found:
        work = updated(found, accept_new_key=accept_new_key, patience=patience)
        _show(in_waves(hubs, work, _tell, parallel, canary), as_json, "have the release")


def _hubs(fleet: Path, only: tuple[str, ...], bundle: Path | None) -> list[Hub]:
    from dataclasses import replace

    from provisioning.inventory import chosen, load

    hubs = chosen(load(fleet), only)
    return hubs if bundle is None else [replace(hub, bundle=bundle) for hub in hubs]


def _tell(words: str) -> None:
    click.echo(words, err=True)


def _show(rows: Sequence[Row], as_json: bool, good: str) -> None:
    from provisioning.fleet_table import remarks, summary, table

    if as_json:
        click.echo(json.dumps([row.data() for row in rows], indent=2))
    else:
        click.echo("\n".join(["", table(rows), "", *remarks(rows), summary(rows, good)]))
    sys.exit(any(row.failed for row in rows))
