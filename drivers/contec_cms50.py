"""The Contec CMS50 family of oximeters with the newer serial protocol ("V7.0", 115200 baud, 8N1).

Known to speak it: CMS50D+ from firmware 4.6, CMS50E and CMS50F of newer make, CMS50EW, CMS50FW, CMS50I, and
what is sold as Pulox PO-250. Older ones speak another (`contec_cms50_classic.py`).

A live packet, 60 a second (`contec_packets.py`), its bits put in their places:

| byte | bits | field |
|---|---|---|
| 2 | 0-3 | strength of the signal, 0 to 8 |
| 2 | 4, 5, 6, 7 | searching for too long; low SpO2; the beat of a pulse; probe error (finger out) |
| 3 | 0-6, 7 | waveform; searching for a pulse |
| 4 | 0-3, 4 | bar graph; no perfusion index |
| 5, 6 | | pulse rate per minute, FF: none; SpO2 in %, 7F: none |
| 7-8 | | perfusion index in 0.01 %, little-endian, FFFF: none |

Of a second is kept (`second.py`) the strength with bits 4, 6 and 7, where 6 is "searching for a pulse", then
pulse and SpO2. Read over: low SpO2 (the document says "ignoring"), perfusion index (few have it).

What is asked at the beginning of a link, one after the other: stop what you send (A7, A2); how many
recordings there are (A3); of each the length (A4), beginning (A5) and samples (A6); date and time are set
(B2, B1); model and maker (A8, A9). Then live (A1), and "still there" (AF) every few seconds. Nothing is ever
deleted (AE).

Sources: Contec's "Communication protocol of pulse oximeter V7.0" of 2010-07-08 (in albertcbraun/CMS50FW) for
all of this but A8 and A9, which are in OSCAR's loader and in headrotor's capture. OSCAR, bmartin427/CMS50 and
headrotor's contec_data agree in what A3 to A6 are answered: two bytes to a sample (four with perfusion index,
kind 09), one sample a second. In none of them: the battery; a way to read the clock; from which strength on a
signal is good, where 0 to 2 are taken for poor here. Users other than user 0 are not asked for; nor is the
identifier (AA), as people may write a name into it.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from drivers import contec_memory
from drivers import contec_packets as packets
from drivers.bluetooth.device_information import DeviceInformation
from drivers.driver import Decoded
from drivers.oximetry import oximetry
from drivers.quality import StatusBit, Verdict, verdict
from drivers.second import Seconds, said_by_most
from drivers.serial_line import NOTHING_HEARD, Heard, LineSettings, SerialDriver, later
from hub.readings import Flag, Quality

_ASK_LIVE, _STOP_LIVE, _STOP_SAMPLES, _STILL_THERE = 0xA1, 0xA2, 0xA7, 0xAF
_ASK_RECORDINGS, _ASK_LENGTH, _ASK_BEGAN, _ASK_SAMPLES = 0xA3, 0xA4, 0xA5, 0xA6
_ASK_MODEL, _ASK_MAKER, _SET_TIME, _SET_DATE = 0xA8, 0xA9, 0xB1, 0xB2

_PATIENCE = 0.5  # seconds for an answer
_STILL_THERE_EVERY = 4.0  # seconds; the document says five
_SILENT = 2.0  # seconds without a live packet: it is asked for again
_AWAY = 10.0  # seconds without one: it was switched off, and what comes then is a new beginning
_LONGEST_DOWNLOAD = 60.0  # seconds, in which nobody sees how the person is; a day at full speed takes 20
_TRIES = 2
_USER = 0
_MOST_RECORDINGS = 16
_MOST_SAMPLES = 100_000  # 27 hours; memories are sold as of 24

_SEARCHING_TOO_LONG, _SEARCHING, _PROBE_ERROR = 4, 6, 7
_STRENGTH = 0x0F
_WEAK = 2
_NO_SATURATION, _NO_PULSE = (0, 0x7F), (0, 0xFF)
_FEWEST = 4
"""A value that fewer live packets of a second say is not believed."""

STATUS_BITS = (
    StatusBit(_SEARCHING_TOO_LONG, Flag.INADEQUATE_SIGNAL, Quality.UNUSABLE),
    StatusBit(_SEARCHING, Flag.INADEQUATE_SIGNAL, Quality.UNUSABLE),
    StatusBit(_PROBE_ERROR, Flag.SENSOR_DISPLACED, Quality.UNUSABLE),  # "finger out"
)
_WEAK_SIGNAL = (StatusBit(0, Flag.POOR_SIGNAL, Quality.QUESTIONABLE),)


@lru_cache(maxsize=256)
def _verdict(status: int) -> Verdict:
    said = verdict(STATUS_BITS, status)
    if said.quality is Quality.GOOD and status & _STRENGTH <= _WEAK:
        return verdict(_WEAK_SIGNAL, 1)
    return said


@lru_cache(maxsize=1024)
def _decode_thing(thing: bytes) -> Decoded:
    """What one live packet says, masked as `_said` does."""
    status, pulse, saturation = thing
    return oximetry(saturation, pulse, _verdict(status), no_saturation=_NO_SATURATION, no_pulse=_NO_PULSE)


def decode_live(payload: bytes) -> Decoded:
    """Decode a second of live packets. Raises `DecodeError`."""
    return said_by_most(payload, 3, _decode_thing, fewest=_FEWEST)


def _said(live: bytes) -> bytes:
    """What a live packet says of the person."""
    high = live[1]
    return bytes(
        (
            live[2] & 0x1F | (high & 1) << _PROBE_ERROR | (high & 2) << 5,
            live[5] & 0x7F | (high & 8) << 4,
            live[6] & 0x7F | (high & 16) << 3,
        )
    )


class _Asked(NamedTuple):
    """What is written, and the kinds of packets of which one is the answer."""

    write: bytes
    answers: tuple[int, ...]


class Cms50Conversation:
    """One link with a sensor of the newer protocol: first it is asked for what it has stored, then live.

    Live packets count whenever they come. A sensor that does not answer is asked for live packets after a
    second, and again whenever it is silent. The adapter is in the cable and stays plugged in when the sensor
    is switched off: one that was silent for long is asked everything again.
    """

    def __init__(self) -> None:
        self._packets = packets.Packets()
        self._at = self._began_at = self._live_at = self._still_there_at = 0.0
        self._local: datetime | None = None
        self._seconds = Seconds()
        self._away = False
        # What is asked, if anything: sent the packet that answers (b"" where it was refused, None where
        # nothing came), it asks the next.
        self._questions: Generator[_Asked, bytes | None, None] | None = None
        self._asked = _Asked(b"", ())
        self._asked_at = 0.0
        # What goes into the next `Heard`.
        self._payloads: list[tuple[str, bytes]] = []
        self._write = b""
        self._information: DeviceInformation | None = None

    @property
    def frames(self) -> int:
        """How many whole packets were heard."""
        return self._packets.cut

    @property
    def passed_over(self) -> int:
        """How many bytes belonged to none."""
        return self._packets.passed_over

    def begin(self, at: float, local: datetime | None) -> Heard:
        """The line is open."""
        self._at = self._began_at = self._live_at = self._still_there_at = at
        self._local = local
        self._ask_everything()
        return self._heard()

    def hear(self, octets: bytes, at: float) -> Heard:
        """These bytes came."""
        self._at = at
        for packet in self._packets.feed(octets, at):
            if packet[0] == packets.LIVE:
                self._live_at = at
                if second := self._seconds.add(_said(packet), at):
                    self._payloads.append(("live", second))
                if self._away and self._questions is None:
                    self._ask_everything()
            elif self._questions is not None:
                self._listen(packet)
        return self._heard()

    def wait(self, at: float) -> Heard:
        """Time went by."""
        self._at = at
        if second := self._seconds.ended(at):
            self._payloads.append(("live", second))
        if self._questions is not None:
            if at - self._asked_at >= _PATIENCE:
                self._answer(None)
        elif at - self._live_at >= _SILENT and at - self._asked_at >= _SILENT:
            self._away = self._away or at - self._live_at >= _AWAY
            self._ask_live()
        if at - self._still_there_at >= _STILL_THERE_EVERY:
            self._still_there_at = at
            self._write += packets.command(_STILL_THERE)
        return self._heard()

    def _heard(self) -> Heard:
        if not (self._payloads or self._write or self._information):
            return NOTHING_HEARD
        heard = Heard(tuple(self._payloads), self._write, self._information)
        self._payloads, self._write, self._information = [], b"", None
        return heard

    # --- questions

    def _listen(self, packet: bytes) -> None:
        if packet[0] in self._asked.answers:
            self._answer(packet)
        elif packet[0] == packets.FEEDBACK and packets.content(packet)[:1] == self._asked.write[2:3]:
            self._answer(b"")  # why it refuses is of no consequence here

    def _ask_live(self) -> None:
        self._asked_at = self._at
        self._write += packets.command(_ASK_LIVE)

    def _ask_everything(self) -> None:
        self._away = False
        self._questions = self._everything()
        self._ask(next(self._questions))

    def _ask(self, asked: _Asked) -> None:
        self._asked, self._asked_at = asked, self._at
        self._write += asked.write

    def _answer(self, packet: bytes | None) -> None:
        assert self._questions is not None
        try:
            self._ask(self._questions.send(packet))
        except StopIteration:
            self._questions = None
            self._live_at = self._at
            self._ask_live()

    def _everything(self) -> Generator[_Asked, bytes | None, None]:
        """All that is asked before live packets are; given up with the first that is not answered."""
        live_at = self._live_at
        stopped_samples = yield _Asked(packets.command(_STOP_SAMPLES), (packets.FREE,))
        stopped_live = yield _Asked(packets.command(_STOP_LIVE), (packets.FREE,))
        if stopped_samples is None and stopped_live is None:
            # It is switched off, or tells nothing but live packets.
            self._away = self._live_at == live_at
            return
        recordings = yield from _answered(packets.command(_ASK_RECORDINGS, _USER), packets.RECORDINGS)
        if recordings is None:
            return
        # One that knows no recordings refuses to count them, and has one.
        until = self._at + _LONGEST_DOWNLOAD
        for number in range(min(recordings[1], _MOST_RECORDINGS) if recordings else 1):
            if self._at < until and not (yield from self._recording(number, until)):
                return
        if self._local is not None and not (yield from self._set_clock(self._local)):
            return
        yield from self._ask_what_it_is()

    def _recording(self, number: int, until: float) -> Generator[_Asked, bytes | None, bool]:
        """Ask for a recording; it is told if it is whole by then. Gives whether the sensor answered."""
        which = bytes((_USER, number))
        length = yield from _answered(packets.command(_ASK_LENGTH, *which), packets.LENGTH)
        if not length or length[:2] != which:
            return length is not None
        size = int.from_bytes(length[2:], "little")
        if not 0 < size <= _MOST_SAMPLES * 4:
            return True
        began = yield from _began(which)
        if began is None:
            return False
        for _ in range(_TRIES):
            samples = yield from self._samples(which, size, until)
            if samples is not None:
                self._payloads += [("stored", block) for block in contec_memory.blocks(began, samples)]
                return True
            if (yield from _answered(packets.command(_STOP_SAMPLES), packets.FREE)) is None:
                return False
        return True

    def _samples(
        self, which: bytes, size: int, until: float
    ) -> Generator[_Asked, bytes | None, bytes | None]:
        """The samples of a recording of so many bytes, in %, /min by turns.

        None where some are missing: nothing says which, and all that follow them would be too early.
        """
        samples = bytearray()
        asked = packets.command(_ASK_SAMPLES, *which)
        while packet := (yield _Asked(asked, (packets.SAMPLES, packets.SAMPLES_WITH_INDEX))):
            asked = b""
            if packet[0] == packets.SAMPLES:
                samples += packets.content(packet)
                whole = size // 2 * 2
            else:
                samples += packets.content(packet)[:2]
                whole = size // 4 * 2
            if len(samples) >= whole:
                return bytes(samples[:whole])
            if self._at > until:
                return None
        return None

    def _set_clock(self, local: datetime) -> Generator[_Asked, bytes | None, bool]:
        """Set its clock to the home's time, the date first; gives whether the sensor answered."""
        now = later(local, self._at - self._began_at)
        date = (*divmod(now.year, 100), now.month, now.day, now.isoweekday() % 7)
        for command in (
            packets.command(_SET_DATE, *date),
            packets.command(_SET_TIME, now.hour, now.minute, now.second),
        ):
            if (yield from _answered(command, packets.FEEDBACK)) is None:
                return False
        return True

    def _ask_what_it_is(self) -> Generator[_Asked, bytes | None, None]:
        first = yield from _answered(packets.command(_ASK_MODEL), packets.MODEL)
        if first is None:
            return
        second = (yield _Asked(b"", (packets.MODEL,))) if first else None
        maker = yield from _answered(packets.command(_ASK_MAKER), packets.MAKER)
        model = first[1:] + (packets.content(second)[1:] if second else b"")
        if _text(model) or _text(maker):
            self._information = DeviceInformation(manufacturer=_text(maker), model=_text(model))


