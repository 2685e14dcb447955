"""The older oximeters of Contec's CMS50 family: 19,200 baud, 8 data bits, odd parity.

Known to speak it: CMS50D+ before firmware 4.6, CMS50E and CMS50F of older make. Newer ones speak another
(`contec_cms50.py`); which one it is only the baud rate tells.

They send live frames by themselves, 60 a second. Only the first byte of a frame has bit 7 set:

| byte | bits | field |
|---|---|---|
| 0 | 0-3 | strength of the signal, 0 to 8 |
| 0 | 4, 5, 6 | searching for too long; SpO2 dropping; the beat of a pulse |
| 1 | | waveform |
| 2 | 0-3, 4, 5, 6 | bar graph; probe error; searching for a pulse; pulse rate, bit 7 |
| 3, 4 | | pulse rate per minute, bits 0 to 6; SpO2 in % |

There is no checksum: what is no byte with bit 7 and four without is passed over, and so is a frame that is
followed by no other. Of a second is kept (`second.py`) strength, and bits 4, 6 and 7 for searching for too
long, searching and probe error; pulse; SpO2.

F5 F5 asks for the memory, F6 F6 F6 for live frames again. The memory is F2, hour, minute (with a clock; 80 00
without) three times, its length less one in three bytes of seven bits (bit 7 clear in the last alone), and
for each second F0 or F1 (bit 7 of the pulse rate), pulse rate with bit 7 set, SpO2. No date is told, so
nothing tells of which day it is: what is stored is shown and never scored (`contec_memory.py`). One of more
than ten hours takes more than a minute, in which nobody would see how the person in it is; it is not waited
for.

Sources: Contec's manual as translated on picbasic.co.uk (thread 11311), for the bits of a frame;
apneaboard.com's Contec_CMS50X_Data_Format with its capture, atbrask/CMS50Dplus and OSCAR's loader, for the
rest. atbrask takes bit 4 of byte 0 for "finger out", Contec for "searching for too long": unusable either
way. Not confirmed: what stands for no number (here 0, and 127 or 255); that the length is less by one (it was
not always a multiple of three: so it is taken for the number of samples, rounded down); from which strength
on a signal is good (as newer ones).
"""

from __future__ import annotations

import re
from datetime import datetime

from drivers import contec_cms50, contec_memory
from drivers.second import Seconds
from drivers.serial_line import NOTHING_HEARD, Heard, LineSettings, SerialDriver

_ASK_MEMORY, _ASK_LIVE = b"\xf5\xf5", b"\xf6\xf6\xf6"

_FRAME_BYTES = 5
_FIRST = 0x80
_RUN = re.compile(rb"[\x80-\xff][\x00-\x7f]*")
"""A byte that begins a frame, and all that may belong to it."""

_HEAD = re.compile(
    rb"\xf2([\x80-\x97])([\x00-\x3b])(?:\xf2[\x80-\x97][\x00-\x3b]){2}"
    rb"([\x80-\xff])([\x80-\xff])([\x00-\x7f])"
)
_HEAD_BYTES = 12
_SAMPLES = re.compile(rb"(?:[\xf0\xf1][\x80-\xff][\x00-\x7f])+")
_SAMPLE_BYTES = 3

_PATIENCE = 1.0  # seconds for the memory to begin, or to go on
_TRIES = 2
_SILENT = 2.0  # seconds without a live frame: it is asked for
_AWAY = 10.0  # seconds without one: it was switched off, and what comes then is a new beginning
_STALE = 0.5  # seconds: what was begun before is no part of what comes now
_MOST_SAMPLES = 36_000  # ten hours


def _said(frame: bytes) -> bytes:
    """What a live frame says of the person, as a newer sensor says it."""
    first, third = frame[0], frame[2]
    return bytes(
        (
            first & 0x1F | (third & 0x20) << 1 | (third & 0x10) << 3,
            frame[3] | (third & 0x40) << 1,
            frame[4],
        )
    )


