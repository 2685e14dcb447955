"""Virtual Contec oximeters, of the newer serial protocol and of the older: bytes in, bytes out, no line.

Written from Contec's "Communication protocol of pulse oximeter V7.0", and for the older one from the
apneaboard wiki's Contec_CMS50X_Data_Format and a forum's translation of Contec's manual (picbasic.co.uk,
thread 11311). Nothing here is shared with the drivers. What these documents do not say is made up: the
waveform, and that a sensor whose computer is silent for ten seconds stops sending.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

FRAMES_A_SECOND = 60
_GIVES_UP_AFTER = 10.0  # seconds


@dataclass(slots=True)
class Finger:
    """What an oximeter sees: percent, beats a minute, and the strength of the signal from 0 to 8.

    `saturation` or `pulse` None: it has no number for it. `inside`: whether there is a finger; `searching`:
    whether it looks for a pulse in it.
    """

    saturation: int | None = 97
    pulse: int | None = 68
    strength: int = 6
    inside: bool = True
    searching: bool = False


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording in the memory: when it began (None: the sensor has no clock), and percent and beats a
    minute of each second; (0, 0) where there was no finger."""

    began: datetime | None
    samples: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class _Stream:
    """What is sent by itself: frames at their pace, or a memory as fast as the line is."""

    bytes_a_second: float
    frames: int = 0
    since: float | None = None
    memory: bytes = b""
    memory_since: float = 0.0
    memory_sent: int = 0

    def start(self, at: float) -> None:
        self.since, self.frames = at, 0

    def tell(self, memory: bytes, at: float) -> None:
        self.since, self.memory, self.memory_since, self.memory_sent = None, memory, at, 0

    def stop(self) -> None:
        self.since, self.memory, self.memory_sent = None, b"", 0

    def memory_due(self, at: float) -> bytes:
        reached = min(len(self.memory), int((at - self.memory_since) * self.bytes_a_second))
        sent, self.memory_sent = self.memory[self.memory_sent : reached], max(reached, self.memory_sent)
        return sent

    @property
    def told(self) -> bool:
        return self.memory_sent >= len(self.memory)

    def frames_due(self, at: float) -> range:
        if self.since is None:
            return range(0)
        first, self.frames = self.frames, max(self.frames, int((at - self.since) * FRAMES_A_SECOND))
        # What it said while nobody listened is gone.
        return range(max(first, self.frames - FRAMES_A_SECOND), self.frames)


def _waveform(frame: int, finger: Finger) -> tuple[int, bool]:
    """The height of the pulse wave, 0 to 127, and whether a heart beats in this frame."""
    if not finger.inside or not finger.pulse:
        return 64, False
    frames_a_minute = 60 * FRAMES_A_SECOND
    since_the_beat = frame * finger.pulse % frames_a_minute
    phase = since_the_beat / frames_a_minute
    height = math.exp(-4 * phase) * min(1.0, phase * 12) * (finger.strength / 8)
    return 10 + int(110 * height), since_the_beat < finger.pulse


