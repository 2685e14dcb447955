"""How long the hub's own certificate, and its authority's, are still good: read from the files themselves.

Python's `ssl` tells the end of a peer's certificate only, `openssl` may not be installed on a hub, and the
library that could read one costs more memory than the hub has to give. What is needed of a certificate is one
field, so it is read here (RFC 5280, sections 4.1 and 4.1.2.5; DER: X.690).
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hub.clock import now
from hub.configuration import file as config
from hub.errors import CareportError
from hub.running import progress

WARN_BEFORE = timedelta(days=30)
"""From then on it is said in the log each day, and `carehub doctor` warns."""

FAIL_BEFORE = timedelta(days=7)
"""From then on `carehub doctor` fails: it is high time."""

_ENDED = (
    "the hub has no way to the ICS, and what has ended is not renewed by itself any more; run 'carehub"
    " provision' from the engineer's laptop now"
)
_LOOK_EVERY = timedelta(hours=1)
_SAY_EVERY = timedelta(days=1)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_INTEGER, _SEQUENCE, _UTC_TIME, _GENERALIZED_TIME, _VERSION = 0x02, 0x30, 0x17, 0x18, 0xA0

_log = logging.getLogger(__name__)


class CertificateError(CareportError):
    """A file that has no certificate that can be read; names it."""


@dataclass(frozen=True, slots=True)
class Expiry:
    """The end of what a file certifies. `what` is for people; `ends` is aware."""

    what: str
    path: Path
    ends: datetime

    def days_left(self, at: datetime) -> int:
        """Whole days from `at`; negative once it has ended."""
        return (self.ends - at) // timedelta(days=1)

    def words(self, at: datetime) -> str:
        """How long it is good, and what to do where that is not long."""
        left = self.ends - at
        said = f"{self.what} ({self.path}) "
        if left <= timedelta(0):
            return f"{said}ended on {self.ends:%Y-%m-%d}: {_ENDED}"
        said += f"ends on {self.ends:%Y-%m-%d}, in {self.days_left(at)} day(s)"
        return f"{said}: renew it, or the hub loses its way to the ICS" if left <= WARN_BEFORE else said


@dataclass(frozen=True, slots=True)
class Certificates:
    """What the configuration's files certify: None where none is named, or where it cannot be read.

    `problems` says of each that cannot be read, why.
    """

    own: Expiry | None = None
    authority: Expiry | None = None
    problems: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[Expiry, ...]:
        """Those that there are."""
        return tuple(expiry for expiry in (self.own, self.authority) if expiry is not None)

    def data(self, at: datetime) -> dict[str, dict[str, str | int] | None]:
        """For machines: of each when it ends and the whole days that are left, or None."""
        return {
            name: {"ends": expiry.ends.isoformat(), "days_left": expiry.days_left(at)} if expiry else None
            for name, expiry in (("certificate", self.own), ("authority", self.authority))
        }


def certificates(settings: config.Broker) -> Certificates:
    """Look into the files that the configuration names. Raises nothing for one that cannot be read.

    The hub's own file may have a chain: what ends first ends the whole. A CA file may have the next
    authority beside the present one: what ends last counts.
    """
    own, authority, problems = None, None, []
    if settings.certificate_file is not None:
        try:
            ends = min(ends_of_file(settings.certificate_file))
            own = Expiry("the hub's certificate", settings.certificate_file, ends)
        except CertificateError as error:
            problems.append(str(error))
    if settings.tls and settings.ca_file is not None:
        try:
            ends = max(ends_of_file(settings.ca_file))
            authority = Expiry("the authority's certificate", settings.ca_file, ends)
        except CertificateError as error:
            problems.append(str(error))
    return Certificates(own, authority, tuple(problems))


def ends_of_file(path: Path) -> list[datetime]:
    """When each certificate of a PEM file ends; at least one.

    Raises:
        CertificateError: the file cannot be read, or has no certificate, or one that is none.
    """
    try:
        text = path.read_text(encoding="ascii", errors="replace")  # what stands around them is for people
        ends = [end_of(ssl.PEM_cert_to_DER_cert(pem)) for pem in _CERTIFICATE.findall(text)]
    except OSError as error:
        raise CertificateError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CertificateError(f"{path}: has what is no certificate: {error}") from error
    if not ends:
        raise CertificateError(f"{path}: has no certificate in PEM")
    return ends


def end_of(certificate: bytes) -> datetime:
    """notAfter of a certificate in DER.

    Raises:
        ValueError: it is none.
    """
    _, body, _ = _element(certificate, _SEQUENCE)
    _, rest, _ = _element(body, _SEQUENCE)  # tbsCertificate
    if rest[:1] == bytes([_VERSION]):
        _, _, rest = _element(rest, _VERSION)
    for expected in (_INTEGER, _SEQUENCE, _SEQUENCE):  # serial number, signature, issuer
        _, _, rest = _element(rest, expected)
    _, validity, _ = _element(rest, _SEQUENCE)
    _, _, after = _element(validity, _UTC_TIME, _GENERALIZED_TIME)  # notBefore
    kind, text, _ = _element(after, _UTC_TIME, _GENERALIZED_TIME)
    said = text.decode("ascii")
    if not re.fullmatch(r"\d{12}Z" if kind == _UTC_TIME else r"\d{14}Z", said, re.ASCII):
        raise ValueError("its end is no time")
    if kind == _UTC_TIME:
        said = ("19" if said >= "50" else "20") + said  # RFC 5280, section 4.1.2.5.1
    return datetime.strptime(said, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _element(data: bytes, *expected: int) -> tuple[int, bytes, bytes]:
    """The first element of DER: its tag, its content, and what follows it."""
    if len(data) < 2 or data[0] not in expected:
        raise ValueError("it is not of the form of one")
    return first_element(data)


def first_element(data: bytes) -> tuple[int, bytes, bytes]:
    """The first element of DER, of whatever kind: its tag, its content, and what follows it.

    Raises:
        ValueError: it is cut short.
    """
    if len(data) < 2:
        raise ValueError("it is cut short")
    length, start = data[1], 2
    if length >= 0x80:
        start += length - 0x80
        length = int.from_bytes(data[2:start], "big")
    if start + length > len(data):
        raise ValueError("it is cut short")
    return data[0], data[start : start + length], data[start + length :]


async def watch(settings: config.Broker) -> None:
    """Say in the log, once a day, what is near its end or cannot be read, until cancelled.

    It looks each hour, since files are renewed and a hub's clock may be wrong at its start.
    """
    said_at: dict[str, datetime] = {}
    while True:
        moment = now()
        for key, words in warnings(await asyncio.to_thread(certificates, settings), moment):
            last = said_at.get(key)
            if last is None or not timedelta(0) <= moment - last < _SAY_EVERY:
                said_at[key] = moment
                _log.warning("%s", words)
        progress.rest()
        await asyncio.sleep(_LOOK_EVERY.total_seconds())


def warnings(found: Certificates, at: datetime) -> list[tuple[str, str]]:
    """What is to be said at this moment: what it is about, and the words."""
    near = [expiry for expiry in found.all if expiry.ends - at <= WARN_BEFORE]
    return [(expiry.what, expiry.words(at)) for expiry in near] + [(words, words) for words in found.problems]
