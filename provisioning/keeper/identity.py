"""The hub's key and certificate: the key is made on the machine and never leaves it.

/etc/carehub/identity has a numbered directory for each pair, and `current`, a link to the one in force. A
directory is there only once it has its key and request; the certificate is put beside them; then the link is
switched, in one step. Whenever the power goes, `current` leads to a whole pair or is not there yet, and the
next run goes on where the last one was cut. The hub reads its files at each connection: a switched link is
taken up by itself.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from provisioning.keeper import certificates
from provisioning.keeper.applying_files import Access, access, replace
from provisioning.keeper.atomic import Disk, sync
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.places import USER, Places
from provisioning.keeper.resources import Identity, Outcome, title

_KEPT = "the old one stays in force"


@dataclass(frozen=True, slots=True)
class Pair:
    """A numbered directory with its key and request, and the certificate once it has been given."""

    directory: Path

    @property
    def number(self) -> int:
        """Higher is newer."""
        return int(self.directory.name)

    @property
    def certificate(self) -> Path:
        """Its file, which may not be there."""
        return self.directory / "hub.crt"


def ensure(places: Places, wanted: Identity, *, dry_run: bool) -> Outcome:
    """Have a key and a certificate for that name, or the request for one in the outcome.

    A request that was not answered yet is told again, the same: "none" is changed by that. A certificate is
    taken only with its key, of that name, from the authority in authority.crt (in ca.crt, where that is not
    there), and before its end; what is wrong with it is an outcome "failed", and the pair in force stays.

    Raises:
        KeeperError: openssl is not there, or there is no group of the hub.
        OSError: the card does not take it.
    """
    keeping = _Keeping(places, wanted, dry_run=dry_run)
    return keeping.given(wanted.certificate) if wanted.certificate else keeping.renewed()


class _Keeping:
    def __init__(self, places: Places, wanted: Identity, *, dry_run: bool) -> None:
        self._places, self._wanted, self._dry_run = places, wanted, dry_run
        self._link = places.identity / "current"
        # Who signs the hubs may be another than who signed the broker's certificate.
        own = places.etc / "authority.crt"
        self._authority = own if own.exists() else places.etc / "ca.crt"
        self._disk = Disk()

    def renewed(self) -> Outcome:
        """Without a certificate: a request where one is needed."""
        current = self._current()
        if self._wanted.anew:
            return self._asked_anew(current, self._wanted.anew)
        for pair in self._newer_than(current):
            # A cut between the certificate and the link.
            if pair.certificate.exists() and not self._why_not(pair):
                return self._take_up(pair, "")
        why = self._why_not(current, timedelta(days=self._wanted.renew_days))
        request = self._waiting_request(current)
        if request:
            # Also where the present one seems good: that may be revoked already, for what waits here.
            why = why or "another was asked for"
            return self._said("none", f"{why}; its request waits to be signed", request)
        if current is not None and not why:
            ends = certificates.read(current.certificate.read_text()).ends
            return self._said("none", f"good until {ends:%Y-%m-%d}")
        return self._asked_anew(current, why)

    def _asked_anew(self, current: Pair | None, why: str) -> Outcome:
        if self._dry_run:
            return self._said("would change", f"{why}: a key and a request would be made")
        return self._said("changed", f"{why}: made a key and a request", self._make(current))

    def given(self, pem: str) -> Outcome:
        """With a certificate: taken up, or refused."""
        try:
            certificate = certificates.read(pem)
        except KeeperError:
            return self._said("failed", f"what was given is no certificate in PEM; {_KEPT}")
        current = self._current()
        good = current is not None and not self._why_not(current)
        in_force = certificates.read(current.certificate.read_text()) if current and good else None
        if in_force is not None and in_force.fingerprint == certificate.fingerprint:
            return self._said("none", f"good until {certificate.ends:%Y-%m-%d}")
        pair = self._of_key(certificate.public_key)
        if pair is None:
            return self._said(
                "failed",
                "the certificate is of no key that waits on this machine: sign the request that it has now;"
                f" {_KEPT}",
            )
        why = self._wrong(certificate, pem)
        if not why and not self._authority.exists():
            why = f"cannot be checked: {self._authority} is not there"
        if why:
            return self._said("failed", f"the certificate {why}; {_KEPT}")
        used = current is not None and pair.number <= current.number
        if used and in_force is not None and certificate.ends <= in_force.ends:
            return self._said("none", f"the one in force is newer: good until {in_force.ends:%Y-%m-%d}")
        early = certificate.begins > datetime.now(UTC)
        warning = (
            f"; not good before {certificate.begins:%Y-%m-%d %H:%M} UTC: is the clock set?" if early else ""
        )
        words = f"good until {certificate.ends:%Y-%m-%d}{warning}"
        if self._dry_run:
            return self._said("would change", words)
        if used:
            pair = self._beside(pair)
        replace(pair.certificate, pem.encode(), self._access("0640"))
        return self._take_up(pair, words)

    def _said(self, change: str, detail: str, request: str = "") -> Outcome:
        return Outcome(title(self._wanted), change, detail, request=request)

    def _access(self, mode: str) -> Access:
        return access(self._places.root, mode, "root", USER)

    def _pairs(self) -> list[Pair]:
        """The oldest first."""
        with suppress(FileNotFoundError, NotADirectoryError):
            found = [each for each in self._places.identity.iterdir() if each.name.isdecimal()]
            return sorted((Pair(each) for each in found), key=lambda pair: pair.number)
        return []

    def _current(self) -> Pair | None:
        """The pair in force; None where the link leads nowhere."""
        with suppress(OSError):
            name = self._link.readlink().name
            if name.isdecimal() and (self._places.identity / name).is_dir():
                return Pair(self._places.identity / name)
        return None

    def _newer_than(self, current: Pair | None) -> list[Pair]:
        """The newest first."""
        return [pair for pair in reversed(self._pairs()) if current is None or pair.number > current.number]

    def _why_not(self, pair: Pair | None, renew: timedelta = timedelta(0)) -> str:
        """Why a pair will not do, in words; empty where it will."""
        if pair is None:
            return "there is no certificate yet"
        try:
            pem = pair.certificate.read_text()
            certificate = certificates.read(pem)
            if certificate.public_key != certificates.public_key_of(pair.directory):
                return "the certificate is not of the key beside it"
        except (OSError, ValueError, KeeperError):
            return "the key or the certificate cannot be read"
        why = self._wrong(certificate, pem)
        if why:
            return f"the certificate {why}"
        near = certificate.ends - datetime.now(UTC) <= renew
        return f"the certificate ends on {certificate.ends:%Y-%m-%d}" if renew and near else ""

    def _wrong(self, certificate: certificates.Certificate, pem: str) -> str:
        if certificate.name != self._wanted.name:
            return f"is for {certificate.name or 'nobody'}, and this hub is {self._wanted.name}"
        if certificate.ends <= datetime.now(UTC):
            return f"ended on {certificate.ends:%Y-%m-%d}"
        if self._authority.exists() and not certificates.is_of(pem, self._authority):
            return f"is of no authority in {self._authority}, or not for a client"
        return ""

    def _waiting_request(self, current: Pair | None) -> str:
        for pair in self._newer_than(current):
            with suppress(KeeperError):
                request, name, _ = certificates.request_of(pair.directory)
                if name == self._wanted.name:
                    return request
        return ""

    def _of_key(self, public_key: str) -> Pair | None:
        for pair in reversed(self._pairs()):
            with suppress(KeeperError):
                if certificates.public_key_of(pair.directory) == public_key:
                    return pair
        return None

    def _make(self, current: Pair | None) -> str:
        """A new key and its request, in the place of what else was waiting: the request."""
        new = self._new_directory()
        certificates.make(new, self._wanted.name)
        for pair in self._newer_than(current):
            self._disk.remove(pair.directory)
        return certificates.request_of(self._into_place(new).directory)[0]

    def _beside(self, pair: Pair) -> Pair:
        """The same key and request under the next number, for another certificate of theirs."""
        new = self._new_directory()
        for name in ("hub.key", "hub.csr"):
            replace(new / name, (pair.directory / name).read_bytes(), Access(0o600))
        return self._into_place(new)

    def _new_directory(self) -> Path:
        identity = self._places.identity
        identity.mkdir(mode=0o750, parents=True, exist_ok=True)
        _give(identity, self._access("0750"))
        new = identity / ".new"
        self._disk.remove(new)
        new.mkdir(mode=0o700)
        return new

    def _into_place(self, new: Path) -> Pair:
        for file in new.iterdir():
            _give(file, self._access("0640"))
        _give(new, self._access("0750"))
        number = max((pair.number for pair in self._pairs()), default=0) + 1
        pair = Pair(self._places.identity / str(number))
        self._disk.rename(new, pair.directory)
        return pair

    def _take_up(self, pair: Pair, words: str) -> Outcome:
        before = self._current()
        words = words or f"good until {certificates.read(pair.certificate.read_text()).ends:%Y-%m-%d}"
        if self._dry_run:
            return self._said("would change", words)
        self._disk.link(self._link, pair.directory.name)
        kept = {pair, before}
        for each in self._pairs():
            if each not in kept:
                self._disk.remove(each.directory)
        return self._said("changed", words)


def _give(path: Path, wanted: Access) -> None:
    """Owner and mode, on the card with what is in it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        wanted.give(descriptor)
    finally:
        os.close(descriptor)
    sync(path)
