"""The far end of the bench's wire: a subscriber lean enough not to be what is measured.

It notes the moment of each message and keeps its bytes, which are read only when all is quiet: the bench
shares two cores with what it measures. Plain sockets and MQTT 5, since paho costs ten times as much.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import monotonic

_CONNECT, _PUBLISH, _PUBACK, _SUBSCRIBE, _SUBACK, _DISCONNECT = 0x10, 0x30, 0x40, 0x82, 0x90, 0xE0
_PROPERTY_LENGTHS = {0x01: 1, 0x02: 4, 0x23: 2}  # of a PUBLISH, those of a fixed size (MQTT 5, section 2.2.2)
_CONTENT_TYPE, _USER_PROPERTY = 0x03, 0x26
_SUBSCRIPTION_IDENTIFIER = 0x0B
_PATIENCE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Heard:
    """A message, and the monotonic second in which it came."""

    moment: float
    topic: str
    payload: bytes
    content_type: str | None
    properties: tuple[tuple[str, str], ...]


def varying(number: int) -> bytes:
    """A variable byte integer (MQTT 5, section 1.5.5)."""
    encoded = bytearray()
    while True:
        number, low = divmod(number, 128)
        encoded.append(low | (0x80 if number else 0))
        if not number:
            return bytes(encoded)


def packet(kind: int, body: bytes) -> bytes:
    """A control packet."""
    return bytes([kind]) + varying(len(body)) + body


def text(words: str) -> bytes:
    """A string with its length before it."""
    encoded = words.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def split(stream: bytearray) -> Iterator[tuple[int, bytes]]:
    """Take the whole packets off the front of a stream: first byte and body of each."""
    start = 0
    while True:
        length, shift, at = 0, 0, start + 1
        while at < len(stream):
            length |= (stream[at] & 0x7F) << shift
            shift += 7
            at += 1
            if not stream[at - 1] & 0x80:
                break
        else:
            break
        if at + length > len(stream):
            break
        yield stream[start], bytes(stream[at : at + length])
        start = at + length
    del stream[:start]


def connected(port: int, client_id: str) -> socket.socket:
    """A connection to the broker on this machine, with a new session and no keep-alive."""
    # Else Nagle's algorithm and delayed acknowledgements add 40 ms.
    connection = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    body = text("MQTT") + b"\x05\x02\x00\x00" + b"\x03\x21\xff\xff" + text(client_id)
    connection.sendall(packet(_CONNECT, body))
    answer = connection.recv(256)
    if len(answer) < 4 or answer[3] != 0:
        raise ConnectionError(f"the broker on port {port} answered CONNECT with {answer.hex()}")
    return connection


class Ear:
    """Subscribes with QoS 1; `with Ear(port, topics) as ear`."""

    def __init__(self, port: int, topics: Sequence[str]) -> None:
        self._arrived: list[tuple[float, int, bytes]] = []
        self._connection = connected(port, "bench-ear")
        filters = b"".join(text(topic) + b"\x01" for topic in topics)
        self._connection.sendall(packet(_SUBSCRIBE, b"\x00\x01\x00" + filters))
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="ear", daemon=True)

    def __enter__(self) -> Ear:
        self._thread.start()
        if not self._ready.wait(10):
            raise TimeoutError("the broker took no subscription")
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._connection.sendall(packet(_DISCONNECT, b""))
            self._connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._connection.close()

    def _listen(self) -> None:
        stream = bytearray()
        self._connection.settimeout(None)
        while True:
            try:
                received = self._connection.recv(1 << 18)
            except OSError:
                return
            moment = monotonic()
            if not received:
                return
            stream += received
            answers = bytearray()
            for kind, body in split(stream):
                if kind & 0xF0 == _PUBLISH:
                    self._arrived.append((moment, kind, body))
                    if kind & 0x06:
                        after = 2 + int.from_bytes(body[:2], "big")
                        answers += bytes([_PUBACK, 2]) + body[after : after + 2]
                elif kind == _SUBACK:
                    self._ready.set()
            if answers:
                with contextlib.suppress(OSError):
                    self._connection.sendall(answers)

    def count(self) -> int:
        """How many messages came until now."""
        return len(self._arrived)

    def wait_until_quiet(self, quiet: float, patience: float) -> None:
        """Return when something has come and nothing more for `quiet` seconds, or nothing for `patience`."""
        since, before = monotonic(), 0
        while monotonic() - since < (quiet if before else patience):
            if self.count() != before:
                since, before = monotonic(), self.count()
            time.sleep(0.02)

    def take(self) -> list[Heard]:
        """What has come since the last time, read."""
        arrived, self._arrived = self._arrived, []
        return [_heard(*message) for message in arrived]


def _heard(moment: float, kind: int, body: bytes) -> Heard:
    at = 2 + int.from_bytes(body[:2], "big")
    topic = body[2:at].decode()
    at += 2 if kind & 0x06 else 0
    length, at = _varying_at(body, at)
    end, content_type, found = at + length, None, []
    while at < end:
        name = body[at]
        at += 1
        if name in _PROPERTY_LENGTHS:
            at += _PROPERTY_LENGTHS[name]
        elif name == _SUBSCRIPTION_IDENTIFIER:
            _, at = _varying_at(body, at)
        else:
            first, at = _text_at(body, at)
            if name == _CONTENT_TYPE:
                content_type = first
            elif name == _USER_PROPERTY:
                second, at = _text_at(body, at)
                found.append((first, second))
    return Heard(moment, topic, body[end:], content_type, tuple(found))


def _varying_at(body: bytes, at: int) -> tuple[int, int]:
    number, shift = 0, 0
    while True:
        number |= (body[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not body[at - 1] & 0x80:
            return number, at


def _text_at(body: bytes, at: int) -> tuple[str, int]:
    end = at + 2 + int.from_bytes(body[at : at + 2], "big")
    return body[at + 2 : end].decode(errors="replace"), end


class Mouth:
    """Publishes with QoS 1, at most `window` messages unacknowledged: the feeding of a broker."""

    def __init__(self, port: int, topic: str, window: int = 100) -> None:
        self._connection = connected(port, "bench-mouth")
        self._topic = text(topic)
        self._window = window
        self._sent = self._answered = 0
        self._stream = bytearray()

    def publish(self, payloads: Sequence[bytes]) -> None:
        """Send these, waiting wherever the window is full."""
        for payload in payloads:
            self._hear(blocking=self._sent - self._answered >= self._window)
            identifier = (self._sent % 0xFFFF + 1).to_bytes(2, "big")
            self._connection.sendall(packet(_PUBLISH | 0x02, self._topic + identifier + b"\x00" + payload))
            self._sent += 1

    def _hear(self, *, blocking: bool) -> None:
        while select.select([self._connection], [], [], _PATIENCE_SECONDS if blocking else 0)[0]:
            received = self._connection.recv(1 << 16)
            if not received:
                raise ConnectionError("the broker hung up")
            self._stream += received
            self._answered += sum(kind == _PUBACK for kind, _ in split(self._stream))
            if self._sent - self._answered < self._window:
                return
        if blocking:
            raise TimeoutError("the broker acknowledges nothing")

    def close(self) -> None:
        """Hang up."""
        self._connection.close()
