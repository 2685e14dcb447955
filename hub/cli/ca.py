"""`carehub ca`: the programme's own certificate authority, for pilots."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from hub.cli.options import json_option

if TYPE_CHECKING:
    from provisioning.authority import Authority

directory_argument = click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
days_option = click.option(
    "--days", type=click.IntRange(1, 3650), default=825, show_default=True, help="For how long it is good."
)


@click.group(short_help="Keep the programme's own certificate authority, for pilots.")
def command() -> None:
    """Keep the programme's own certificate authority: who may be a hub, the broker, a client of the ICS.

    DIRECTORY has its key: whoever has that can be any hub. Keep it on the engineer's machine, encrypted, with
    a copy in a safe, and off every network that you can.

    \b
    A new programme:
      carehub ca begin  DIRECTORY
      carehub ca broker DIRECTORY mqtt.ics.example
      carehub ca client DIRECTORY ics-desk
      carehub ca access DIRECTORY > access        # the broker's access list
    A hub is certified by 'carehub provision', which finds DIRECTORY in its site's file; by hand:
      carehub ca sign   DIRECTORY willow-house.hub-1.csr willow-house.hub-1

    DIRECTORY/clients has who may use the broker; signing enters and revoking strikes out. Where DIRECTORY
    has an executable 'publish', it is run in DIRECTORY after each such change: let it bring the access list
    and revoked.crl to the broker, and a hub may publish as soon as it is set up.
    """


@command.command("begin", short_help="Make an authority.")
@directory_argument
def begin(directory: Path) -> None:
    """Make an authority in DIRECTORY. It is good for ten years."""
    from provisioning.authority import Authority

    authority = Authority(directory)
    authority.begin()
    click.echo(f"{authority.certificate_file}: the authority's certificate, for the broker and every hub")
    click.echo(f"{directory}/ca.key: its key: for nobody else, and never on a hub or the broker")


@command.command("broker", short_help="Make the broker's key and certificate.")
@directory_argument
@click.argument("names", nargs=-1, required=True)
@days_option
def broker(directory: Path, names: tuple[str, ...], days: int) -> None:
    """Make the broker's key and certificate, for all the host NAMES and addresses by which hubs call it."""
    _say_made(_authority(directory).broker(names, days))


@command.command("page", short_help="Make the key and certificate of a hub's staff page.")
@directory_argument
@click.argument("names", nargs=-1, required=True)
@days_option
def page(directory: Path, names: tuple[str, ...], days: int) -> None:
    """Make the key and certificate of a hub's staff page, for all the NAMES and addresses by which the home
    calls it. The home's devices must trust ca.crt. One that is there and good for these names stays."""
    _say_made(_authority(directory).page(names, days))


@command.command("client", short_help="Make the key and certificate of a client of the ICS.")
@directory_argument
@click.argument("name")
@days_option
def client(directory: Path, name: str, days: int) -> None:
    """Make the key and certificate of a client of the ICS, which reads all and acknowledges."""
    _say_made(_authority(directory).client(name, days))


@command.command("sign", short_help="Sign a hub's request.")
@directory_argument
@click.argument("request", type=click.File("r", encoding="utf-8"))
@click.argument("name")
@click.option("--site", help="Its site.id, where NAME is not SITE.HUB.")
@click.option("--hub", help="Its hub.id, where NAME is not SITE.HUB.")
@days_option
def sign(directory: Path, request: TextIO, name: str, site: str | None, hub: str | None, days: int) -> None:
    """Sign REQUEST, a file or -, with NAME, and enter the hub into DIRECTORY/clients. Be sure whose it is:
    NAME is your word, and what the request says of itself is not believed."""
    if (site is None) != (hub is None):
        raise click.UsageError("--site and --hub go together: give both or neither")
    authority = _authority(directory)
    try:
        text = request.read()
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{request.name}: cannot be read: {error}") from error
    of = None if site is None or hub is None else (site, hub)
    certificate = authority.sign_hub(text, name, of, days)
    if sys.stdout.isatty():
        _say_made(authority.directory / f"{name}.crt")
    else:
        click.echo(certificate, nl=False)


@command.command("revoke", short_help="Take every certificate of a name out of use.")
@directory_argument
@click.argument("name")
def revoke(directory: Path, name: str) -> None:
    """Take every certificate of NAME out of use (lost, stolen, sold), and every claim, used or not; strike it
    from DIRECTORY/clients."""
    authority = _authority(directory)
    authority.revoke(name)
    click.echo(f"{name} is revoked: the broker learns it by {directory}/revoked.crl and its access list")


@command.command("revocations", short_help="Make the list of the revoked anew.")
@directory_argument
def revocations(directory: Path) -> None:
    """Make the list of the revoked anew. Once it has ended the broker keeps everybody out."""
    _authority(directory).renew_revocations()
    click.echo(f"{directory}/revoked.crl is made anew: bring it to the broker")


