"""`carehub image`: a card for a Raspberry Pi, with a release of the hub on it."""

from __future__ import annotations

from pathlib import Path

import click

from hub.errors import CareportError

_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command(short_help="Make a flashable card with a release on it.")
@click.option("--bundle", type=_FILE, required=True, help="The release ('carehub bundle').")
@click.option(
    "--signers", type=_FILE, required=True, help="Who may sign releases (OpenSSH's allowed signers)."
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The image to write."
)
@click.option(
    "--site",
    type=_FILE,
    help="A site's file: the card is this hub's, and sets it up at its first boot. The hub's key is made here"
    " where the site's own authority signs: treat the image as you treat that key.",
)
@click.option(
    "--without-login",
    is_flag=True,
    help="Although nobody can ever log in to the hub of that site's file, which gives no key for it.",
)
@click.option("--anew", is_flag=True, help="With Debian's packages of today, whatever ~/.cache/carehub has.")
def command(
    bundle: Path, signers: Path, out: Path, site: Path | None, without_login: bool, anew: bool
) -> None:
    """Make the image of a card for a 64-bit Raspberry Pi (3, 4, Zero 2 W), as root: write it with dd or
    Raspberry Pi Imager.

    Debian's root is made once, in some minutes, and kept in ~/.cache/carehub. The same release and the same
    packages give the same bytes. Without --site the card waits for a site.toml in the folder carehub of its
    first partition, which any laptop can write; the README.txt there says how.
    """
    from time import monotonic

    try:
        from provisioning.image.build import Recipe, build
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("provisioning"):
            raise
        raise CareportError("an image is made from a checkout of the project, not on a hub") from None
    from provisioning.site_file import load

    began = monotonic()
    hub = None if site is None else load(site)
    if hub is not None:
        if not hub.machine.ssh.authorized_keys and not without_login:
            raise click.UsageError(
                f"nobody could ever log in to this hub: {site} has no machine.ssh.authorized_keys; give an"
                " engineer's public key there, or --without-login where that is what you want"
            )
        for words in hub.warnings:
            click.echo(f"warning: {words}", err=True)
    manifest = build(
        Recipe(bundle, signers, site=hub, anew=anew),
        out,
        lambda words: click.echo(f"{words} ...", err=True),
    )
    click.echo(
        f"{out}: release {manifest.name} on Debian 12, {out.stat().st_size / 1e6:.0f} MB, made in"
        f" {monotonic() - began:.0f} s"
    )
