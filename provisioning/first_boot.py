"""A first boot without an engineer: what lies on the card's boot partition is brought about, then removed.

The site's file is planned and applied as `carehub provision` does it, by the same code, on the machine
itself. A power cut at any moment leaves the folder as it was: at the next start it is taken in again.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.config import ConfigError
from provisioning.errors import ProvisioningError
from provisioning.keeper import apply as applying
from provisioning.keeper import certificates
from provisioning.keeper import claim as claims
from provisioning.keeper.applying_files import access, replace
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.held import held
from provisioning.keeper.places import USER, Places
from provisioning.keeper.resources import Outcome, Resource
from provisioning.keeper.slots import Slots
from provisioning.plan import Login, desired
from provisioning.site_file import Site, load

FOLDER = Path("/boot/firmware/carehub")
"""On the partition that any laptop reads."""

SITE, STATUS, README = "site.toml", "status.txt", "README.txt"
KEY, CERTIFICATE, REQUEST = "hub.key", "hub.crt", "hub.csr"

CLAIM = claims.FILE_NAME

_HELD_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What became of it: `done`, and the folder is empty; or what is missing still, in `words`."""

    done: bool
    words: str
    request: str = ""


def take_in(folder: Path, places: Places, tell: Callable[[str], None]) -> TakenIn:
    """Bring about what the folder's site.toml says. What is done, or is missing, is in its status.txt too.

    Raises:
        ConfigError: the site's file is wrong.
        ProvisioningError: there is none, no release is in force, or the folder cannot be written to.
    """
    found = _tried(folder, places, tell)
    if found.request and (folder / CLAIM).exists():
        # Not tried above: offline this waits for as long as it takes, and then the partition is read-only.
        try:
            certificate = claims.redeem(claims.read(folder / CLAIM), found.request, tell)
        except KeeperError as error:
            raise ProvisioningError(str(error)) from error
        found = _tried(folder, places, tell, certificate)
    return found


def _tried(folder: Path, places: Places, tell: Callable[[str], None], certificate: str = "") -> TakenIn:
    with _writable(folder):
        try:
            found = _TakingIn(folder, places, tell).all(certificate)
        except (ConfigError, ProvisioningError, KeeperError) as error:
            _say(folder, f"not done: {error}")
            if isinstance(error, KeeperError):
                raise ProvisioningError(str(error)) from error
            raise
        if found.done:
            _empty(folder)
        _say(folder, found.words)
    return found


