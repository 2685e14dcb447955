"""A hub's first certificate by a claim, with no engineer beside it, and the next ones by the present one.

`carehub ca claim` makes the file `claim` for one hub: a one-time secret, the server that takes it ('carehub
ca serve', or another that speaks RFC 7030), and the server's authority. The server's address is kept on the
machine, and each day carehub-renew.timer has a certificate that nears its end renewed there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from provisioning.keeper import certificates
from provisioning.keeper.applying_files import access, replace
from provisioning.keeper.errors import KeeperError, LaterError
from provisioning.keeper.est import RefusedError, Server
from provisioning.keeper.identity import ensure
from provisioning.keeper.places import Places
from provisioning.keeper.resources import Identity

FILE_NAME = "claim"
FORMAT = 1
_ENROLMENT = "enrolment.json"
_OTHERWISE = (
    "run 'carehub provision' from the engineer's laptop, or bring its site.toml with a new claim (made with"
    " 'carehub ca claim') on its card"
)
_FIRST_SECONDS, _LONGEST_SECONDS = 5.0, 600.0

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Claim:
    """What the file has: the hub's name, the server, and the secret, which is shown nowhere."""

    name: str
    server: Server
    secret: str = field(repr=False)


def read(path: Path) -> Claim:
    """The claim of a file. Raises `KeeperError`: it is none; what is in it is not quoted."""
    said = _read(path)
    secret = said.get("secret")
    if not isinstance(secret, str):
        raise KeeperError(_damaged(path))
    return Claim(str(said["name"]), Server(str(said["server"]), str(said["ca"])), secret)


def redeem(claim: Claim, request: str, tell: Tell, sleep: Callable[[float], None] = time.sleep) -> str:
    """The certificate for a request, in PEM; offline this waits, for as long as it takes.

    The same request may be brought again after a cut: the answer is the same. Raises `KeeperError`: the
    server's address is none.
    """
    wait = _FIRST_SECONDS
    while True:
        try:
            return claim.server.enroll(request, claim.name, claim.secret, tell)
        except LaterError as error:
            if isinstance(error, RefusedError):
                wait = _LONGEST_SECONDS  # until somebody makes another claim
            tell(f"no certificate yet: {error}; it is tried again in {wait:g} s")
        sleep(wait)
        wait = min(_LONGEST_SECONDS, wait * 2)


def remember(places: Places, claim: Claim) -> None:
    """Keep which server renews this hub's certificate. Raises `KeeperError`, `OSError`."""
    kept = {"format": FORMAT, "name": claim.name, "server": claim.server.address, "ca": claim.server.ca_pem}
    owned = access(places.root, "0600", "root", "root")
    replace(places.etc / _ENROLMENT, json.dumps(kept).encode(), owned)


def renew(places: Places, tell: Tell, renew_days: int = 30) -> None:
    """Renew the hub's certificate, where it nears its end and a server is known.

    Raises:
        KeeperError: it could not be done; the timer tries again.
        OSError: the card does not take it.
    """
    path = places.etc / _ENROLMENT
    if not path.exists():
        tell("no server is known that renews certificates: 'carehub provision' does it")
        return
    said = _read(path)
    name, server = str(said["name"]), Server(str(said["server"]), str(said["ca"]))
    current = places.identity / "current"
    try:
        present = certificates.read((current / "hub.crt").read_text())
    except (OSError, ValueError, KeeperError) as error:
        raise KeeperError(f"there is no certificate in force that could be renewed: {_OTHERWISE}") from error
    if present.name != name:
        # It was set up for another home since. By the old name the hub would be that home's again.
        path.unlink()
        tell(f"{server.address} renews for {name}, and this hub is {present.name} now: {_OTHERWISE}")
        return
    outcome = ensure(places, Identity(name, renew_days), dry_run=False)
    if outcome.request:
        try:
            certificate = server.renew(outcome.request, name, current / "hub.crt", current / "hub.key", tell)
        except LaterError as error:
            if present.ends > datetime.now(UTC):
                raise
            raise RefusedError(
                f"the certificate of {name} ended on {present.ends:%Y-%m-%d}, by this machine's clock, and"
                f" one that has ended renews nothing: {_OTHERWISE} ({error})"
            ) from error
        outcome = ensure(places, Identity(name, renew_days, certificate), dry_run=False)
    if outcome.change == "failed":
        raise KeeperError(outcome.detail)
    tell(f"the certificate of {name}: {outcome.detail}")


def _read(path: Path) -> dict[str, object]:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        if said["format"] != FORMAT:
            raise KeeperError(f"{path}: is of format {said['format']}, and this hub reads {FORMAT}")
        if not all(isinstance(said[key], str) for key in ("name", "server", "ca")):
            raise KeeperError(_damaged(path))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KeeperError(_damaged(path)) from error
    return dict(said)


def _damaged(path: Path) -> str:
    """Without what is in it: that is secret."""
    return f"{path}: cannot be read, or is damaged: bring another, made with 'carehub ca claim'"
