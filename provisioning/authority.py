"""The programme's own certificate authority, for pilots: a directory that `broker/authority.sh` keeps.

Beside the certificates it keeps the broker's list of clients (`clients`, the form of `broker/acl.py`): who is
certified is entered, who is revoked is struck out, so that a hub that was just provisioned may publish
without an edit by hand. How that list reaches the broker is the programme's matter: where the directory has
an executable `publish`, it is run in it after each change of the list or of the revoked.
"""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from hub.clock import now
from hub.uplink.certificate import CertificateError, ends_of_file
from provisioning import machines
from provisioning.broker import acl
from provisioning.certificate_files import is_pair_for, pem_of
from provisioning.claims import ClaimRefusedError, Claims
from provisioning.clients import Clients, check_name
from provisioning.errors import ProvisioningError
from provisioning.index import Certificate, Index
from provisioning.locking import locked
from provisioning.openssl import in_words, key_of_request, openssl, read, run, write
from provisioning.publishing import Publishing

_log = logging.getLogger(__name__)

TERM_DAYS = 825
"""For how long a certificate is good, where nothing else is said."""

_SCRIPT = Path(__file__).parent / "broker" / "authority.sh"
_REQUEST = re.compile(
    r"-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----.+?-----END (?:NEW )?CERTIFICATE REQUEST-----", re.DOTALL
)
_PAGE_ENDS_SOON = timedelta(days=60)
_AUTHORITY_ENDS_SOON, _REVOCATIONS_END_SOON = timedelta(days=365), timedelta(days=90)
_LEAST_RSA_BITS, _LEAST_CURVE_BITS = 2048, 256


