"""A OneTouch Ultra Easy meter on its cable, from the public descriptions that `drivers/onetouch_link.py` and
`drivers/onetouch_ultra_easy.py` name; shares nothing with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

_MEMORY = 500  # records


@dataclass
class OneTouchMeter:
    """A meter, for `VirtualUsb.plug`.

    `records` are seconds since 1970 (its local time as if it were UTC) and mg/dL, the newest first; `clock`
    is what it was set to last; `on_cable` is whether it is on the cable at all.

    What can go wrong with it: `silent_for` so many of the next packets it has no answer, and never one to the
    message `no_answer_to`; each answer comes `late` by so many seconds; each packet is sent `times`; `prefix`
    is sent before each packet. `asked` are the messages that it was asked.
    """

    serial_number: str = "C176SA0O0"
    version: str = "P02.00.0025/05/07"
    clock: int = 0
    newest_first: bool = True
    on_cable: bool = True
    records: list[tuple[int, int]] = field(default_factory=list)
    silent_for: int = 0
    no_answer_to: bytes = b""
    late: float = 0.0
    times: int = 1
    prefix: bytes = b""
    asked: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._heard = bytearray()
        self._waiting: list[tuple[float, bytes]] = []
        self._next_sent = 0
        self._next_expected = 0
        self._at = self._clock_set_at = 0.0

    def measure(self, milligrams_per_decilitre: int, at: datetime | None = None) -> None:
        """It has measured, at this time of its own clock, or now; a whole memory forgets its oldest."""
        seconds = self._shows if at is None else int(at.replace(tzinfo=UTC).timestamp())
        self.records.insert(0, (seconds, milligrams_per_decilitre))
        del self.records[_MEMORY:]

    def hear(self, octets: bytes, at: float) -> bytes:
        """As `drivers.virtual.usb_scenario.Emulator`."""
        self._at = at
        if not self.on_cable:
            self._heard.clear()
            return b""
        self._heard += octets
        answer = b""
        while (packet := self._packet()) is not None:
            if self.silent_for:
                self.silent_for -= 1
            else:
                answer += self._answer(packet)
        if self.late:
            self._waiting.append((at + self.late, answer))
            return b""
        return answer

    def due(self, at: float) -> bytes:
        """As `drivers.virtual.usb_scenario.Emulator`."""
        self._at = at
        said = b"".join(answer for due, answer in self._waiting if due <= at)
        self._waiting = [(due, answer) for due, answer in self._waiting if due > at]
        return said if self.on_cable else b""

    @property
    def _shows(self) -> int:
        """What its clock shows."""
        return self.clock + int(self._at - self._clock_set_at)

    def _packet(self) -> bytes | None:
        """The next whole packet with a right checksum, without what is around its message."""
        while len(self._heard) >= 6:
            length = self._heard[1]
            if self._heard[0] != 2 or length < 6:
                del self._heard[0]
            elif len(self._heard) < length:
                return None
            else:
                packet = bytes(self._heard[:length])
                if packet[-3] == 3 and _checksum(packet[:-2]) == packet[-2] | packet[-1] << 8:
                    del self._heard[:length]
                    return packet[2:-3]
                del self._heard[0]
        return None

    def _answer(self, packet: bytes) -> bytes:
        control, message = packet[0], packet[1:]
        if control & 8:
            self._next_sent = self._next_expected = 0
            return self._wrapped(8 | 4, b"")
        if control & 4 or message in (b"", self.no_answer_to):
            return b""
        if control & 1 != self._next_expected:  # it was heard already
            return self._wrapped(4 | self._bits, b"")
        self.asked.append(message)
        self._next_expected ^= 1
        acknowledgement = self._wrapped(4 | self._bits, b"")
        answer = self._wrapped(self._bits, self._said_to(message))
        self._next_sent ^= 1
        return acknowledgement + answer

    @property
    def _bits(self) -> int:
        return self._next_sent | self._next_expected << 1

    def _said_to(self, message: bytes) -> bytes:
        if message == bytes.fromhex("050b02 00000000 846ae873 00"):
            return b"\x05\x06" + self.serial_number.encode()
        if message == b"\x05\x0d\x02":
            return b"\x05\x06" + bytes([len(self.version)]) + self.version.encode()
        if message[:2] == b"\x05\x20":
            if message[2] == 1:
                self.clock, self._clock_set_at = int.from_bytes(message[3:7], "little"), self._at
            return b"\x05\x06" + self._shows.to_bytes(4, "little")
        if message[:2] == b"\x05\x1f":
            index = message[2] + message[3] * 256
            if index == 501 or index >= len(self.records):
                return b"\x05\x0f" + len(self.records).to_bytes(2, "little")
            seconds, milligrams = (self.records if self.newest_first else self.records[::-1])[index]
            return b"\x05\x06" + seconds.to_bytes(4, "little") + milligrams.to_bytes(4, "little")
        return b"\x05\x09"

    def _wrapped(self, control: int, message: bytes) -> bytes:
        packet = bytes([2, len(message) + 6, control]) + message + b"\x03"
        checksum = _checksum(packet)
        return (self.prefix + packet + bytes([checksum & 0xFF, checksum >> 8])) * self.times


def _checksum(octets: bytes) -> int:
    """CRC-16-CCITT, bit by bit: polynomial x^16 + x^12 + x^5 + 1, beginning with all ones."""
    register = 0xFFFF
    for octet in octets:
        for bit in range(7, -1, -1):
            carry = (register >> 15) ^ (octet >> bit & 1)
            register = (register << 1 & 0xFFFF) ^ (0x1021 if carry else 0)
    return register
