"""`carehub provision`: set a hub's machine up, over SSH."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from hub.cli.options import json_option
from hub.errors import CareportError


class CannotReadError(CareportError):
    """A file that was named cannot be read; the text says which and why."""


_file = click.Path(path_type=Path, dir_okay=False)


@click.command(short_help="Set a hub's machine up, over SSH.")
@click.argument("target", metavar="USER@HOST")
@click.option("--site", "site_path", type=_file, required=True, help="The site's file.")
@click.option(
    "--bundle", "bundle_path", type=_file, required=True, help="The release: 'carehub bundle' makes it."
)
@click.option("--dry-run", is_flag=True, help="Change nothing; show what would change.")
@click.option("--port", type=click.IntRange(1, 65535), help="Of its SSH, if not 22.")
@click.option("--identity", type=_file, help="The private key to log in with.")
@click.option("--accept-new-key", is_flag=True, help="Believe a host key that was never seen before.")
@click.option(
    "--signers",
    "signers_path",
    type=_file,
    help="Whose releases the hub takes, if the site's file does not say.",
)
@click.option("--certificate", "certificate_path", type=_file, help="The hub's, from an external authority.")
@click.option(
    "--instead-of",
    multiple=True,
    metavar="SITE.HUB",
    help="A hub whose place this one takes: what the machine is today, or this one on another machine.",
)
@click.option("--ssh-option", "-o", "options", multiple=True, metavar="KEY=VALUE", help="As ssh's own -o.")
@json_option
def command(
    target: str,
    site_path: Path,
    bundle_path: Path,
    dry_run: bool,
    port: int | None,
    identity: Path | None,
    accept_new_key: bool,
    signers_path: Path | None,
    certificate_path: Path | None,
    instead_of: tuple[str, ...],
    options: tuple[str, ...],
    as_json: bool,
) -> None:
    """Have the machine at USER@HOST be the hub that the site's file describes (see
    provisioning/site.example.toml).

    Over plain OpenSSH, with your own ssh_config and keys; the login is root, or may use sudo without a
    password. The machine needs no network beyond this one: the release comes out of the bundle. Run it as
    often as you like: what is right already is left alone, and whatever interrupted it, the same again does
    the rest.

    Ends with 0 if the machine has all that it is to have, and with 1 if not.
    """
    from provisioning.bundle import read
    from provisioning.provision import provision
    from provisioning.remote import Reach
    from provisioning.site_file import load

    site = load(site_path)
    signers = signers_path or site.release_signers_file
    if signers is None:
        raise click.UsageError(
            "whose releases may the hub take? Give --signers, or authority.release_signers"
        )
    bundle = read(bundle_path, signers)
    report = provision(
        target,
        site,
        bundle,
        signers=_text(signers),
        certificate=_text(certificate_path) if certificate_path is not None else "",
        instead_of=instead_of,
        dry_run=dry_run,
        tell=lambda words: click.echo(words, err=as_json),
        reach=Reach(port, identity, accept_new_key, options=options),
    )
    click.echo(report.to_json() if as_json else "\n".join(report.lines()))
    sys.exit(not report.ok)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CannotReadError(f"{path}: cannot be read: {error}") from error
