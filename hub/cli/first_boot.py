"""`carehub first-boot`: what lies on the card's boot partition is taken in."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Set this machine up from its card's first partition.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("/boot/firmware/carehub"),
    show_default=True,
    metavar="DIR",
    help="Where what the card brings lies.",
)
@click.option(
    "--forget",
    is_flag=True,
    help="What the card brought, or brings, counts no more: empty it. 'carehub provision' does this.",
)
@click.pass_context
def command(context: click.Context, folder: Path, forget: bool) -> None:
    """Set this machine up by what lies in a folder of its card: site.toml, the files that it names, and a
    claim or a certificate. The image's carehub-first-boot.service runs it, as root.

    All of it is taken off the card as soon as it is found good. Ends with 0 once all is done; with 1 while
    something is missing, which is said here and in the folder's status.txt; with 3 where site.toml is wrong.
    """
    from provisioning import first_boot
    from provisioning.keeper.places import Places

    if forget:
        first_boot.forget(folder, Places())
        return
    taken_in = first_boot.take_in(folder, Places(), click.echo)
    click.echo(taken_in.words)
    context.exit(0 if taken_in.done else 1)
