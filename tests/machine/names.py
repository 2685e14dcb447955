"""The home's router, in so far as it knows names: a name server on the rig's address."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

_PORT = 53
_ADDRESS, _INTERNET = 1, 1  # RFC 1035, 3.2.2 and 3.2.4: A, IN
_ANSWER, _UNKNOWN_NAME = 0x8580, 0x8583  # a response, with authority and recursion; the same, NXDOMAIN
_HEADER = struct.Struct(">6H")


class NameServer:
    """Answers for these names with their IPv4 addresses, and says of any other that there is none."""

    def __init__(self, at: str, names: Mapping[str, str], port: int = _PORT) -> None:
        self._names = {name.lower(): socket.inet_aton(address) for name, address in names.items()}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((at, port))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._socket.getsockname()[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                asked, who = self._socket.recvfrom(512)
                self._socket.sendto(answer(asked, self._names), who)
            except (struct.error, IndexError, UnicodeDecodeError):
                continue  # no question
            except OSError:
                return


def answer(asked: bytes, names: Mapping[str, bytes]) -> bytes:
    """The answer to a query of one question (RFC 1035, 4.1). Raises struct.error, IndexError or
    UnicodeDecodeError: it is none."""
    number, *_ = _HEADER.unpack_from(asked)
    labels, at = [], _HEADER.size
    while length := asked[at]:
        labels.append(asked[at + 1 : at + 1 + length].decode("ascii"))
        at += 1 + length
    kind, _class = struct.unpack_from(">2H", asked, at + 1)
    question = asked[_HEADER.size : at + 5]
    address = names.get(".".join(labels).lower())
    if address is None:
        return _HEADER.pack(number, _UNKNOWN_NAME, 1, 0, 0, 0) + question
    if kind != _ADDRESS:
        return _HEADER.pack(number, _ANSWER, 1, 0, 0, 0) + question
    # The name is where the question has it (compression, 4.1.4).
    record = struct.pack(">3HIH", 0xC000 | _HEADER.size, _ADDRESS, _INTERNET, 60, len(address)) + address
    return _HEADER.pack(number, _ANSWER, 1, 1, 0, 0) + question + record