class _TakingIn:
    def __init__(self, folder: Path, places: Places, tell: Callable[[str], None]) -> None:
        self._folder, self._places, self._tell = folder, places, tell

    def all(self, certificate: str = "") -> TakenIn:
        if not (self._folder / SITE).is_file():
            raise ProvisioningError(f"{self._folder} has no {SITE}: put the hub's configuration there")
        site = load(self._folder / SITE)
        claim = self._claim(site.name)
        certificate = certificate or self._certificate()
        resources = self._wanted(site, certificate)
        with held(self._places, "the first boot", _HELD_SECONDS):
            if certificate and (self._folder / KEY).exists():
                self._own_key(site.name)
            outcomes = self._applied(resources)
        request = next((each.request for each in outcomes if each.request), "")
        failed = [each for each in outcomes if each.change == "failed"]
        if request:
            (self._folder / REQUEST).write_text(request, encoding="ascii")
            if claim is not None:
                words = f"{site.name} waits for its certificate from {claim.server.address}"
                return TakenIn(False, words, request)
            return TakenIn(
                False,
                f"{site.name} waits for its certificate: have {REQUEST} signed, put it here as {CERTIFICATE},"
                " and start the hub again",
            )
        if claim is not None:
            claims.remember(self._places, claim)
        if failed:
            lines = "\n".join(f"  {each.title}: {each.detail}" for each in failed)
            return TakenIn(False, f"{site.name} is set up, but for this:\n{lines}")
        return TakenIn(True, f"{site.name} is set up, and runs")

    def _wanted(self, site: Site, certificate: str) -> list[Resource]:
        release = Slots(self._places).in_force()
        if release is None:
            raise ProvisioningError("no release is in force on this machine: flash the image anew")
        if site.config.broker.tls and not site.carried.broker_ca:
            raise ProvisioningError(
                f"{SITE}: give [authority] external = true and broker.ca_file, and put that file beside it"
            )
        signers = site.carried.release_signers or self._places.signers.read_text(encoding="utf-8")
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        ca_pem = site.carried.broker_ca
        return desired(site, ca_pem, release, python, signers, certificate, login=Login("root"))

    def _applied(self, resources: Sequence[Resource]) -> list[Outcome]:
        outcomes = []
        for outcome in applying.apply(resources, self._places, dry_run=False):
            outcomes.append(outcome)
            if outcome.change != "none":
                self._tell(f"{outcome.change}: {outcome.title}{outcome.detail and f': {outcome.detail}'}")
        return outcomes

    def _claim(self, name: str) -> claims.Claim | None:
        """By which the certificate is had; None where there is none, and a person brings it."""
        if not (self._folder / CLAIM).exists():
            return None
        claim = claims.read(self._folder / CLAIM)
        if claim.name != name:
            raise ProvisioningError(f"{CLAIM} is {claim.name}'s, and {SITE} is {name}'s: bring the right one")
        return claim

    def _certificate(self) -> str:
        """For the request that waits, or with a key of its own; empty where there is none yet."""
        try:
            return (self._folder / CERTIFICATE).read_text(encoding="ascii")
        except FileNotFoundError:
            return ""
        except (OSError, ValueError) as error:
            raise ProvisioningError(f"{CERTIFICATE} cannot be read: {error}") from error

    def _own_key(self, name: str) -> None:
        """A key that was made beforehand waits for its certificate like one that the keeper makes here."""
        identity, content = self._places.identity, (self._folder / KEY).read_bytes()
        identity.mkdir(mode=0o750, parents=True, exist_ok=True)
        pairs = [each for each in identity.iterdir() if each.name.isdecimal()]
        if any((each / KEY).read_bytes() == content for each in pairs):
            return
        # Whose it will be: users come with the rest, and that is later.
        users = self._places.current / "systemd/sysusers.d/carehub.conf"
        _run("systemd-sysusers", users)
        new = identity / ".new"
        new.mkdir(mode=0o700, exist_ok=True)
        key = new / KEY
        replace(key, content, access(self._places.root, "0640", "root", USER))
        certificates.openssl(
            "req", "-new", "-sha256", "-key", str(key), "-subj", f"/CN={name}", "-out", str(new / REQUEST)
        )
        for directory in (identity, new):
            os.chown(directory, 0, key.stat().st_gid)
            directory.chmod(0o750)
        new.rename(identity / str(max((int(each.name) for each in pairs), default=0) + 1))


def _say(folder: Path, words: str) -> None:
    with contextlib.suppress(OSError):  # it is in the journal too
        (folder / STATUS).write_text(f"{words}\n", encoding="utf-8")


def _empty(folder: Path) -> None:
    """All that is private goes, site.toml last: without it nothing is taken in."""
    try:
        for path in sorted(folder.iterdir(), key=lambda each: each.name == SITE):
            if path.name not in (README, STATUS) and path.is_file():
                path.write_bytes(b"\0" * path.stat().st_size)
                path.unlink()
    except OSError as error:
        raise ProvisioningError(f"{folder} cannot be emptied: {error.strerror}") from error


@contextlib.contextmanager
def _writable(folder: Path) -> Iterator[None]:
    """The boot partition is read-only at all other times."""
    partition = folder.parent
    if not partition.is_mount():
        yield
        return
    _mount("rw", partition)
    try:
        yield
    finally:
        os.sync()
        _mount("ro", partition)


def _mount(how: str, partition: Path) -> None:
    _run("mount", "-o", f"remount,{how}", partition)


def _run(*command: str | Path) -> None:
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if said.returncode:
        raise ProvisioningError(f"{' '.join(map(str, command))}: {said.stderr.strip()}")