@dataclass(slots=True)
class Cms50:
    """An oximeter of the newer protocol. `switched_on` and `finger` may be set at any time.

    `answers`: whether it knows any command but that for live packets; `refuses`: those that it does not
    know. `with_index`: its memory has the perfusion index too. `date`, `time`: what its clock was set to, as
    told; `commands`: all that it was told.
    """

    finger: Finger = field(default_factory=Finger)
    recordings: list[Recording] = field(default_factory=list)
    model: str = "CMS50D+"
    maker: str = "CONTEC"
    switched_on: bool = True
    answers: bool = True
    with_index: bool = False
    refuses: frozenset[int] = frozenset()
    date: tuple[int, ...] = ()
    time: tuple[int, ...] = ()
    commands: list[int] = field(default_factory=list)
    _received: bytes = b""
    _heard_at: float = 0.0
    _stream: _Stream = field(default_factory=lambda: _Stream(115_200 / 10))

    def hear(self, octets: bytes, at: float) -> bytes:
        """The computer wrote this; gives the answers."""
        if not self.switched_on:
            return b""
        self._received += octets
        answers = b""
        while (begin := self._received.find(b"\x7d")) >= 0 and len(self._received) >= begin + 9:
            packet, self._received = self._received[begin : begin + 9], self._received[begin + 9 :]
            self._heard_at = at
            answers += self._answer(packet, at)
        return answers

    def due(self, at: float) -> bytes:
        """What it has sent by itself by then, since it was last asked."""
        if not self.switched_on:
            self._stream.stop()
            self._received = b""
            return b""
        if at - self._heard_at > _GIVES_UP_AFTER:
            self._stream.stop()
        frames = b"".join(self.live(frame) for frame in self._stream.frames_due(at))
        return frames + self._stream.memory_due(at)

    def live(self, frame: int = 0) -> bytes:
        """A live packet, the how manyth since it began to stream."""
        finger = self.finger
        height, beat = _waveform(frame, finger)
        seen = finger.inside and not finger.searching
        saturation = finger.saturation if seen and finger.saturation is not None else 0x7F
        pulse = finger.pulse if seen and finger.pulse is not None else 0xFF
        first = min(8, finger.strength if finger.inside else 0) | beat << 6 | (not finger.inside) << 7
        second = height | finger.searching << 7
        return _packed(0x01, [first, second, height // 9 | 0x10, pulse, saturation, 0xFF, 0xFF])

    def _answer(self, packet: bytes, at: float) -> bytes:
        code, *more = (octet & 0x7F for octet in packet[2:])
        code |= 0x80
        self.commands.append(code)
        if code == 0xA1:
            self._stream.start(at)
            return b""
        if not self.answers:
            return b""
        # While it tells its memory it answers nothing but what stops that.
        if not self._stream.told and code not in (0xA7, 0xAF):
            return b""
        match code:
            case _ if code in self.refuses:
                return _packed(0x0B, [code, 0x05])
            case 0xA2 | 0xA7:
                self._stream.stop()
                return _packed(0x0C, [])
            case 0xA3:
                return _packed(0x0A, [more[0], len(self.recordings)])
            case 0xA4 | 0xA5 | 0xA6 if more[1] < len(self.recordings):
                return self._of_recording(code, more[0], more[1], at)
            case 0xA8:
                text = self.model.encode().ljust(12)
                return _packed(0x02, [0, *text[:6]]) + _packed(0x02, [0xFF, *text[6:12]])
            case 0xA9:
                return _packed(0x03, [*self.maker.encode().ljust(7)[:7]])
            case 0xAF:
                return b""
            case 0xB1:
                self.time = tuple(more[:3])
                return _packed(0x0B, [code, 0x00])
            case 0xB2:
                self.date = tuple(more[:5])
                return _packed(0x0B, [code, 0x00])
            case _:
                return _packed(0x0B, [code, 0x05])

    def _of_recording(self, code: int, user: int, number: int, at: float) -> bytes:
        recording = self.recordings[number]
        if code == 0xA4:
            size = len(recording.samples) * (4 if self.with_index else 2)
            return _packed(0x08, [user, number, *size.to_bytes(4, "little")])
        if code == 0xA5:
            began = recording.began
            if began is None:
                return _packed(0x07, [user, number, 0, 0, 0, 0]) + _packed(0x12, [user, number, 0, 0, 0, 0])
            return _packed(
                0x07, [user, number, began.year // 100, began.year % 100, began.month, began.day]
            ) + _packed(0x12, [user, number, began.hour, began.minute, began.second, 0])
        self._stream.tell(b"".join(self._memory(recording)), at)
        return b""

    def _memory(self, recording: Recording) -> Iterator[bytes]:
        if self.with_index:
            for saturation, pulse in recording.samples:
                yield _packed(0x09, [saturation, pulse, 0x2C, 0x01])
            return
        octets = [octet for sample in recording.samples for octet in sample]
        for at in range(0, len(octets), 6):
            yield _packed(0x0F, (octets[at : at + 6] + [0] * 6)[:6])


def _packed(kind: int, data: list[int]) -> bytes:
    """A packet: bit 7 of each byte of data goes into the byte before them, and is 1 in its place."""
    high = 0x80
    for place, octet in enumerate(data):
        if octet > 127:
            high += 2**place
    return bytes([kind, high] + [octet | 0x80 for octet in data])


@dataclass(slots=True)
class ClassicCms50:
    """An oximeter of the older protocol, which sends live frames by itself. It has one recording, or none."""

    finger: Finger = field(default_factory=Finger)
    recording: Recording | None = None
    switched_on: bool = True
    answers: bool = True
    _stream: _Stream = field(default_factory=lambda: _Stream(19_200 / 11))
    _live: bool = True

    def hear(self, octets: bytes, at: float) -> bytes:
        """The computer wrote this; it is answered by what it sends from then on."""
        if self.switched_on and self.answers:
            if b"\xf5\xf5" in octets:
                self._live = False
                self._stream.tell(self._memory(), at)
            if b"\xf6\xf6\xf6" in octets and not self._live:
                self._live = True
                self._stream.stop()
        return b""

    def due(self, at: float) -> bytes:
        """What it has sent by itself by then, since it was last asked."""
        if not self.switched_on:
            self._stream.stop()
            return b""
        if not self._live:
            return self._stream.memory_due(at)
        if self._stream.since is None:
            self._stream.start(at)
        return b"".join(self.live(frame) for frame in self._stream.frames_due(at))

    def live(self, frame: int = 0) -> bytes:
        """A live frame, the how manyth since it began to stream."""
        finger = self.finger
        height, beat = _waveform(frame, finger)
        seen = finger.inside and not finger.searching
        saturation = finger.saturation if seen and finger.saturation is not None else 0x7F
        pulse = finger.pulse if seen and finger.pulse is not None else 0xFF
        third = height // 9 | (not finger.inside) << 4 | finger.searching << 5 | (pulse > 127) << 6
        strength = min(8, finger.strength if finger.inside else 0)
        return bytes([0x80 + strength + 64 * beat, height, third, pulse % 128, saturation])

    def _memory(self) -> bytes:
        recording = self.recording or Recording(None, ())
        hour, minute = (recording.began.hour, recording.began.minute) if recording.began else (0, 0)
        told = b"".join(
            bytes([0xF0 + pulse // 128, 0x80 + pulse % 128, saturation])
            for saturation, pulse in recording.samples
        )
        last = max(0, len(told) - 1)
        length = bytes([0x80 + (last >> 14), 0x80 + (last >> 7 & 127), last & 127])
        return bytes([0xF2, 0x80 + hour, minute]) * 3 + length + told