class _Memory:
    """The memory as it comes in answer to F5 F5."""

    def __init__(self, at: float) -> None:
        self.heard_at = at
        """When last anything of it came, or it was asked for."""
        self.expected: int | None = None
        """How many samples there are, once it has begun."""
        self.began = contec_memory.NO_TIME
        self.samples = bytearray()
        self.passed_over = 0
        self._held = b""

    def feed(self, octets: bytes, at: float) -> None:
        """These bytes came."""
        held = self._held + octets
        if self.expected is None:
            head = _HEAD.search(held)
            if head is None:
                self._held = held[-_HEAD_BYTES:]
                return
            self._begin(*(group[0] for group in head.groups()))
            self.heard_at = at
            held = held[head.end() :]
        begin = 0
        while len(held) - begin >= _SAMPLE_BYTES:
            run = _SAMPLES.match(held, begin)
            if run:
                self._take(run[0])
                self.heard_at = at
                begin = run.end()
            else:
                self.passed_over += 1  # between the head and the first sample some send a byte more
                begin += 1
        self._held = held[begin:]

    def _begin(self, hour: int, minute: int, high: int, middle: int, low: int) -> None:
        last = (high & 0x7F) << 14 | (middle & 0x7F) << 7 | low
        self.expected = (last + 1) // _SAMPLE_BYTES
        self.began = bytes((0, 0, 0, 0, hour & 0x7F, minute, 0))

    def _take(self, run: bytes) -> None:
        both = bytearray(len(run) // _SAMPLE_BYTES * 2)
        both[::2] = run[2::_SAMPLE_BYTES]
        both[1::2] = bytes(
            pulse & 0x7F | (high & 1) << 7
            for high, pulse in zip(run[::_SAMPLE_BYTES], run[1::_SAMPLE_BYTES], strict=True)
        )
        self.samples += both

    @property
    def received(self) -> int:
        """How many samples came."""
        return len(self.samples) // 2

    @property
    def ended(self) -> bool:
        """Whether nothing more is to come, or is waited for."""
        return self.expected is not None and (self.received >= self.expected or self.expected > _MOST_SAMPLES)

    @property
    def whole(self) -> bool:
        """Whether all of it came: nothing says which is missing, and all that follow it would be early."""
        return self.expected is not None and self.received >= self.expected


class ClassicConversation:
    """One link with a sensor of the older protocol: live frames as they come, and once what it has stored.

    It is asked for its memory with the first live frame, and again after it was switched off.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.passed_over = 0
        self._held = b""
        self._heard_at = self._live_at = self._asked_live_at = 0.0
        self._seconds = Seconds()
        self._memory: _Memory | None = None
        self._tries = _TRIES

    def begin(self, at: float, local: datetime | None) -> Heard:  # noqa: ARG002 - for other conversations
        """The line is open. How its clock could be set is not known."""
        self._heard_at = self._live_at = self._asked_live_at = at
        return Heard(write=_ASK_LIVE)

    def hear(self, octets: bytes, at: float) -> Heard:
        """These bytes came."""
        payloads: list[tuple[str, bytes]] = []
        if self._memory is None or self._memory.expected is None:
            self._hear_live(octets, at, payloads)
        if self._memory is not None:
            return self._hear_memory(self._memory, octets, at, payloads)
        if self._tries == _TRIES and self._live_at == at:
            return Heard(tuple(payloads), self._ask_memory(at))
        return Heard(tuple(payloads)) if payloads else NOTHING_HEARD

    def wait(self, at: float) -> Heard:
        """Time went by."""
        second = self._seconds.ended(at)
        payloads = (("live", second),) if second else ()
        write = b""
        if self._memory is not None:
            if at - self._memory.heard_at >= _PATIENCE:
                write = self._end_memory(at)
        elif at - self._live_at >= _SILENT and at - self._asked_live_at >= _SILENT:
            if at - self._live_at >= _AWAY:
                self._tries = _TRIES
            self._asked_live_at, write = at, _ASK_LIVE
        return Heard(payloads, write) if payloads or write else NOTHING_HEARD

    def _hear_live(self, octets: bytes, at: float, payloads: list[tuple[str, bytes]]) -> None:
        if self._held and at - self._heard_at > _STALE:
            self._forget()
        self._heard_at = at
        held = self._held + octets
        runs: list[bytes] = _RUN.findall(held)
        if held and held[0] < _FIRST:
            self.passed_over += len(held) - sum(map(len, runs))
        self._held = runs.pop() if runs else b""
        if len(self._held) > _FRAME_BYTES:
            self._forget()
        for run in runs:
            if len(run) != _FRAME_BYTES:
                self.passed_over += len(run)
                continue
            self.frames += 1
            self._live_at = at
            if second := self._seconds.add(_said(run), at):
                payloads.append(("live", second))

    def _hear_memory(
        self, memory: _Memory, octets: bytes, at: float, payloads: list[tuple[str, bytes]]
    ) -> Heard:
        received, passed_over = memory.received, memory.passed_over
        memory.feed(octets, at)
        self.frames += memory.received - received
        self.passed_over += memory.passed_over - passed_over
        write = b""
        if memory.ended:
            if memory.whole:
                samples = bytes(memory.samples[: 2 * (memory.expected or 0)])
                payloads += [("stored", block) for block in contec_memory.blocks(memory.began, samples)]
            self._tries = 0  # it was told, or is too long to be waited for, now or again
            write = self._end_memory(at)
        return Heard(tuple(payloads), write) if payloads or write else NOTHING_HEARD

    def _ask_memory(self, at: float) -> bytes:
        self._memory = _Memory(at)
        self._tries -= 1
        return _ASK_MEMORY

    def _end_memory(self, at: float) -> bytes:
        """Live frames again, or once more the memory that was begun and did not come whole."""
        begun = self._memory is not None and self._memory.expected is not None
        self._memory = None
        self._live_at = self._asked_live_at = at
        self._forget()
        if begun and self._tries:
            return _ASK_LIVE + self._ask_memory(at)
        self._tries = 0
        return _ASK_LIVE

    def _forget(self) -> None:
        self.passed_over += len(self._held)
        self._held = b""


DRIVER = SerialDriver(
    name="contec_cms50_classic",
    title="Contec CMS50 oximeter (older protocol)",
    characteristics={"live": contec_cms50.decode_live, "stored": contec_memory.decode_stored},
    streaming=frozenset({"live"}),
    settings=LineSettings(19_200, "O"),
    converse=ClassicConversation,
)
