"""`carehub update`: another release, which stays if it proves itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from hub.cli.options import json_option, local
from hub.errors import CareportError
from hub.updates import keeper_notes as updates


class UpdateError(CareportError):
    """An update cannot even be asked for; the text says why."""


@click.command(short_help="Bring another release; it stays only if it proves itself.")
@click.argument("bundle", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--state", is_flag=True, help="Only say which release is in force, and how the last update ended."
)
@click.option(
    "--roll-back", is_flag=True, help="Go back to the release in the other slot, if that proves itself."
)
@click.option("--older", is_flag=True, help="The bundle's version is older, and that is meant.")
@click.option(
    "--on-probation",
    is_flag=True,
    help="The release in force is watched over still, and could then be taken back no more: that is meant.",
)
@click.option(
    "--patience",
    type=click.FloatRange(1, 3600),
    help="Seconds in which the release must have proved itself, and in proportion for the broker; if not"
    " said, 20, and more where the release in force took long to start, or the database is large.",
)
@click.option(
    "--no-compare",
    is_flag=True,
    help="Ask nothing of it only since the release in force has it (the broker, Bluetooth, USB, the page):"
    " where that one is broken.",
)
@json_option
def command(
    bundle: Path | None,
    state: bool,
    roll_back: bool,
    older: bool,
    on_probation: bool,
    patience: float | None,
    no_compare: bool,
    as_json: bool,
) -> None:
    """Put the release of BUNDLE in force on this hub, as root.

    Its signature is verified and it goes into the slot that is not in use. Then it has to prove itself:
    start, answer, get on in every stage, commit, and have the broker take what it publishes if that did so
    before. Otherwise the release before is back within half a minute; and also where the new one ends three
    times before it has run for ten minutes in a row. In these no other one is brought. Nothing that was
    committed is lost. It goes on though this command is interrupted or the connection is lost; --state says
    how it ended.

    Ends with 0 if the release asked for is in force.
    """
    if (bundle is not None) + state + roll_back != 1:
        raise click.UsageError("one of these: BUNDLE, --state, --roll-back")
    if not updates.KEEPER.exists():
        raise UpdateError(
            f"this machine has no keeper ({updates.KEEPER}), so nothing could take an update back: set the"
            " hub up with 'carehub provision' from the engineer's machine"
        )
    if state:
        _say_state(as_json)
        return
    arguments = ["roll-back"] if bundle is None else ["update", str(bundle)]
    arguments += ["--older"] * (older and bundle is not None)
    arguments += ["--on-probation"] * (on_probation and bundle is not None)
    arguments += [] if patience is None else ["--patience", str(patience)]
    arguments += ["--no-compare"] * no_compare + ["--json"] * as_json
    try:
        sys.exit(subprocess.run((str(updates.KEEPER), *arguments), check=False).returncode)
    except KeyboardInterrupt:
        raise UpdateError("it goes on without you: 'carehub update --state' says how it ends") from None
    except OSError as error:
        raise UpdateError(f"{updates.KEEPER} cannot be run: {error.strerror}") from error


def _say_state(as_json: bool) -> None:
    try:
        done = subprocess.run((str(updates.KEEPER), "state"), capture_output=True, text=True, check=False)
        said: dict[str, Any] = json.loads(done.stdout)
    except (OSError, ValueError) as error:
        raise UpdateError(f"the keeper did not say its state: {error}") from error
    if as_json:
        click.echo(done.stdout.rstrip())
        return
    in_force = said["in_force"]
    for name, slot in said["slots"].items():
        named = "empty" if slot is None else _named(slot)
        click.echo(f"slot {name}: {named}{', in force' if name == in_force else ''}")
    if said["trial"] is not None:
        click.echo(f"under way: {_named(said['trial']['to'])} has to prove itself")
    if said.get("probation") is not None:
        probation = said["probation"]
        click.echo(
            f"on probation: {_named(probation['to'])} is taken back, to {_named(probation['from'])}, if it"
            " ends again and again"
        )
    last = updates.last()
    if last is None:
        click.echo("no update was tried yet")
    else:
        click.echo(
            f"last update, {local(last.at)}: from {last.from_} to {last.to}, {last.outcome}: {last.why}"
        )
    asked = updates.Keepers(updates.STATE.parent).last_asked()
    if asked is not None:
        click.echo(f"asked by the centre last: {asked.release}, {asked.outcome}: {asked.words}")


def _named(said: dict[str, Any]) -> str:
    return f"{said['version']} ({said['build']})"
