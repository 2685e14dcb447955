"""Claims: one-time secrets by which a hub gets its first certificate, with no engineer beside it.

`carehub ca claim` makes one; it goes to the hub on its card. Of the secret only the SHA-256 is kept (it has
256 bits, so nobody finds it by trying), and what became of it. A claim is good for one key and one
certificate: the same hub may ask again until the claim ends, where the answer was lost, and gets the same
certificate, which is of no use without its key; another key is refused, which is noted. Revoking a hub ends
its claims.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hub.clock import now
from provisioning.clients import Clients
from provisioning.errors import ProvisioningError
from provisioning.keeper.claim import FILE_NAME, FORMAT
from provisioning.locking import locked
from provisioning.openssl import read, write

GOOD_DAYS = 30
_SECRET_BYTES = 32


class ClaimRefusedError(ProvisioningError):
    """No such claim, or it is used or has ended. Who asks is not told which; the trail is."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One that was made. `key` is the SHA-256 of the public key that used it, empty while none did; times are
    aware."""

    name: str
    until: datetime
    key: str
    used_at: datetime | None
    used_from: str


class Claims:
    """Those in an authority's directory. Every method raises `ProvisioningError`; threads and processes may
    use them at once."""

    def __init__(self, directory: Path) -> None:
        self._authority = directory
        self._directory = directory / "claims"
        self._trail = directory / "claims.log"

    def make(self, name: str, server: str, folder: Path, days: int = GOOD_DAYS) -> bool:
        """Make one, for one certificate by that name: the files `claim`, which alone has the secret, and
        ca.crt, in a folder that is there. A name that could not be signed later is refused now.

        Whether the folder's ca.crt is this authority's: another that is there already is the broker's, and
        stays. (Whom the server has to be certified by is in the claim itself.)
        """
        Clients(self._authority / "clients").hub(name)
        secret, ca_pem = secrets.token_urlsafe(_SECRET_BYTES), read(self._authority / "ca.crt")
        claim = {"format": FORMAT, "name": name, "server": server, "ca": ca_pem, "secret": secret}
        if not folder.is_dir():
            raise ProvisioningError(f"{folder}: is no folder: mount the card, and give its folder carehub")
        with self._locked():
            until = (now() + timedelta(days=days)).isoformat()
            made = {"name": name, "until": until, "key": "", "used_at": None, "used_from": ""}
            self._write(_hash(secret), made)
            self._note("made", name)
        brokers = folder / "ca.crt"
        if not brokers.exists():
            write(brokers, ca_pem, 0o644)
        write(folder / FILE_NAME, json.dumps(claim) + "\n", 0o600)
        return read(brokers).split() == ca_pem.split()

    def take(self, name: str, secret: str, key: str, address: str) -> bool:
        """Have a claim be of a public key (its SHA-256), and from now on of no other; whether a certificate
        was given for it before: then that one may be given again, and no other.

        Raises:
            ClaimRefusedError: it is no claim for that name, or another key took it, or it has ended.
        """
        with self._locked():
            kept = _hash(secret)
            said = self._read(kept) if (self._directory / f"{kept}.json").exists() else {}
            why = "no such claim" if said.get("name") != name else ""
            if not why and said["key"] and said["key"] != key:
                why = f"another key used it on {said['used_at']}, from {said['used_from']}"
            if not why and datetime.fromisoformat(said["until"]) <= now():
                why = "it has ended"
            if why:
                # Of names that nobody has heard of strangers could write as much as they like.
                if said or any(each.name == name for each in self.all()):
                    self._note("refused", name, address, key, why)
                raise ClaimRefusedError(f"{name}: {why}")
            if not said["key"]:
                self._write(kept, {**said, "key": key, "used_from": address})
            return said["used_at"] is not None

    def was_used(self, name: str, secret: str, key: str, address: str) -> None:
        """Note that a certificate was given for it, which is the only one."""
        with self._locked():
            used = {"key": key, "used_at": now().isoformat(), "used_from": address}
            self._write(_hash(secret), {**self._read(_hash(secret)), **used})
            self._note("claimed", name, address, key)

    def end(self, name: str) -> int:
        """End all of that name, used or not; how many there were that had not ended."""
        with self._locked():
            said = {path.stem: self._read(path.stem) for path in self._directory.glob("*.json")}
            open_ones = {
                kept: each
                for kept, each in said.items()
                if each["name"] == name and datetime.fromisoformat(each["until"]) > now()
            }
            for kept, each in open_ones.items():
                self._write(kept, {**each, "until": now().isoformat()})
            if open_ones:
                self._note("revoked", name)
            return len(open_ones)

    def all(self) -> list[Claim]:
        """By name."""
        found = [self._read(path.stem) for path in self._directory.glob("*.json")]
        claims = [
            Claim(
                each["name"],
                datetime.fromisoformat(each["until"]),
                each["key"],
                datetime.fromisoformat(each["used_at"]) if each["used_at"] else None,
                each["used_from"],
            )
            for each in found
        ]
        return sorted(claims, key=lambda claim: (claim.name, claim.until))

    def note(self, what: str, name: str, address: str = "", key: str = "", why: str = "") -> None:
        """Append a line to the trail, claims.log: what happened, when, to which name, from where."""
        with self._locked():
            self._note(what, name, address, key, why)

    def _note(self, what: str, name: str, address: str = "", key: str = "", why: str = "") -> None:
        line = {"at": now().isoformat(), "what": what, "name": name, "from": address, "key": key, "why": why}
        try:
            file = os.open(self._trail, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.write(
                    file, (json.dumps({key: value for key, value in line.items() if value}) + "\n").encode()
                )
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            raise ProvisioningError(f"{self._trail}: cannot be written: {error.strerror}") from error

    def _write(self, kept: str, said: dict[str, Any]) -> None:
        write(self._directory / f"{kept}.json", json.dumps(said) + "\n", 0o600)

    def _read(self, kept: str) -> dict[str, Any]:
        path = self._directory / f"{kept}.json"
        try:
            said = json.loads(read(path))
            return {key: said[key] for key in ("name", "until", "key", "used_at", "used_from")}
        except (ValueError, KeyError, TypeError) as error:
            raise ProvisioningError(f"{path}: is damaged: remove it, and make another claim") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if not (self._authority / "ca.crt").exists():
            raise ProvisioningError(f"{self._authority}: is no authority's directory (ca.crt is not there)")
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise ProvisioningError(f"{self._directory}: cannot be written: {error.strerror}") from error
        with locked(self._authority, "claims/.lock"):
            yield


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