@command.command("access", short_help="Print the broker's access list.")
@directory_argument
def access(directory: Path) -> None:
    """Print mosquitto's access list, made of DIRECTORY/clients."""
    click.echo(_authority(directory).access(), nl=False)


@command.command("list", short_help="List what was certified, and until when.")
@directory_argument
@json_option
def list_certificates(directory: Path, as_json: bool) -> None:
    """List the newest certificate of each name, with what it may do at the broker and how long it is good."""
    from hub.cli.options import show
    from hub.clock import now

    moment = now()
    rows: list[dict[str, object]] = [
        {
            "name": each.name,
            "client": each.client or "-",
            "ends": each.ends.isoformat() if as_json else f"{each.ends:%Y-%m-%d}",
            "state": each.state(moment),
        }
        for each in _authority(directory, reads=True).certificates()
    ]
    show(rows, as_json, f"Nothing was certified yet: carehub ca broker {directory} NAME")


@command.command("claim", short_help="Make a one-time claim, for a hub that sets itself up.")
@directory_argument
@click.argument("name")
@click.option("--server", required=True, metavar="https://HOST:PORT", help="Where 'carehub ca serve' runs.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The folder carehub of the card's boot partition: gets the files claim and, if it has none, ca.crt.",
)
@click.option(
    "--days", type=click.IntRange(1, 365), default=30, show_default=True, help="For how long it is good."
)
def claim(directory: Path, name: str, server: str, out: Path, days: int) -> None:
    """Make a one-time claim by which the hub NAME (SITE.HUB) gets its first certificate when it boots. It
    is good for one hub: whoever has the card before that can be it, so keep the card as you keep a key."""
    if not server.startswith("https://"):
        raise click.UsageError("--server: give https://HOST:PORT")
    is_ours = _authority(directory, reads=True).claims.make(name, server, out, days)
    if not is_ours:
        _warn(
            f"{out}/ca.crt was there already, is of another authority, and stays: right where that is the"
            f" broker's; then put {directory}/ca.crt there as authority.crt, and name it in site.toml"
            " ([authority] ca_file). Otherwise remove it, and make the claim again"
        )
    click.echo(f"{out}/claim: good for one certificate of {name}, within {days} days")
    click.echo(f"where it goes astray, 'carehub ca revoke {directory} {name}' ends it")


@command.command("claims", short_help="List the claims, and who used them.")
@directory_argument
@json_option
def list_claims(directory: Path, as_json: bool) -> None:
    """List the claims that were made, and when and from where each was used. DIRECTORY/claims.log has all
    that was tried."""
    from hub.cli.options import local, show

    rows: list[dict[str, object]] = [
        {
            "name": each.name,
            "until": each.until.isoformat() if as_json else f"{each.until:%Y-%m-%d}",
            "used": "-"
            if each.used_at is None
            else each.used_at.isoformat()
            if as_json
            else local(each.used_at),
            "from": each.used_from or "-",
        }
        for each in _authority(directory, reads=True).claims.all()
    ]
    show(rows, as_json, "No claim was made yet: carehub ca claim")


@command.command("serve", short_help="Certify hubs that have a claim, and renew, over HTTPS (EST).")
@directory_argument
@click.option("--name", "names", multiple=True, required=True, metavar="HOST", help="By which hubs call it.")
@click.option("--address", default="0.0.0.0", show_default=True, help="To listen at.")
@click.option("--port", type=click.IntRange(1, 65535), default=8443, show_default=True)
def serve(directory: Path, names: tuple[str, ...], address: str, port: int) -> None:
    """Certify hubs that have a claim, and renew the certificates of those that have one, until it is stopped.

    By Enrollment over Secure Transport (RFC 7030). This machine has the authority's key and is asked over a
    network: let it do nothing else, and let only the hubs' networks reach it.
    """
    from hub.cli.options import start_log
    from provisioning.claims_server import serve as serve_est

    _authority(directory)
    start_log("info", "carehub-ca")
    serve_est(directory, list(names), address, port)


def _authority(directory: Path, *, reads: bool = False) -> Authority:
    """The authority that is there; what of it nears its end is said. `reads`: the command changes nothing
    that the broker has to know, so that what it does not know yet is only said."""
    from provisioning.authority import Authority

    authority = Authority(directory, tell=_warn)
    for words in authority.warnings():
        _warn(words)
    if reads and not authority.is_published():
        _warn(
            f"{directory}/publish has not brought the last change to the broker yet: 'carehub ca revocations"
            f" {directory}' runs it again"
        )
    return authority


def _warn(words: str) -> None:
    click.echo(f"carehub: warning: {words}", err=True)


def _say_made(certificate: Path) -> None:
    from hub.uplink.certificate import ends_of_file

    click.echo(f"{certificate}: good until {ends_of_file(certificate)[0]:%Y-%m-%d}")
    key = certificate.with_suffix(".key") if certificate.suffix == ".crt" else None
    if key is not None and key.exists():
        click.echo(f"{key}: its key: carry it where it belongs, and nowhere else")
