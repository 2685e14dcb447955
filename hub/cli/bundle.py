"""`carehub bundle`: a release of the hub, in one signed file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from provisioning.bundle import Bundle


@click.command(short_help="Make a release of the hub, in one signed file.")
@click.option(
    "--sign-with",
    "key",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The OpenSSH key that signs it (ssh-keygen -t ed25519; one in a token too).",
)
@click.option(
    "--architecture",
    type=click.Choice(["aarch64", "x86_64"]),
    default="aarch64",
    envvar="CAREHUB_BUNDLE_ARCHITECTURE",
    show_default=True,
    show_envvar=True,
    help="For which machines: a Raspberry Pi is aarch64.",
)
@click.option(
    "--python",
    "pythons",
    type=click.Choice(["3.11", "3.13"]),
    multiple=True,
    default=("3.11", "3.13"),
    envvar="CAREHUB_BUNDLE_PYTHON",
    show_default=True,
    show_envvar=True,
    help="For which of their Pythons: Bookworm has 3.11, Trixie 3.13. May be given twice.",
)
@click.option(
    "--with",
    "extras",
    type=click.Choice(["virtual"]),
    multiple=True,
    help="What a hub does not need: the virtual ward's radio, for tests.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to make, else carehub-VERSION-BUILD-ARCHITECTURE.bundle here.",
)
@click.option(
    "--show",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Make nothing: show what is in this bundle, and who signed it.",
)
@click.option(
    "--signers",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="With --show: whose signature to accept (OpenSSH's allowed signers); else any, which is said.",
)
def command(
    key: Path | None,
    architecture: str,
    pythons: tuple[str, ...],
    extras: tuple[str, ...],
    out: Path | None,
    show: Path | None,
    signers: Path | None,
) -> None:
    """Make a release of this checkout for hubs, with all that it needs, in one signed file.

    'carehub provision' and 'carehub update' install it, with no other network than that between you and the
    hub. The first time takes some minutes and root, since two packages are built from source in trees of
    Debian's packages; what was made is kept in ~/.cache/carehub, and may be deleted.
    """
    from provisioning.bundle import build, read

    if show is not None:
        _show(read(show, signers), checked=signers is not None)
    elif key is None:
        raise click.UsageError("'--sign-with KEY' is needed: hubs install nothing that is not signed.")
    else:
        bundle = build(
            key,
            out,
            architecture=architecture,
            pythons=pythons,
            extras=extras,
            tell=lambda words: click.echo(words, err=True),
        )
        _show(bundle, checked=True)


def _show(bundle: Bundle, *, checked: bool) -> None:
    manifest = bundle.manifest
    built = f", of {datetime.fromtimestamp(manifest.built, UTC):%Y-%m-%d %H:%M} UTC" if manifest.built else ""
    click.echo(f"{bundle.path}: release {manifest.name} for {manifest.architecture}{built}")
    click.echo(f"  as hubs fetch it: {bundle.manifest_sha256}.bundle")
    click.echo(f"  database: schema {manifest.schema}; a hub of schema {manifest.readable_from} can read it")
    for python, payload in sorted(manifest.payloads.items()):
        there = f"{payload.size / 1e6:.0f} MB unpacked" if python in bundle.pythons else "not in this file"
        click.echo(f"  Python {python}: {there}, SHA-256 {payload.sha256[:16]}...")
    click.echo(f"  {bundle.signed_by}")
    if not checked:
        click.echo(
            "  Whether this key may sign releases was not checked: name those that may with --signers."
        )
