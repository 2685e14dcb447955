"""What a server's certificate says of itself: its end, its names, what it is for (RFC 5280; DER: X.690).

The doctor asks a page whose authority it need not know; Python's `ssl` tells nothing of a certificate that it
has not verified.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address

from hub.uplink.certificate import end_of, first_element

_SEQUENCE, _EXTENSIONS = 0x30, 0xA3
_DNS_NAME, _ADDRESS = 0x82, 0x87  # of GeneralName, section 4.2.1.6
_ALTERNATIVE_NAMES, _EXTENDED_USAGE = bytes.fromhex("551d11"), bytes.fromhex("551d25")
_ANY_USAGE, _SERVER = bytes.fromhex("551d2500"), bytes.fromhex("2b06010505070301")  # section 4.2.1.12


@dataclass(frozen=True, slots=True)
class Certificate:
    """`for_servers`: it may be a server's, as one that says nothing of its use may."""

    ends: datetime
    names: tuple[str, ...]
    addresses: tuple[str, ...]
    for_servers: bool

    def is_for(self, host: str) -> bool:
        """Whether a browser takes it under that name or address (RFC 6125, section 6.4.3)."""
        host = host.lower()
        beyond = host.partition(".")[2]
        return host in self.addresses or any(
            each.lower() == host or (each.startswith("*.") and each[2:].lower() == beyond)
            for each in self.names
        )


def read(certificate: bytes) -> Certificate:
    """Raises ValueError: it is none."""
    ends = end_of(certificate)
    names: list[str] = []
    addresses: list[str] = []
    usages: list[bytes] = []
    for kind, value in _extensions(certificate):
        for tag, content in _within(value):
            if kind == _EXTENDED_USAGE:
                usages.append(content)
            elif tag == _DNS_NAME:
                names.append(content.decode("ascii", "replace"))
            elif tag == _ADDRESS:
                addresses.append(str(ip_address(content)))
    for_servers = not usages or _SERVER in usages or _ANY_USAGE in usages
    return Certificate(ends, tuple(names), tuple(addresses), for_servers)


def _extensions(certificate: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Of those that are read here, the kind and the value."""
    body = next(_within(certificate))[1]  # tbsCertificate
    for tag, content in _elements(body):
        if tag != _EXTENSIONS:
            continue
        for _, extension in _within(content):
            parts = list(_elements(extension))
            kind, value = parts[0][1], parts[-1][1]  # between them it may say that it is critical
            if kind in {_ALTERNATIVE_NAMES, _EXTENDED_USAGE}:
                yield kind, value


def _within(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The elements of a sequence."""
    tag, content = next(_elements(data), (None, b""))
    if tag != _SEQUENCE:
        raise ValueError("it is not of the form of one")
    return _elements(content)


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """One after the other: tag and content."""
    while data:
        tag, content, data = first_element(data)
        yield tag, content