def _answered(command: bytes, answer: int) -> Generator[_Asked, bytes | None, bytes | None]:
    """The content of the answer; b"" where the command is refused, None where nothing comes, asked twice."""
    for _ in range(_TRIES):
        packet = yield _Asked(command, (answer,))
        if packet is not None:
            return packet and packets.content(packet)
    return None


def _began(which: bytes) -> Generator[_Asked, bytes | None, bytes | None]:
    """When a recording began, in seven bytes, as far as the sensor tells; None where it does not answer."""
    for _ in range(_TRIES):
        date = yield _Asked(packets.command(_ASK_BEGAN, *which), (packets.BEGAN_DATE,))
        if date == b"":
            return contec_memory.NO_TIME
        time = (yield _Asked(b"", (packets.BEGAN_TIME,))) if date else None
        if date and time:
            return packets.content(date)[2:6] + packets.content(time)[2:5]
    return None


def _text(octets: bytes | None) -> str | None:
    text = (octets or b"").split(b"\0", 1)[0].decode("ascii", "replace")
    return "".join(each for each in text if each.isprintable()).strip() or None


DRIVER = SerialDriver(
    name="contec_cms50",
    title="Contec CMS50 oximeter (newer protocol)",
    characteristics={"live": decode_live, "stored": contec_memory.decode_stored},
    streaming=frozenset({"live"}),
    settings=LineSettings(115_200),
    converse=Cms50Conversation,
)