class Authority:
    """The authority in a directory. Every method raises `ProvisioningError`.

    Threads and processes may use it at once: each change waits for the one before. `tell` is told of what is
    to be known and stops nothing.
    """

    def __init__(self, directory: Path, tell: Callable[[str], None] = _log.warning) -> None:
        self.directory = directory.absolute()
        self.claims = Claims(self.directory)
        self._clients = Clients(self.clients_file)
        self._publishing = Publishing(self.directory, tell)
        self._index, self._tell = Index(self.directory), tell

    @property
    def certificate_file(self) -> Path:
        """Its own certificate: what a hub has as ca.crt."""
        return self.directory / "ca.crt"

    @property
    def clients_file(self) -> Path:
        """The broker's list of clients."""
        return self.directory / "clients"

    @property
    def ca_pem(self) -> str:
        """Its own certificate."""
        self._must_be()
        return read(self.certificate_file)

    def begin(self) -> None:
        """Make it, in a directory that has none yet, or only what was cut off of one."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ProvisioningError(f"{self.directory}: cannot be made: {error.strerror}") from error
        with locked(self.directory):
            self._clients.write(self._clients.text())
            self._script("begin")

    def broker(self, names: Sequence[str], days: int = TERM_DAYS) -> Path:
        """A new key and a certificate for a server, by all its host names and addresses: the certificate's
        file, named by the first one; the key is beside it."""
        self._check_hosts(names)
        with self._changing():
            self._script("broker", *names, days=days)
        self._publishing.publish()
        return self.directory / f"{names[0]}.crt"

    def page(self, names: Sequence[str], days: int = TERM_DAYS) -> Path:
        """The same for a hub's staff page, which keeps what it has while it is good for these names."""
        self._check_hosts(names)
        certificate = self.directory / f"{names[0]}.crt"
        with self._changing():
            if not self._is_good_for(names):
                self._script("broker", *names, days=days)
        self._publishing.publish()
        return certificate

    def client(self, name: str, days: int = TERM_DAYS) -> Path:
        """A key and a certificate for a client of the ICS, and its line in the list: the certificate's
        file."""
        check_name(name)
        with self._changing():
            clients = self._clients.with_client(acl.Client("ics", name))
            self._script("client", name, days=days)
            self._clients.write(clients)
        self._publishing.publish()
        return self.directory / f"{name}.crt"

    def sign_hub(
        self, request_pem: str, name: str, site_and_hub: tuple[str, str] | None = None, days: int = TERM_DAYS
    ) -> str:
        """The certificate for a hub's request, in PEM, with the name that the authority gives it: the
        request's own word of its name and rights is not believed.

        `site_and_hub` are its site.id and hub.id, where `name` is not SITE.HUB. The request must be signed
        with its own key. The hub is entered into the list of clients.
        """
        with self._changing():
            certificate = self._sign(request_pem, self._clients.hub(name, site_and_hub), days)
        self._publishing.publish()
        return certificate

    def certify(
        self, request_pem: str, name: str, site_and_hub: tuple[str, str], machine: str, replaced: str = ""
    ) -> str:
        """The same for the hub on a machine (`keeper.look`'s number of it), which is noted. `replaced` is
        the machine whose place it takes: what that has is revoked.

        Raises `ProvisioningError` too where it is another machine's by now.
        """
        with self._changing():
            # Looked at before, it may have become another's meanwhile: a copied file, in one fleet.
            other = machines.other_than(self.directory, name, machine)
            if other is not None and other.number != replaced:
                raise ProvisioningError(
                    f"{name}: was certified for another machine while this one was set up: is a site's file a"
                    " copy that wants names of its own?"
                )
            hub = self._clients.hub(name, site_and_hub)
            if other is not None and self._was_given(name):
                self._revoke(name)
            certificate = self._sign(request_pem, hub, TERM_DAYS)
            machines.note(self.directory, name, machine)
        self._publishing.publish()
        return certificate

    def enroll(self, request_pem: str, name: str, secret: str, address: str) -> str:
        """The first certificate of a hub that has a claim, in PEM; the same again where the answer was lost.

        Raises:
            ClaimRefusedError: the claim is not good, or its certificate is not in force any more.
        """
        key = key_of_request(request_pem)
        with self._changing():
            was_given = self.claims.take(name, secret, key, address)
            certificate = self._in_force(name, key)
            if certificate is None and was_given:
                why = "the certificate that was given for it is not in force any more"
                self.claims.note("refused", name, address, key, why)
                raise ClaimRefusedError(f"{name}: {why}")
            certificate = certificate or self._sign(request_pem, self._clients.hub(name))
            if not was_given:
                # Its line may have been cut off.
                self._clients.write(self._clients.with_client(self._clients.hub(name)))
                self.claims.was_used(name, secret, key, address)
        self._publishing.publish()
        return certificate

    def renew(self, request_pem: str, name: str, serial: str, address: str) -> str:
        """The next certificate of a hub that has shown one with that serial number (hexadecimal), in PEM; the
        same again where the answer was lost.

        Raises:
            ClaimRefusedError: that one is revoked, or is no hub's.
        """
        key = key_of_request(request_pem)
        with self._changing():
            # Nobody revokes between this and the signature.
            if not self._is_good_hub(name, serial):
                self.claims.note("refused", name, address, key, "its certificate is revoked, or is no hub's")
                raise ClaimRefusedError(f"{name}: its certificate is revoked, or is no hub's")
            certificate = self._in_force(name, key, serial)
            if certificate is None:
                certificate = self._sign(request_pem, self._clients.hub(name))
                self.claims.note("renewed", name, address, key)
        self._publishing.publish()
        return certificate

    def revoke(self, name: str) -> None:
        """No certificate of that name is good any more, nor a claim, and it is struck from the list of
        clients: that silences it at once, and is done and published whatever fails of the others."""
        check_name(name)
        self._must_be()
        try:
            with locked(self.directory):
                self._revoke(name)
        finally:
            self._publishing.publish()

    def _revoke(self, name: str) -> None:
        """Under the lock."""
        self._clients.write(self._clients.without(name))
        try:
            self.claims.end(name)
        finally:
            if self._index.is_damaged():
                self._script("heal")
            # Also where all are revoked already: it may have been cut off before there was a list of them.
            if self._was_given(name) or not any(each.name == name for each in self.claims.all()):
                self._script("revoke", name)

    def _was_given(self, name: str) -> bool:
        return any(each.name == name for each in self._all_certificates())

    def publish(self) -> None:
        """Bring to the broker what it does not know of yet, where that failed before."""
        self._must_be()
        self._publishing.publish(wait=False)

    def is_published(self) -> bool:
        """Whether the broker knows of the last change, where `publish` has to tell it."""
        self._must_be()
        return not self._publishing.is_outstanding()

    def renew_revocations(self) -> None:
        """Make the list of the revoked anew, before it ends."""
        with self._changing():
            self._script("revocations")
        self._publishing.publish()

    def certificates(self) -> list[Certificate]:
        """The newest of each name, by name."""
        newest = {each.name: each for each in self._all_certificates()}
        return [newest[name] for name in sorted(newest)]

    def is_revoked(self, name: str) -> bool:
        """Whether the newest certificate of that name is revoked."""
        return any(each.name == name and each.revoked for each in self.certificates())

    def _all_certificates(self) -> list[Certificate]:
        """The oldest first."""
        self._must_be()
        return self._index.certificates(self._clients.rights())

    def access(self) -> str:
        """mosquitto's access list."""
        self._must_be()
        return acl.rules(self._clients.all())

    def warnings(self) -> list[str]:
        """What of the authority itself nears its end."""
        self._must_be()
        said, moment = [], now()
        try:
            left = min(ends_of_file(self.certificate_file)) - moment
        except CertificateError as error:
            raise ProvisioningError(str(error)) from error
        if left < _AUTHORITY_ENDS_SOON:
            said.append(
                f"{self.certificate_file}: the authority ends in {left // timedelta(days=1)} days: begin"
                " another in another directory, and give the hubs and the broker both ca.crt in one file, and"
                " the broker both revoked.crl in one file, both made anew with 'carehub ca revocations', and"
                " both access lists one behind the other"
            )
        try:
            shown = openssl("crl", "-in", str(self.directory / "revoked.crl"), "-noout", "-nextupdate")
        except ProvisioningError:
            said.append(
                f"{self.directory}/revoked.crl: is not there, or cannot be read, and the broker must have it:"
                f" make it anew with 'carehub ca revocations {self.directory}'"
            )
            return said
        ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(shown.strip().partition("=")[2]), UTC)
        if ends - moment < _REVOCATIONS_END_SOON:
            said.append(
                f"{self.directory}/revoked.crl: the list of the revoked ends in"
                f" {(ends - moment) // timedelta(days=1)} days, and then the broker keeps everybody out: make"
                f" it anew with 'carehub ca revocations {self.directory}', and bring it to the broker"
            )
        return said

    def _must_be(self) -> None:
        if not self.certificate_file.exists():
            raise ProvisioningError(
                f"{self.directory}: is no authority's directory (ca.crt is not there): make one with 'carehub"
                f" ca begin {self.directory}'"
            )

    def _check_hosts(self, names: Sequence[str]) -> None:
        if not names:
            raise ProvisioningError("a server's certificate needs its names or addresses")
        for name in names:
            _check_host(name)
        if names[0] in {client.name for client in self._clients.all()}:
            raise ProvisioningError(f"{names[0]}: is a client's name already, in {self.clients_file}")

    def _is_good_for(self, names: Sequence[str]) -> bool:
        newest = self._newest(names[0])
        if newest is None or newest.revoked or newest.ends - now() < _PAGE_ENDS_SOON:
            return False
        return is_pair_for(self.directory, newest, names)

    def _newest(self, name: str) -> Certificate | None:
        return next((each for each in self.certificates() if each.name == name), None)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        self._must_be()
        with locked(self.directory):
            if self._index.is_damaged():
                self._script("heal")
            yield

    def _sign(self, request_pem: str, hub: acl.Client, days: int = TERM_DAYS) -> str:
        """Under the lock."""
        found = _REQUEST.search(request_pem)
        if found is None:
            raise ProvisioningError(f"{hub.name}: what is to be signed is no certificate request in PEM")
        clients = self._clients.with_client(hub)
        waiting = self.directory / f"{hub.name}.csr.new"
        write(waiting, found[0] + "\n", 0o600)
        try:
            self._check_key(waiting, hub.name)
            self._script("sign", waiting.name, hub.name, days=days)
            waiting.replace(self.directory / f"{hub.name}.csr")
        finally:
            waiting.unlink(missing_ok=True)
        self._clients.write(clients)
        return read(self.directory / f"{hub.name}.crt")

    def _in_force(self, name: str, key: str, shown: str = "-1") -> str | None:
        """The certificate of that name, where it is of that public key (its SHA-256), and is not the one that
        was shown to be renewed."""
        newest = self._newest(name)
        if newest is None or newest.revoked or newest.ends <= now():
            return None
        return pem_of(self.directory, newest, key) if int(newest.serial, 16) != int(shown, 16) else None

    def _is_good_hub(self, name: str, serial: str) -> bool:
        """Whether that certificate is a hub's, and was not revoked."""
        if not any(each.role == "hub" and each.name == name for each in self._clients.all()):
            return False
        return any(
            each.name == name and int(each.serial, 16) == int(serial, 16) and not each.revoked
            for each in self._all_certificates()
        )

    def _script(self, *arguments: str, days: int = TERM_DAYS) -> None:
        ended = run(["sh", str(_SCRIPT), str(self.directory), *arguments], {"DAYS": str(days)})
        if ended.returncode != 0:
            raise ProvisioningError(in_words(ended.stderr, arguments))
        if ended.stderr.startswith("authority.sh: "):
            self._tell(in_words(ended.stderr, arguments))

    def _check_key(self, request: Path, name: str) -> None:
        text = openssl("req", "-in", str(request), "-noout", "-text")
        bits = re.search(r"Public-Key: \((\d+) bit", text)
        least = _LEAST_RSA_BITS if re.search(r"Public Key Algorithm: rsa", text) else _LEAST_CURVE_BITS
        if bits is not None and int(bits[1]) < least:
            raise ProvisioningError(
                f"{name}: the request's key is too weak: make one of the curve P-256, or of RSA with"
                f" {_LEAST_RSA_BITS} bits at the least"
            )


def _check_host(name: str) -> None:
    try:
        ip_address(name)
    except ValueError:
        check_name(name)
