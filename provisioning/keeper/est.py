"""Certificates by Enrollment over Secure Transport (RFC 7030): the hub's side, which asks."""

from __future__ import annotations

import base64
import binascii
import http.client
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from provisioning.keeper import certificates, wall_clock
from provisioning.keeper.address import server_of
from provisioning.keeper.errors import KeeperError, LaterError
from provisioning.keeper.words import plain

_PATH = "/.well-known/est"
_SECONDS = 90.0
"""The server may publish twice before it answers, which is another's before it and its own (30 s each)."""
_LARGEST_ANSWER = 64 * 1024
_NO_CHECK_TIME = (
    0x200000  # X509_V_FLAG_NO_CHECK_TIME (X509_VERIFY_PARAM_set_flags(3)); ssl has no name for it
)

Tell = Callable[[str], None]


class RefusedError(LaterError):
    """The server does not want to: until somebody does something about it."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where it is ("https://HOST:PORT"), and whom it has to be certified by (PEM)."""

    address: str
    ca_pem: str

    def enroll(self, request: str, name: str, secret: str, tell: Tell = print) -> str:
        """The first certificate, by a claim, in PEM. Raises `LaterError`."""
        credentials = base64.b64encode(f"{name}:{secret}".encode()).decode()
        return self._ask("simpleenroll", request, name, {"Authorization": f"Basic {credentials}"}, None, tell)

    def renew(self, request: str, name: str, certificate: Path, key: Path, tell: Tell = print) -> str:
        """The next one, by the present one, in PEM. Raises `LaterError`."""
        return self._ask("simplereenroll", request, name, {}, (certificate, key), tell)

    def _ask(
        self,
        what: str,
        request: str,
        name: str,
        headers: dict[str, str],
        shown: tuple[Path, Path] | None,
        tell: Tell = print,
    ) -> str:
        body = "".join(line for line in request.splitlines() if not line.startswith("-----"))
        headers = {
            "Content-Type": "application/pkcs10",
            "Content-Transfer-Encoding": "base64",
            **headers,
        }
        try:
            status, said = self._answer(what, body, headers, shown)
        except ssl.SSLCertVerificationError as error:
            if not wall_clock.may_be_why(error):
                raise LaterError(
                    f"{self.address}: its certificate is not trusted: {error.verify_message}; is it the right"
                    " server?"
                ) from error
            # Before the network is there a Pi has the time that it last had, and that may be years ago.
            tell(
                f"{self.address}: by this machine's clock its certificate is not good now"
                f" ({error.verify_message}); the clock is not set yet, so all of it is checked but the time"
            )
            try:
                status, said = self._answer(what, body, headers, shown, _NO_CHECK_TIME)
            except ssl.SSLCertVerificationError as again:
                raise LaterError(
                    f"{self.address}: its certificate is not trusted: {again.verify_message}"
                ) from again
        if status in (401, 403):
            raise RefusedError(f"{self.address} refuses {name}: {_words(said)}")
        if status != 200:
            raise LaterError(f"{self.address} answered {status}: {_words(said)}")
        return _certificate_in(said, name)

    def _answer(
        self, what: str, body: str, headers: dict[str, str], shown: tuple[Path, Path] | None, flags: int = 0
    ) -> tuple[int, bytes]:
        """Status and body. Raises `ssl.SSLCertVerificationError`, or `LaterError` where it is not reached."""
        host, port = self._place()
        try:
            # Without any, Python would trust every authority of the machine.
            context = ssl.create_default_context(cadata="".join(certificates.within(self.ca_pem)) or "none")
        except (ssl.SSLError, TypeError, ValueError) as error:
            raise KeeperError(f"{self.address}: the certificate of its authority is none: {error}") from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_flags |= ssl.VerifyFlags(flags)
        try:
            if shown is not None:
                context.load_cert_chain(*shown)
            # Not urllib: it would take the claim along to wherever it is sent on.
            connection = http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=context)
            try:
                connection.request("POST", f"{_PATH}/{what}", body, headers)
                answer = connection.getresponse()
                return answer.status, answer.read(_LARGEST_ANSWER + 1)
            finally:
                connection.close()
        except ssl.SSLCertVerificationError:
            raise
        except (OSError, http.client.HTTPException) as error:
            raise LaterError(f"{self.address} cannot be reached: {error}") from error

    def _place(self) -> tuple[str, int]:
        server = server_of(self.address)
        if server is None:
            raise KeeperError(f"{self.address}: is no address of a server: give https://HOST:PORT")
        return server.host, server.port


def _certificate_in(answer: bytes, name: str) -> str:
    """The hub's certificate and those between it and the authority, the hub's first."""
    try:
        der = base64.b64decode(answer, validate=False) if len(answer) <= _LARGEST_ANSWER else b""
    except (binascii.Error, ValueError):
        der = b""
    text = base64.encodebytes(der).decode()
    pem = certificates.openssl(
        "pkcs7", "-print_certs", text=f"-----BEGIN PKCS7-----\n{text}-----END PKCS7-----\n"
    )
    found = certificates.within(pem)
    own = [each for each in found if certificates.read(each).name == name]
    if not own:
        raise LaterError(f"the server's answer has no certificate of {name}")
    return "".join([own[0], *(each for each in found if each != own[0])])


def _words(said: bytes) -> str:
    return plain(said.decode("utf-8", errors="replace")) or "no words"
