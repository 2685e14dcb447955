"""The programme's own certificate authority, for pilots: a directory that `broker/authority.sh` keeps.

Beside the certificates it keeps the broker's list of clients (`clients`, the form of `broker/acl.py`): who is
certified is entered, who is revoked is struck out, so that a hub that was just provisioned may publish
without an edit by hand. How that list reaches the broker is the programme's matter: where the directory has
an executable `publish`, it is run in it after each change of the list or of the revoked.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from hub.clock import now
from hub.uplink.certificate import CertificateError, ends_of_file
from provisioning.broker import acl
from provisioning.errors import ProvisioningError
from provisioning.openssl import in_words, key_of_certificate, openssl, read, run, write

_log = logging.getLogger(__name__)

TERM_DAYS = 825
"""For how long a certificate is good, where nothing else is said."""

_SCRIPT = Path(__file__).parent / "broker" / "authority.sh"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SITE_AND_HUB = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]*)\.([A-Za-z0-9][A-Za-z0-9_-]*)")
_REQUEST = re.compile(
    r"-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----.+?-----END (?:NEW )?CERTIFICATE REQUEST-----", re.DOTALL
)
_PAGE_ENDS_SOON = timedelta(days=60)
_AUTHORITY_ENDS_SOON, _REVOCATIONS_END_SOON = timedelta(days=365), timedelta(days=90)
_LEAST_RSA_BITS = 2048
_PUBLISH_SECONDS = 120
_NO_CLIENTS = (
    "# Who may use the broker, by the name (CN) of the certificate; kept by 'carehub ca', which leaves\n"
    "# what else stands here: hub CN SITE HUB, or ics CN. 'carehub ca access' makes mosquitto's list of it.\n"
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """One that the authority gave. `client` is its name's line in the list of clients, empty where it has
    none; `ends` is aware."""

    name: str
    client: str
    serial: str
    ends: datetime
    revoked: bool

    def state(self, at: datetime) -> str:
        """For people."""
        if self.revoked:
            return "revoked"
        return "ended" if self.ends <= at else f"good for {(self.ends - at) // timedelta(days=1)} days"


class Authority:
    """The authority in a directory. Every method raises `ProvisioningError`.

    Threads and processes may use it at once: each change waits for the one before. `tell` is told of what is
    to be known and stops nothing.
    """

    def __init__(self, directory: Path, tell: Callable[[str], None] = _log.warning) -> None:
        self.directory = directory.absolute()
        self._tell = tell

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
        """Make it, in a directory that has none yet."""
        if self.certificate_file.exists() or (self.directory / "ca.key").exists():
            raise ProvisioningError(f"{self.directory} has an authority already: it is not made over")
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ProvisioningError(f"{self.directory}: cannot be made: {error.strerror}") from error
        with self._locked(".lock"):
            self._script("begin")
            if not self.clients_file.exists():
                self._write_clients(_NO_CLIENTS)

    def broker(self, names: Sequence[str], days: int = TERM_DAYS) -> Path:
        """A new key and a certificate for a server, by all its host names and addresses: the certificate's
        file, named by the first one; the key is beside it."""
        self._check_hosts(names)
        with self._changing():
            self._script("broker", *names, days=days)
        return self.directory / f"{names[0]}.crt"

    def page(self, names: Sequence[str], days: int = TERM_DAYS) -> Path:
        """The same for a hub's staff page, which keeps what it has while it is good for these names."""
        self._check_hosts(names)
        certificate = self.directory / f"{names[0]}.crt"
        with self._changing():
            if not self._is_good_for(certificate, names):
                self._script("broker", *names, days=days)
        return certificate

    def client(self, name: str, days: int = TERM_DAYS) -> Path:
        """A key and a certificate for a client of the ICS, and its line in the list: the certificate's
        file."""
        check_name(name)
        with self._changing():
            clients = self._with(acl.Client("ics", name))
            self._script("client", name, days=days)
            self._write_clients(clients)
        self._publish()
        return self.directory / f"{name}.crt"

    def sign_hub(
        self, request_pem: str, name: str, site_and_hub: tuple[str, str] | None = None, days: int = TERM_DAYS
    ) -> str:
        """The certificate for a hub's request, in PEM, with the name that the authority gives it: the
        request's own word of its name and rights is not believed.

        `site_and_hub` are its site.id and hub.id, where `name` is not SITE.HUB. The request must be signed
        with its own key. The hub is entered into the list of clients.
        """
        check_name(name)
        found = _REQUEST.search(request_pem)
        if found is None:
            raise ProvisioningError(f"{name}: what is to be signed is no certificate request in PEM")
        if site_and_hub is None:
            match = _SITE_AND_HUB.fullmatch(name)
            if match is None:
                raise ProvisioningError(
                    f"{name}: is not SITE.HUB: say of which site and hub it is, for the broker's list"
                )
            site_and_hub = match[1], match[2]
        with self._changing():
            clients = self._with(acl.Client("hub", name, *site_and_hub))
            request = self.directory / f"{name}.csr"
            waiting = self.directory / f"{name}.csr.new"
            write(waiting, found[0] + "\n", 0o600)
            try:
                self._check_key(waiting, name)
                self._script("sign", waiting.name, name, days=days)
                waiting.replace(request)
            finally:
                waiting.unlink(missing_ok=True)
            self._write_clients(clients)
            certificate = read(self.directory / f"{name}.crt")
        self._publish()
        return certificate

    def sign_again(self, request_pem: str, name: str) -> str:
        """The next certificate of a hub that is in the list of clients, in PEM."""
        hub = next((each for each in self._clients(self._clients_text()) if each.name == name), None)
        if hub is None or hub.role != "hub":
            raise ProvisioningError(f"{name}: is no hub in {self.clients_file}")
        return self.sign_hub(request_pem, name, (hub.site, hub.hub))

    def is_good_hub(self, name: str, serial: str) -> bool:
        """Whether that certificate is a hub's, and was not revoked; `serial` in hexadecimal."""
        if not any(each.role == "hub" and each.name == name for each in self._clients(self._clients_text())):
            return False
        return any(
            each.name == name and int(each.serial, 16) == int(serial, 16) and not each.revoked
            for each in self._all_certificates()
        )

    def certificate_of_key(self, name: str, key: str) -> str | None:
        """The certificate of that name that is in force, where it is of that public key (its SHA-256)."""
        newest = next((each for each in self.certificates() if each.name == name), None)
        if newest is None or newest.revoked:
            return None
        pem = read(self.directory / f"{name}.crt")
        return pem if key_of_certificate(pem) == key else None

    def revoke(self, name: str) -> None:
        """No certificate of that name is good any more, and it is struck from the list of clients."""
        check_name(name)
        with self._changing():
            self._script("revoke", name)
            lines = self._clients_text().splitlines(keepends=True)
            self._write_clients("".join(line for line in lines if _named_in(line) != name))
        self._publish()

    def renew_revocations(self) -> None:
        """Make the list of the revoked anew, before it ends."""
        with self._changing():
            self._script("revocations")
        self._publish()

    def certificates(self) -> list[Certificate]:
        """The newest of each name, by name."""
        newest = {each.name: each for each in self._all_certificates()}
        return [newest[name] for name in sorted(newest)]

    def _all_certificates(self) -> list[Certificate]:
        """The oldest first."""
        self._must_be()
        lines = self._clients_text().splitlines()
        clients = {_named_in(line): " ".join(line.partition("#")[0].split()) for line in lines}
        found = []
        for line in read(self.directory / "index").splitlines():
            state, ends, _, serial, _, subject = line.split("\t")
            name = subject.removeprefix("/CN=")
            found.append(Certificate(name, clients.get(name, ""), serial, _index_time(ends), state == "R"))
        return found

    def access(self) -> str:
        """mosquitto's access list."""
        self._must_be()
        return acl.rules(self._clients(self._clients_text()))

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
                " another in another directory, and give the hubs and the broker both ca.crt in one file"
            )
        shown = openssl("crl", "-in", str(self.directory / "revoked.crl"), "-noout", "-nextupdate")
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
        if names[0] in {client.name for client in self._clients(self._clients_text())}:
            raise ProvisioningError(f"{names[0]}: is a client's name already, in {self.clients_file}")

    def _is_good_for(self, certificate: Path, names: Sequence[str]) -> bool:
        if not certificate.exists() or not certificate.with_name(f"{names[0]}.key").exists():
            return False
        newest = next((each for each in self.certificates() if each.name == names[0]), None)
        if newest is None or newest.revoked or newest.ends - now() < _PAGE_ENDS_SOON:
            return False
        said = openssl("x509", "-in", str(certificate), "-noout", "-ext", "subjectAltName")
        found = re.findall(r"(?:DNS|IP Address):([^,\s]+)", said)
        return {_host(name) for name in found} == {_host(name) for name in names}

    @contextmanager
    def _changing(self) -> Iterator[None]:
        self._must_be()
        with self._locked(".lock"):
            yield

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        try:
            file = os.open(self.directory / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ProvisioningError(f"{self.directory}: cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)

    def _script(self, *arguments: str, days: int = TERM_DAYS) -> None:
        ended = run(["sh", str(_SCRIPT), str(self.directory), *arguments], {"DAYS": str(days)})
        if ended.returncode != 0:
            raise ProvisioningError(in_words(ended.stderr, arguments))

    def _check_key(self, request: Path, name: str) -> None:
        text = openssl("req", "-in", str(request), "-noout", "-text")
        bits = re.search(r"Public-Key: \((\d+) bit", text)
        if "rsaEncryption" in text and (bits is None or int(bits[1]) < _LEAST_RSA_BITS):
            raise ProvisioningError(
                f"{name}: the request's key is too weak: make one of the curve P-256, or of RSA with"
                f" {_LEAST_RSA_BITS} bits at the least"
            )

    def _clients_text(self) -> str:
        return read(self.clients_file) if self.clients_file.exists() else _NO_CLIENTS

    def _clients(self, text: str) -> list[acl.Client]:
        try:
            return acl.read(text)
        except ValueError as error:
            raise ProvisioningError(f"{self.clients_file}: {error}") from error

    def _with(self, client: acl.Client) -> str:
        """The list with that client, where it is not in there; checked before anything is signed."""
        text = self._clients_text()
        known = next((each for each in self._clients(text) if each.name == client.name), None)
        if known is None:
            text += ("" if text.endswith("\n") else "\n") + "  ".join(client).strip() + "\n"
            self._clients(text)
        elif known != client:
            raise ProvisioningError(
                f"{client.name}: {self.clients_file} has it as something else: {' '.join(known).strip()}"
            )
        return text

    def _write_clients(self, text: str) -> None:
        if not self.clients_file.exists() or read(self.clients_file) != text:
            write(self.clients_file, text, 0o644)

    def _publish(self) -> None:
        """Run `publish`, where it is there and there is something new: of many at once a few runs do."""
        program, noted = self.directory / "publish", self.directory / ".published"
        if not os.access(program, os.X_OK):
            return
        with self._locked(".publishing"):
            files = [self.clients_file, self.directory / "revoked.crl"]
            state = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
            if noted.exists() and noted.read_text() == state:
                return
            try:
                ended = run([str(program)], {}, self.directory, _PUBLISH_SECONDS)
            except ProvisioningError as error:
                self._tell(f"{error}; the broker does not know of the change yet")
                return
            if ended.returncode != 0:
                self._tell(
                    f"{program} ended with {ended.returncode}: the broker does not know of the change yet:"
                    f" {ended.stderr.strip() or 'it said nothing'}"
                )
                return
            write(noted, state, 0o600)


def check_name(name: str) -> None:
    """Raises `ProvisioningError`: it cannot be a certificate's."""
    if not _NAME.fullmatch(name):
        raise ProvisioningError(
            f"{name!r}: is no name of a certificate: 1 to 64 letters, digits, '.', '_' and '-', the first a"
            " letter or a digit"
        )


def _check_host(name: str) -> None:
    try:
        ip_address(name)
    except ValueError:
        check_name(name)


def _host(name: str) -> str:
    """A name or an address, always written in one way."""
    try:
        return str(ip_address(name))
    except ValueError:
        return name.lower()


def _named_in(line: str) -> str:
    """Whom a line of the list of clients is about."""
    words = line.partition("#")[0].split()
    return words[1] if len(words) > 1 else ""


def _index_time(text: str) -> datetime:
    """As `openssl ca` writes it: two digits of the year up to 2049, four from then on."""
    form = "%y%m%d%H%M%SZ" if len(text) == len("YYMMDDHHMMSSZ") else "%Y%m%d%H%M%SZ"
    return datetime.strptime(text, form).replace(tzinfo=UTC)
