"""A first boot without an engineer: what lies on the card's boot partition is brought about.

The site's file is planned and applied as `carehub provision` does it, by the same code, on the machine
itself. As soon as the file is found good, all that lies beside it is taken off the card
(`boot_folder.Kept`), whatever comes after that; a power cut at any moment, and the next start goes on. So
what lies on the card at a later start was put there anew, and is brought about too; and a machine that
`carehub provision` set up meanwhile does not go back to what the card said (`forget`).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.configuration.file import ConfigError
from provisioning.boot_folder import CERTIFICATE, KEY, REQUEST, SITE, Card, Kept, left_of
from provisioning.errors import ProvisioningError
from provisioning.home_network import one_of_each_network
from provisioning.keeper import apply as applying
from provisioning.keeper import certificates
from provisioning.keeper import claim as claims
from provisioning.keeper.applying_files import access, replace
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.held import held
from provisioning.keeper.look import name_of
from provisioning.keeper.places import USER, Places
from provisioning.keeper.resources import Outcome, Resource
from provisioning.keeper.slots import Slots
from provisioning.keeper.ways_in import network, ways_in
from provisioning.plan import Login, desired
from provisioning.site_file import Site, load

FOLDER = Path("/boot/firmware/carehub")
"""On the partition that any laptop reads."""

CLAIM = claims.FILE_NAME

_HELD_SECONDS = 60.0
_PROVISIONED = "this hub was set up by 'carehub provision': what was on this card counts no more"
_CLAIM_UNUSED = (
    "it has a certificate that is good by its dates, for which the claim was not used: where that one is"
    " revoked, run 'carehub provision'"
)
_NO_LOGIN = "nobody can log in to it: machine.ssh.authorized_keys is empty"


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What became of it: `done`, and nothing of it is on the card; or what is missing still, in `words`."""

    done: bool
    words: str
    request: str = ""


class _ProvisionedError(ProvisioningError):
    """An engineer has set the machine up meanwhile."""


def take_in(folder: Path, places: Places, tell: Callable[[str], None]) -> TakenIn:
    """Bring about what the folder's site.toml says. What is done, or is missing, is in its status.txt too.

    Raises:
        ConfigError: the site's file is wrong.
        ProvisioningError: there is none, no release is in force, or the machine cannot be written to.
    """
    card = Card(folder)
    try:
        found = _TakingIn(card, places, tell).all()
    except _ProvisionedError as error:
        found = TakenIn(True, str(error))
    except (ConfigError, ProvisioningError, KeeperError) as error:
        card.say(f"not done: {error}")
        if isinstance(error, KeeperError):
            raise ProvisioningError(str(error)) from error
        raise
    except OSError as error:
        words = f"{error.filename or places.etc}: {error.strerror}"
        card.say(f"not done: {words}")
        raise ProvisioningError(words) from error
    card.say(found.words)
    return found


def forget(folder: Path, places: Places) -> None:
    """The machine was set up otherwise: have what is on the card, and what was taken off it, count no more.

    Raises:
        ProvisioningError: the card cannot be emptied, which counts no more all the same; or the machine
            cannot be written to.
    """
    card, kept = Card(folder), Kept(places)
    there = card.files()
    try:
        kept.take(there, anew=SITE in there)
        kept.settle()
        card.empty([*there, REQUEST])
        kept.remove()
    except OSError as error:
        raise ProvisioningError(f"{kept.directory} cannot be written: {error.strerror}") from error
    card.say(_PROVISIONED)


