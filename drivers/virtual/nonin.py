"""A virtual Nonin oximeter on a serial line: what it sends by itself, and what it answers.

Written from Nonin's "Onyx II Model 9560, OEM Specification and Technical Information" (6470-000-01, 2008)
alone; it shares nothing with the driver. Opens nothing: bytes in, bytes out, at times that are given.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import count
from typing import Literal

DataFormat = Literal[2, 7, 8, 13]

_FRAMES_A_SECOND = 75
_FRAMES_A_PACKET = 25
_PULSE_MARK = 12  # frames that a pulse is told in
_DISPLAYED_EVERY = 1.5  # seconds
_HELD_FOR = 10.0  # seconds that the display shows the last value after the finger is out
_MOST_WAITING = 1.0  # seconds that it can have said when nobody fetched it
_NO_SATURATION, _NO_PULSE = 127, 511
_FIRMWARE = 48

_STX, _ETX, _ACK, _NAK = 0x02, 0x03, 0x06, 0x15
_SET_FORMAT, _TIME, _TIME_IS = 0x70, 0x72, 0xF2


class Perfusion(Enum):
    """How strong the pulse's signal is."""

    GREEN = "high"
    YELLOW = "low or marginal"
    RED = "low or none"


class VirtualNonin:
    """An oximeter with what it measures as attributes, which may be changed at any time.

    `finger` is whether one is in it; `connected` whether its sensor is. In format 13 it sends a spot check
    `settling` seconds after the finger is in, what it has stored (`store`) before it.
    """

    def __init__(
        self, data_format: DataFormat = 2, *, saturation: int = 97, pulse: int = 72, settling: float = 8.0
    ) -> None:
        self.data_format: int = data_format
        self.saturation = saturation
        self.pulse = pulse
        self.finger = True
        self.connected = True
        self.artefact = False
        self.out_of_track = False
        self.perfusion = Perfusion.GREEN
        self.battery_low = False
        self.settling = settling
        self.clock = datetime(2016, 1, 1, tzinfo=UTC)
        """Its clock's face at the first moment that it was asked for; it has no zone, UTC stands for none."""
        self._began: float | None = None
        self._sent = 0
        self._written = b""
        self._frames = self._all_frames()
        self._displayed = (_NO_SATURATION, _NO_PULSE)
        self._displayed_at = -math.inf
        self._seen_at = -math.inf
        self._in_since: float | None = None
        self._measured = False
        self._stored: list[tuple[datetime, int, int]] = []

    def store(self, time: datetime, saturation: int, pulse: int) -> None:
        """It has measured this and could not send it."""
        self._stored.append((time, saturation, pulse))

    def hear(self, octets: bytes, at: float) -> bytes:
        """The hub has written these bytes; what it answers at once."""
        self._start(at)
        self._written = (self._written + octets)[-64:]
        answers = b""
        while self._written:
            if self._written[0] != _STX:
                self._written = self._written[1:]
            elif len(self._written) < 3 or len(self._written) < 4 + self._written[2]:
                break
            else:
                size = self._written[2]
                command, self._written = self._written[: 4 + size], self._written[4 + size :]
                if command[-1] == _ETX:
                    answers += self._answer(command[1], command[3:-1], at)
        return answers

    def due(self, at: float) -> bytes:
        """What it has sent by itself by now."""
        began = self._start(at)
        if self.data_format == 13:
            return self._spot_checks(at)
        rate = 1 if self.data_format == 8 else _FRAMES_A_SECOND
        total = int((at - began) * rate)
        first = max(self._sent, total - max(1, int(_MOST_WAITING * rate)))
        said = b""
        for number in range(first, total):
            self._look(began + number / rate)
            said += self._packet_of_format_8() if rate == 1 else next(self._frames)
        self._sent = total
        return said

    def _start(self, at: float) -> float:
        if self._began is None:
            self._began = at
        return self._began

    def _look(self, at: float) -> None:
        """Keep the display: new values every 1.5 s, the last ones for 10 s after the finger is out."""
        if self._is_measuring:
            self._seen_at = at
            if at - self._displayed_at >= _DISPLAYED_EVERY:
                self._displayed, self._displayed_at = (self.saturation, self.pulse), at
        elif at - self._seen_at > _HELD_FOR and not self.out_of_track:
            self._displayed, self._displayed_at = (_NO_SATURATION, _NO_PULSE), -math.inf

    @property
    def _is_measuring(self) -> bool:
        return self.finger and self.connected and not self.out_of_track

    def _all_frames(self) -> Iterator[bytes]:
        """Frames, packet after packet, for ever."""
        phase = 0.0  # of the pulse, from 0 to 1
        since_beat = _PULSE_MARK
        for timer in count():
            said = self._said_by_frames(timer)
            for number in range(_FRAMES_A_PACKET):
                phase += self.pulse / 60 / _FRAMES_A_SECOND
                since_beat += 1
                if phase >= 1:
                    phase, since_beat = phase % 1, 0
                status = self._status(in_pulse=since_beat < _PULSE_MARK) | (number == 0)
                height = (1 - phase) ** 2 if self.finger and self.connected else 0.0
                if self.data_format == 7:
                    wave = int(20_000 + 25_000 * height)
                    frame = bytes((status, wave >> 8, wave & 0xFF, said[number]))
                else:
                    frame = bytes((1, status, int(60 + 150 * height), said[number]))
                yield frame + bytes((sum(frame) % 256,))

    def _status(self, *, in_pulse: bool) -> int:
        status = 0x80
        status |= 0x40 * (not self.connected)
        status |= 0x10 * self.out_of_track
        status |= 0x08 * (not self.finger or not self.connected)
        if in_pulse and self.finger and self.connected:
            status |= 0x20 * self.artefact
            status |= {Perfusion.GREEN: 0x02, Perfusion.YELLOW: 0x06, Perfusion.RED: 0x04}[self.perfusion]
        return status

    def _said_by_frames(self, timer: int) -> list[int]:
        """Byte 4 of each frame of a packet."""
        saturation, pulse = (
            (self.saturation, self.pulse) if self._is_measuring else (_NO_SATURATION, _NO_PULSE)
        )
        displayed_saturation, displayed_pulse = self._displayed
        high, low = divmod(pulse, 128)
        displayed_high, displayed_low = divmod(displayed_pulse, 128)
        said = [0] * _FRAMES_A_PACKET
        said[0:4] = high, low, saturation, _FIRMWARE
        said[5:8] = timer >> 7 & 0x7F, timer & 0x7F, 0x01 * self.battery_low
        said[8:11] = displayed_saturation, saturation, saturation
        said[13:17] = high, low, saturation, displayed_saturation
        said[19:23] = displayed_high, displayed_low, displayed_high, displayed_low
        return said

    def _packet_of_format_8(self) -> bytes:
        saturation, pulse = self._displayed
        out = not self.finger or not self.connected
        status = 0x80 | 0x40 * (not self.connected) | 0x20 * self.out_of_track | pulse >> 7
        status |= {Perfusion.GREEN: 0, Perfusion.YELLOW: 0x08, Perfusion.RED: 0x10}[self.perfusion] * (
            not out
        )
        status |= 0x04 * (self.artefact and not out)
        return bytes((status, pulse & 0x7F, saturation, 0x08 * out | 0x01 * self.battery_low))

    def _spot_checks(self, at: float) -> bytes:
        if not (self.finger and self.connected):
            self._in_since, self._measured = None, False
            return b""
        if self._in_since is None:
            self._in_since = at
        if self._measured or at - self._in_since < self.settling:
            return b""
        self._measured = True
        stored, self._stored = self._stored, []
        packets = [self._spot_check(*each, from_memory=True) for each in stored]
        return b"".join((*packets, self._spot_check(self._face(at), self.saturation, self.pulse)))

    def _spot_check(self, time: datetime, saturation: int, pulse: int, *, from_memory: bool = False) -> bytes:
        is_sure = not self.artefact and not self.out_of_track and self.perfusion is not Perfusion.RED
        century, year = divmod(time.year, 100)
        fields = (century, year, time.month, time.day, time.hour, time.minute, time.second, 0)
        data = bytes(16 * (field // 10) + field % 10 for field in fields)
        data += bytes((0x02 * is_sure, 0x10 * from_memory | 0x01 * self.battery_low))
        data += pulse.to_bytes(2, "big") + b"\x00" + bytes((saturation,))
        return b"\x00\x02\x00\x0d" + len(data).to_bytes(2, "big") + data + bytes((sum(data) % 256, _ETX))

    def _face(self, at: float) -> datetime:
        """What its clock shows."""
        return self.clock + timedelta(seconds=at - self._start(at))

    def _answer(self, command: int, data: bytes, at: float) -> bytes:
        if command == _SET_FORMAT:
            if len(data) != 2 or data[0] != 2 or data[1] not in (2, 7, 8, 13):
                return bytes((_NAK,))
            self.data_format, self._sent = data[1], 0
            self._began, self.clock = at, self._face(at)
            self._frames = self._all_frames()
            return bytes((_ACK,))
        if command == _TIME and not data:
            face = self._face(at)
            fields = (face.year % 100, face.month, face.day, face.hour, face.minute, face.second)
            return bytes((_STX, _TIME_IS, 6, *fields, _ETX))
        if command == _TIME and len(data) == 6:
            year, month, day, hour, minute, second = data
            try:
                shown = datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)
            except ValueError:
                return b""
            self.clock = shown - timedelta(seconds=at - self._start(at))
        return b""
