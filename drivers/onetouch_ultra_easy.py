"""The LifeScan OneTouch Ultra Easy (OneTouch UltraMini) glucose meter, on its serial cable.

9600 baud, 8N1, in the packets of `onetouch_link.py`. Messages, all numbers little-endian:

| asked | answered |
|---|---|
| 05 0B 02 00000000 846AE873 00 | 05 06, the serial number in ASCII |
| 05 0D 02 | 05 06, length, version and date of the software in ASCII |
| 05 20 02 00000000 | 05 06, the meter's time (4): seconds since 1970, as if its local time were UTC |
| 05 20 01, time (4) | 05 06, the time that it has now: its clock is set |
| 05 1F F5 01 (record 501, which there is not) | 05 0F, how many records there are (2) |
| 05 1F, index (2) | 05 06, time (4), glucose (4) in mg/dL, also on a meter that shows mmol/L |

Never sent: 05 1A, which erases all records.

**What is enrolled is the cable,** a serial adapter with a plug for any such meter. So the serial number of
the meter is asked for first whenever it is asked for anything, and is part of each payload: the ten bytes of
the answer, then the serial number. While no meter is on the cable it is knocked for.

**The newest first:** which end of the memory the newest record is at the public descriptions do not say. So
records are read from both ends inward, and when it is asked again later, from each end up to one that is
known.

A glucose below 20 mg/dL is shown as "LO", one above 600 as "HI" (sent as FFFF); control solution is not sent
at all (Tidepool's checklist for the UltraMini, by the owner's booklet and a meter).

Sources: those of `onetouch_link.py`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from enum import Enum, auto

from drivers.bluetooth.device_information import DeviceInformation
from drivers.driver import Decoded, DecodeError
from drivers.glucose import PER_MILLIMOLE_PER_LITRE
from drivers.ieee11073 import Number
from drivers.onetouch_link import ACKNOWLEDGE, DISCONNECT, EXPECTED, SENT, Packet, PacketCutter
from drivers.quality import measurements
from drivers.serial_line import Heard, LineSettings, SerialDriver, later
from hub.readings import AbsentReason, DeviceTime, Flag, Quality, Vital

_READ_SERIAL_NUMBER = bytes.fromhex("050b02 00000000 846ae873 00")
_READ_VERSION = bytes.fromhex("050d02")
_READ_CLOCK = bytes.fromhex("052002 00000000")
_SET_CLOCK = bytes.fromhex("052001")
_READ_RECORD = bytes.fromhex("051f")
_READ_COUNT = _READ_RECORD + (501).to_bytes(2, "little")

_DONE, _COUNT = b"\x05\x06", b"\x05\x0f"
_RECORD = struct.Struct("<2sII")
_SERIAL_NUMBER = re.compile(rb"[0-9A-Za-z]{1,20}")

_MOST_RECORDS = 1000  # the meter keeps 500
_TRIES = 3
_ANSWERS_WITHIN = 1.0  # seconds; Thompson's program waits for half of one
_KNOCKED_AGAIN = 2.0  # seconds, while no meter is there
_TRIED_AGAIN = 10.0  # seconds, where it has not answered everything
_ASKED_AGAIN = 15.0  # seconds, where it has
_CLOCK_MAY_BE_OFF = 5  # seconds; by ten it may put a record into the next resident's round

_LOWEST, _HIGHEST = 20, 600  # mg/dL that the meter shows as a number
_MOST_FOR_HIGH = 0xFFFF
_CLOCKS_BEGIN = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())


def decode_record(payload: bytes) -> Decoded:
    """Decode an answer with a record, and the serial number of the meter after it. Raises `DecodeError`."""
    if len(payload) <= _RECORD.size:
        raise DecodeError(
            f"payload too short: {len(payload)} bytes where a record has {_RECORD.size} and a serial number",
            payload,
        )
    begins, seconds, milligrams = _RECORD.unpack_from(payload)
    if begins != _DONE:
        raise DecodeError("no record", payload)
    if _SERIAL_NUMBER.fullmatch(payload, _RECORD.size) is None:
        raise DecodeError("no serial number of a meter after the record", payload)
    number, flags = _glucose(milligrams)
    quality = Quality.GOOD
    if seconds < _CLOCKS_BEGIN:
        flags |= {Flag.CLOCK_NOT_SET}
        quality = Quality.QUESTIONABLE
    judged, flags = measurements([(Vital.GLUCOSE, number, quality)], flags)
    # The meter has no numbers for its records: the second of each is its number.
    return Decoded(judged, flags, _time(seconds), sequence_number=seconds)


def _glucose(milligrams: int) -> tuple[Number, frozenset[Flag]]:
    """In mmol/L to 0.1, as the meter shows it; and what it shows as "LO" or "HI" is no number."""
    if milligrams < _LOWEST:
        return AbsentReason.NEGATIVE_INFINITY, frozenset({Flag.RESULT_TOO_LOW})
    if milligrams <= _HIGHEST:
        return round(milligrams / PER_MILLIMOLE_PER_LITRE, 1), frozenset()
    if milligrams <= _MOST_FOR_HIGH:
        return AbsentReason.POSITIVE_INFINITY, frozenset({Flag.RESULT_TOO_HIGH})
    return AbsentReason.ERROR, frozenset()


def _time(seconds: int) -> DeviceTime:
    shown = datetime.fromtimestamp(seconds, UTC)
    return DeviceTime(shown.year, shown.month, shown.day, shown.hour, shown.minute, shown.second)


class _NonsenseError(Exception):
    """An answer that is none to what was asked."""


class _State(Enum):
    WAITING = auto()
    HANGING_UP = auto()
    ASKED = auto()


class MeterConversation:
    """The talk with whatever meters are put on one cable (`drivers.serial_line.Conversation`)."""

    def __init__(self) -> None:
        self._cutter = PacketCutter()
        self._state = _State.WAITING
        self._until = 0.0
        self._tries = 0
        self._sent = 0  # SENT of our next packet with a message
        self._expected = 0  # SENT of the meter's next
        self._dialogue: Generator[bytes, bytes, None] | None = None
        self._asked = b""
        self._local: tuple[float, datetime] | None = None
        # What is known of the meter, all of it forgotten where another is on the cable.
        self._serial_number = b""
        self._greeted = False
        self._known: set[bytes] = set()
        self._unread: list[int] = []
        # What came of what is being heard.
        self._payloads: list[tuple[str, bytes]] = []
        self._write: list[Packet] = []
        self._information: DeviceInformation | None = None

    @property
    def frames(self) -> int:
        """How many whole packets were heard."""
        return self._cutter.packets

    @property
    def passed_over(self) -> int:
        """How many bytes belonged to no packet."""
        return self._cutter.passed_over

    def begin(self, at: float, local: datetime | None) -> Heard:
        """The line is open: knock for a meter."""
        self._local = None if local is None else (at, local)
        self._hang_up(at)
        return self._said()

    def hear(self, octets: bytes, at: float) -> Heard:
        """These bytes came."""
        for packet in self._cutter.feed(octets, at):
            self._take(packet, at)
        return self._said()

    def wait(self, at: float) -> Heard:
        """What was not answered is asked again, three times; and a meter is asked for what is new."""
        if at >= self._until:
            if self._state is not _State.WAITING:
                self._failed(at)
            elif self._dialogue is None:
                self._hang_up(at)
            else:
                self._go_on(self._talk(at), at)
        return self._said()

    def _said(self) -> Heard:
        heard = Heard(
            tuple(self._payloads), b"".join(packet.octets for packet in self._write), self._information
        )
        self._payloads.clear()
        self._write.clear()
        self._information = None
        return heard

    # --- the link

    def _hang_up(self, at: float) -> None:
        """Begin anew: what the meter says until it has agreed is of before."""
        self._state, self._until = _State.HANGING_UP, at + _ANSWERS_WITHIN
        self._sent = self._expected = 0
        self._write.append(Packet(DISCONNECT))

    def _ask(self, at: float) -> None:
        self._state, self._until = _State.ASKED, at + _ANSWERS_WITHIN
        self._write.append(Packet(self._control, self._asked))

    @property
    def _control(self) -> int:
        return (SENT if self._sent else 0) | (EXPECTED if self._expected else 0)

    def _take(self, packet: Packet, at: float) -> None:
        hung_up = packet.control & DISCONNECT
        acknowledges = packet.control & ACKNOWLEDGE
        if self._state is _State.HANGING_UP:
            if hung_up and acknowledges:
                self._go_on(self._talk(at), at)
        elif self._state is _State.ASKED and not hung_up and not acknowledges and packet.message:
            repeated = bool(packet.control & SENT) is not bool(self._expected)
            if not repeated:
                self._expected ^= 1
                self._sent ^= 1
            self._write.append(Packet(self._control | ACKNOWLEDGE))
            if not repeated:
                self._answered(packet.message, at)

    def _failed(self, at: float) -> None:
        """No answer, or none that can be one."""
        self._tries += 1
        if self._state is _State.ASKED and self._unread:  # perhaps it has no answer to this one
            self._unread.append(self._unread.pop(0))
        if self._tries < _TRIES:
            self._hang_up(at)
            return
        if self._state is _State.ASKED:
            self._rest(at + _TRIED_AGAIN)
        else:  # no meter is there any more: the next is new
            self._forget(b"")
            self._rest(at + _KNOCKED_AGAIN)
        self._dialogue = None

    def _rest(self, until: float) -> None:
        self._state, self._until, self._tries = _State.WAITING, until, 0

    # --- the dialogue

    def _go_on(self, dialogue: Generator[bytes, bytes, None], at: float) -> None:
        self._dialogue = dialogue
        self._asked = next(dialogue)
        self._ask(at)

    def _answered(self, message: bytes, at: float) -> None:
        assert self._dialogue is not None
        try:
            self._asked = self._dialogue.send(message)
        except StopIteration:
            self._rest(at + _ASKED_AGAIN)
        except _NonsenseError:
            self._failed(at)
        else:
            self._ask(at)

    def _talk(self, at: float) -> Generator[bytes, bytes, None]:
        """What is asked, one after the other; each answer is sent in."""
        serial_number = _rest_of((yield _READ_SERIAL_NUMBER), _DONE)
        if _SERIAL_NUMBER.fullmatch(serial_number) is None:
            raise _NonsenseError
        if serial_number != self._serial_number:
            self._forget(serial_number)
        count = int.from_bytes(_rest_of((yield _READ_COUNT), _COUNT, 2), "little")
        if count > _MOST_RECORDS:
            raise _NonsenseError
        if not self._greeted:
            yield from self._greet(at)
            self._unread = _from_both_ends(count)
        else:
            known = len(self._known)
            yield from self._read_new(range(count))
            yield from self._read_new(range(count - 1, -1, -1))
            if self._unread and len(self._known) > known:  # those that are still to be read have moved
                self._unread = _from_both_ends(count)
        while self._unread:
            yield from self._read(self._unread[0])
            del self._unread[:1]

    def _greet(self, at: float) -> Generator[bytes, bytes, None]:
        """Ask what else it is, and set its clock."""
        version = yield _READ_VERSION
        clock = yield _READ_CLOCK
        ahead: int | None = None
        if self._local is not None and len(clock) == 6 and clock.startswith(_DONE):
            begun, local = self._local
            right = int(later(local, at - begun).replace(tzinfo=UTC).timestamp())
            ahead = int.from_bytes(clock[2:], "little") - right
            if abs(ahead) > _CLOCK_MAY_BE_OFF:
                yield _SET_CLOCK + right.to_bytes(4, "little")
        self._greeted = True
        self._information = DeviceInformation(
            manufacturer="LifeScan",
            model="OneTouch Ultra Easy",
            serial_number=self._serial_number.decode(),
            software=_text(version[3:]) if version.startswith(_DONE) else None,
            clock_ahead=None if ahead is None else timedelta(seconds=ahead),
        )

    def _read_new(self, indices: range) -> Generator[bytes, bytes, None]:
        """Read up to one that is known."""
        for index in indices:
            known = len(self._known)
            yield from self._read(index)
            if len(self._known) == known:
                return

    def _read(self, index: int) -> Generator[bytes, bytes, None]:
        answer = yield _READ_RECORD + index.to_bytes(2, "little")
        if answer.startswith(_COUNT):  # there are fewer by now
            raise _NonsenseError
        if len(self._known) > 2 * _MOST_RECORDS:  # then they are all read once more
            self._known.clear()
        if answer not in self._known:
            self._tries = 0
            self._known.add(answer)
            self._payloads.append(("record", answer + self._serial_number))

    def _forget(self, serial_number: bytes) -> None:
        """Another meter is there, or none."""
        self._serial_number = serial_number
        self._greeted = False
        self._known.clear()
        self._unread.clear()


def _rest_of(answer: bytes, begins: bytes, length: int | None = None) -> bytes:
    rest = answer[len(begins) :]
    if not answer.startswith(begins) or length not in (None, len(rest)):
        raise _NonsenseError
    return rest


def _from_both_ends(count: int) -> list[int]:
    """0, the last, 1, the last but one, ..."""
    return [count - 1 - place // 2 if place % 2 else place // 2 for place in range(count)]


def _text(octets: bytes) -> str | None:
    return "".join(chr(octet) for octet in octets if 0x20 <= octet < 0x7F).strip() or None


DRIVER = SerialDriver(
    name="onetouch_ultra_easy",
    title="LifeScan OneTouch Ultra Easy (UltraMini) glucose meter",
    characteristics={"record": decode_record},
    keeps_records=True,
    settings=LineSettings(9600),
    converse=MeterConversation,
)