class _TakingIn:
    def __init__(self, card: Card, places: Places, tell: Callable[[str], None]) -> None:
        self._card, self._places, self._tell = card, places, tell
        self._kept = Kept(places)

    def all(self) -> TakenIn:
        with self._held():
            trouble = self._take_off_the_card()
            if not self._kept.pending:  # only of emptying the card something was left
                return self._over(TakenIn(True, "this hub is set up already"), trouble)
            found = self._brought_about()
        claim = self._claim(self._kept.directory)
        if found.request and claim is not None:
            # Offline this waits for as long as it takes: nothing is held meanwhile.
            certificate = claims.redeem(claim, found.request, self._waits)
            with self._held():
                self._still_pending()
                found = self._brought_about(certificate)
        return self._over(found, trouble)

    def _take_off_the_card(self) -> str:
        """What was put there is kept, and the card emptied. Why not all of it, where something was kept
        before: then that goes on."""
        pending = self._kept.pending
        try:
            there = self._card.files()
            self._take(there)
            self._card.empty(there)
        except (ConfigError, ProvisioningError, KeeperError) as error:
            if not (pending or self._kept.pending):
                raise
            self._tell(str(error))
            return str(error)
        return ""

    def _take(self, there: dict[str, bytes]) -> None:
        before = self._kept.files()
        whole = {name: content for name, content in there.items() if not left_of(content, before.get(name))}
        if not whole:
            if not self._kept.directory.exists():
                raise ProvisioningError(
                    f"{self._card.folder} has no {SITE}: put the hub's configuration there"
                )
            return
        anew = SITE in whole
        if not anew and SITE not in before:
            raise ProvisioningError(f"{self._card.folder} has no {SITE}: put it beside {', '.join(whole)}")
        self._check(load((self._card.folder if anew else self._kept.directory) / SITE), whole)
        # Beside a new site.toml may be what a cut left of the files before.
        brought = {name: whole.get(name, before.get(name, b"")) for name in there}
        self._kept.take(brought if anew else {**before, **brought}, anew=anew)
        try:
            load(self._kept.directory / SITE)  # it names nothing outside of the folder
        except ConfigError:
            self._kept.remove()
            raise

    def _check(self, site: Site, brought: dict[str, bytes]) -> None:
        """What a person with a laptop has to put right on the card, before it is taken off."""
        self._check_data(site)
        self._wanted(site, "")
        claim = self._claim(self._card.folder) if CLAIM in brought else None
        if claim is not None and claim.name != site.name:
            raise ProvisioningError(
                f"{CLAIM} is {claim.name}'s, and {SITE} is {site.name}'s: bring the right one"
            )
        if CERTIFICATE in brought:
            self._certificate(self._card.folder)

    def _check_data(self, site: Site) -> None:
        """As `provision` does it."""
        before = name_of(self._places).partition(".")[0]
        data = self._places.data
        if before and before != site.config.site.id and data.is_dir() and any(data.iterdir()):
            raise ProvisioningError(
                f"this machine is a hub of {before} today, and {SITE} makes it {site.name}: what was measured"
                " in the other home would be taken for this one's residents'. Remove it first, on the hub:"
                f" 'sudo systemctl stop carehub carehub-page && sudo rm -r {data}'; or flash the card anew"
            )

    def _brought_about(self, certificate: str = "") -> TakenIn:
        site, claim = load(self._kept.directory / SITE), self._claim(self._kept.directory)
        certificate = certificate or self._certificate(self._kept.directory)
        resources = self._wanted(site, certificate)
        if certificate and (self._kept.directory / KEY).exists():
            self._own_key(site.name)
        outcomes = self._applied(resources)
        request = next((each.request for each in outcomes if each.request), "")
        failed = [each for each in outcomes if each.change == "failed"]
        if request and claim is not None:
            return TakenIn(
                False, f"{site.name} waits for its certificate from {claim.server.address}", request
            )
        if request:
            self._card.leave(REQUEST, request)
            return TakenIn(
                False,
                f"{site.name} waits for its certificate: have {REQUEST} signed, put it here as {CERTIFICATE},"
                " and start the hub again",
            )
        unused = ""
        if claim is not None:
            claims.remember(self._places, claim)
            unused = "" if certificate else f"; {_CLAIM_UNUSED}"
        if failed:
            lines = "\n".join(f"  {each.title}: {each.detail}" for each in failed)
            return TakenIn(False, f"{site.name} is set up, but for this:\n{lines}")
        self._kept.settle()
        login = "" if site.machine.ssh.authorized_keys else f"; {_NO_LOGIN}"
        return TakenIn(True, f"{site.name} is set up, and runs{login}{unused}")

    def _over(self, found: TakenIn, trouble: str) -> TakenIn:
        """The end of this start. `trouble`: what is on the card still, and why."""
        if trouble:
            return TakenIn(False, f"{found.words}\nOf what is on this card: {trouble}")
        if found.done:
            self._card.empty([REQUEST])
            self._kept.remove()
        return found

    def _held(self) -> contextlib.AbstractContextManager[None]:
        return held(self._places, "the first boot", _HELD_SECONDS)

    def _still_pending(self) -> None:
        if not self._kept.pending:
            raise _ProvisionedError(_PROVISIONED)

    def _waits(self, words: str) -> None:
        self._still_pending()
        self._card.say(f"not done yet: {words}")
        self._tell(words)

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
        return desired(site, ca_pem, release, python, signers, certificate, login=self._login())

    def _login(self) -> Login:
        """What sshd's own files say goes on letting in, as an engineer may have set it up over SSH before:
        each port, and each place of keys. A key that is struck off is so for every login."""
        sshd, now = ways_in(self._places.root, "root"), network(self._places.root)
        return Login(
            "root", tuple(sorted({22, *sshd.ports})), key_files=sshd.key_files, others=sshd.key_logins,
            root_login=sshd.root_login, addresses=tuple(one_of_each_network(now.addresses)),
        )  # fmt: skip

    def _applied(self, resources: Sequence[Resource]) -> list[Outcome]:
        outcomes = []
        for outcome in applying.apply(resources, self._places, dry_run=False):
            outcomes.append(outcome)
            if outcome.change != "none":
                self._tell(f"{outcome.change}: {outcome.title}{outcome.detail and f': {outcome.detail}'}")
        return outcomes

    def _claim(self, where: Path) -> claims.Claim | None:
        """By which the certificate is had; None where there is none, and a person brings it."""
        return claims.read(where / CLAIM) if (where / CLAIM).exists() else None

    def _certificate(self, where: Path) -> str:
        """For the request that waits, or with a key of its own; empty where there is none yet."""
        try:
            return (where / CERTIFICATE).read_text(encoding="ascii")
        except FileNotFoundError:
            return ""
        except (OSError, ValueError) as error:
            raise ProvisioningError(f"{CERTIFICATE} cannot be read: {error}") from error

    def _own_key(self, name: str) -> None:
        """A key that was made beforehand waits for its certificate like one that the keeper makes here."""
        identity, content = self._places.identity, (self._kept.directory / KEY).read_bytes()
        identity.mkdir(mode=0o750, parents=True, exist_ok=True)
        pairs = [each for each in identity.iterdir() if each.name.isdecimal()]
        if any((each / KEY).read_bytes() == content for each in pairs):
            return
        # Whose it will be: users come with the rest, and that is later.
        _run("systemd-sysusers", self._places.current / "systemd/sysusers.d/carehub.conf")
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


def _run(*command: str | Path) -> None:
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if said.returncode:
        raise ProvisioningError(f"{' '.join(map(str, command))}: {said.stderr.strip()}")
