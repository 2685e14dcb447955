"""Nonin's oximeters on a serial line, in data formats 2, 7 and 13, which are told apart by what is heard.

9600 baud, 8N1. In formats 2 and 7 an oximeter sends 75 frames a second, each of five bytes; 25 frames are a
packet, which says a third of a second. CHK is the sum of the four bytes before it, modulo 256.

| format | byte 1 | byte 2 | byte 3 | byte 4 | byte 5 |
|---|---|---|---|---|---|
| 2 | 01 | STATUS | waveform | what the frame's number says | CHK |
| 7 | STATUS | waveform, 16 bits, big-endian | | what the frame's number says | CHK |

STATUS has bit 7 set always, and bit 0 in frame 1 alone; the rest is in `STATUS_BITS`. Byte 4 of frame 8 is
STAT2 (bit 0: battery low), of 9 SpO2-D, of 20 and 21 HR-D: bits 8 and 7, then 6 to 0. 127 and 511 are none.

Which average counts: SpO2-D and HR-D, "4-beat average, formatted for display", and no other. They are what
the oximeter's own display shows, what format 8 sends, and "the most reliable readings possible during
periods of artifact". They hold the last value for 10 s after the finger is out; the sensor alarm is set
meanwhile, and so nothing of those 10 s is usable. Not kept: the 8-beat averages, beat-to-beat, those for
recording, the waveform, the timer. SmartPoint (STAT2 bit 5) says nothing of a stream: many models lack it.

Format 13, of a spot check, is in `nonin_spot.py`.

**Which format it is**, a jumper or a command on the oximeter has settled; nothing is sent to change it. A
format is believed with the first whole packet: 125 bytes in a row with 25 right checksums, bit 0 of STATUS in
the first frame alone, no 26th without it, pulse and saturation in their ranges. By chance that is 1 in 2^200.
Nor is the one layout the other, shifted: 24 checksums in a row then ask for the same sum of waveform and byte
4, modulo 128, while byte 4 is now a saturation and now the top bits of a pulse; or for a byte 4 of 1, or of
128 and more, in each frame. Format 8 has no checksum, and a driver of its own.

**What is lost.** A packet is read whole, when the frame after it has come, or not at all. A damaged byte
costs the third of a second that it is in, and lost bytes those that they are of. A pause costs the packet
that it cuts; after it the format is open again.

Sources: [1] Nonin, "Onyx II Model 9560, OEM Specification and Technical Information", 6470-000-01 (2008),
for all of the above; [2] HP's header for the Xpod (2004), the same for format 2 and bit 6; [3] pufferfish-
vent-software (OEM III), format 2; [4] OpenICE (mdpnp), format 7 of 9560 and 3150; [5] agricolab/app-nonin
(Xpod 3012LP USB): 9600 baud, format 2; [6] MediPi, format 13. Bit 6 of STATUS, no sensor, is [2], [3] and
[5]; [1], which has its sensor built in, reserves it.

Not verified: Nonin's own documents for Xpod, OEM III and 3150, which we have not seen; what the 3150 sends by
its USB cable; the Avant 9600, whose manual describes lines of text ("SPO2=XXX HR=YYY"), which are not read.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache

from drivers.driver import Decoded
from drivers.nonin import LIVE, NO_SATURATION, SETTINGS, oximetry
from drivers.nonin_spot import decode_spot, setting_the_clock, whole_packets
from drivers.quality import StatusBit, Verdict, verdict
from drivers.second import Seconds, said_by_most
from drivers.serial_line import NOTHING_HEARD, Heard, SerialDriver, later
from hub.readings import Flag, Quality

SPOT = "spot"
"""A packet of format 13."""

_FRAME, _FRAMES = 5, 25  # bytes in a frame, frames in a packet
_PACKET = _FRAME * _FRAMES
_TOLD_APART = _PACKET + _FRAME
_PAUSE = 0.5  # seconds; a packet takes a third of one
_BYTES_A_SECOND = 75 * _FRAME
_UNHEARD = 8 * _PACKET  # bytes without a packet after which the format is open again

STATUS_BITS = (
    StatusBit(1, Flag.POOR_SIGNAL, Quality.QUESTIONABLE),  # a pulse of yellow perfusion: low or marginal
    StatusBit(2, Flag.LOW_PERFUSION, Quality.QUESTIONABLE),  # a pulse of red perfusion: low or none
    StatusBit(3, Flag.SENSOR_DISPLACED, Quality.UNUSABLE),  # SNSA, sensor alarm: the finger is out
    StatusBit(4, Flag.INADEQUATE_SIGNAL, Quality.UNUSABLE),  # OOT, out of track: no good pulses in a row
    StatusBit(5, Flag.QUESTIONABLE_PULSE, Quality.QUESTIONABLE),  # ARTF, artefact: a pulse out of its rhythm
    StatusBit(6, Flag.SENSOR_UNCONNECTED, Quality.UNUSABLE),  # SNSD, sensor disconnected
    StatusBit(8, Flag.BATTERY_LOW, Quality.GOOD),  # of STAT2, the low byte being that of a live thing
)
"""What the status of a live thing says. As sent, bit 1 alone is green perfusion, with bit 2 yellow."""

_OF_A_PULSE = 1 << 1 | 1 << 2 | 1 << 5
"""Set during a pulse alone, so in few of a second's packets: said of the second as a whole."""

_STATUS_AT = {2: 1, 7: 0}
_FRAME_OF = {2: b"\\x01%s[\\x00-\\xff]{3}", 7: b"%s[\\x00-\\xff]{4}"}
_FIRST = b"[" + b"".join(b"\\x%02x" % status for status in range(0x81, 0x100, 2)) + b"]"
_OTHER = b"[" + b"".join(b"\\x%02x" % status for status in range(0x80, 0x100, 2)) + b"]"
_FORMS = {
    number: re.compile(frame % _FIRST + b"(?:" + frame % _OTHER + b"){24}")
    for number, frame in _FRAME_OF.items()
}
"""The frames of a packet by their form alone, for each format: bit 0 of STATUS is set in the first."""
_ANOTHER_FRAME = {number: re.compile(frame % _OTHER) for number, frame in _FRAME_OF.items()}


@lru_cache(maxsize=512)
def _live_verdict(status: int) -> Verdict:
    return verdict(STATUS_BITS, status)


_LIVE_THING = 5  # bytes: status, STAT2, HR-D in two, SpO2-D


def decode_live(payload: bytes) -> Decoded:
    """Decode a second: what its packets said, in things of STATUS (perfusion as in `STATUS_BITS`), STAT2,
    HR-D in two bytes and SpO2-D. Raises `DecodeError`."""
    of_pulses = 0
    for at in range(1, len(payload), 1 + _LIVE_THING):
        of_pulses |= payload[at] & _OF_A_PULSE

    def decode(thing: bytes) -> Decoded:
        status, more, pulse_high, pulse_low, saturation = thing
        said = _live_verdict(status | of_pulses | (more & 1) << 8)
        return oximetry(saturation & 0x7F, (pulse_high & 3) << 7 | pulse_low & 0x7F, said)

    return said_by_most(payload, _LIVE_THING, decode)


def _is_right(packet: bytes, after: bytes, format_: int) -> bool:
    """Whether all 25 checksums are, and pulse and saturation can be what they should.

    After it no 26th frame: so it shows where frames were lost at the end of one packet and at the beginning
    of the next, and what is left of both is no packet.
    """
    if not _are_frames(packet) or (_ANOTHER_FRAME[format_].match(after) and _are_frames(after)):
        return False
    fours = packet[3::5]
    # Byte 4 is below 128 in what is read here; a saturation ends at 100. Frame 9 is fours[8].
    return fours[19] < 128 and fours[20] < 128 and (fours[8] <= 100 or fours[8] == NO_SATURATION)


def _are_frames(octets: bytes) -> bool:
    """Whether their checksums are right."""
    ones, twos, threes, fours = octets[0::5], octets[1::5], octets[2::5], octets[3::5]
    for one, two, three, four, checksum in zip(ones, twos, threes, fours, octets[4::5], strict=True):
        if (one + two + three + four) & 0xFF != checksum:
            return False
    return True


@lru_cache(maxsize=1024)
def _status_of(statuses: frozenset[int]) -> int:
    """The status of a packet: all bits that one of its frames has, perfusion as in `STATUS_BITS`."""
    status = 0
    for each in statuses:
        perfusion = each & 0x06
        status |= each & 0x78 | (0x02 if perfusion == 0x06 else perfusion & 0x04)
    return status


def _live_thing(packet: bytes, format_: int) -> bytes:
    fours = packet[3::5]
    status = _status_of(frozenset(packet[_STATUS_AT[format_] :: 5]))
    return bytes((status, fours[7] & 1, fours[19] & 3, fours[20], fours[8]))


class NoninConversation:
    """One link. Listens alone, but that it sets the clock of an oximeter that sends spot checks, which dates
    what that stores from then on."""

    def __init__(self) -> None:
        self.frames = 0
        self.passed_over = 0
        self._held = b""
        self._heard_at = 0.0
        self._format: int | None = None
        self._unheard = 0
        self._seconds = Seconds()
        self._clock: tuple[float, datetime] | None = None

    def begin(self, at: float, local: datetime | None) -> Heard:
        """The line is open."""
        self._clock = None if local is None else (at, local)
        return NOTHING_HEARD

    def hear(self, octets: bytes, at: float) -> Heard:
        """These bytes came."""
        if self._was_silent(len(octets), at):
            self._pass_over(len(self._held))
            self._format = None
        self._heard_at = at
        self._held += octets
        payloads: list[tuple[str, bytes]] = []
        write = b""
        if self._format is None and (spots := self._spots()):
            payloads += ((SPOT, spot) for spot in spots)
            write = self._setting(at)
        while len(self._held) >= _TOLD_APART and (thing := self._next()) is not None:
            second = self._seconds.add(thing, at)
            if second is not None:
                payloads.append((LIVE, second))
        return Heard(tuple(payloads), write) if payloads else NOTHING_HEARD

    def wait(self, at: float) -> Heard:
        """Time went by."""
        second = self._seconds.ended(at)
        return NOTHING_HEARD if second is None else Heard(((LIVE, second),))

    def _was_silent(self, heard: int, at: float) -> bool:
        """Whether the oximeter was, and not the hub, for which the kernel keeps what comes meanwhile: two
        halves of a packet that do not belong together must not become one."""
        since = at - self._heard_at
        return since > _PAUSE and heard < since * _BYTES_A_SECOND / 2

    def _next(self) -> bytes | None:
        """What the next whole packet says of the person; None where none is held, and at the most the
        beginning of one is still held then."""
        for format_ in _FORMS if self._format is None else (self._format,):
            start = 0
            while (found := _FORMS[format_].search(self._held, start, len(self._held) - _FRAME)) is not None:
                packet, end = found.group(), found.end()
                if _is_right(packet, self._held[end : end + _FRAME], format_):
                    self._pass_over(found.start())
                    self._held = self._held[_PACKET:]
                    self._format, self._unheard = format_, 0
                    self.frames += _FRAMES
                    return _live_thing(packet, format_)
                start = found.start() + 1
        self._pass_over(len(self._held) - (_TOLD_APART - 1))
        return None

    def _spots(self) -> list[bytes]:
        """The spot checks that are whole."""
        packets, end = whole_packets(self._held)
        if packets:
            self._held = self._held[end:]
            self.passed_over += end - sum(map(len, packets))
            self.frames += len(packets)
        return packets

    def _pass_over(self, octets: int) -> None:
        """What is held first belongs to no packet."""
        self._held = self._held[octets:]
        self.passed_over += octets
        self._unheard += octets
        if self._unheard > _UNHEARD:
            self._format = None

    def _setting(self, at: float) -> bytes:
        """What sets the oximeter's clock, once for a link."""
        if self._clock is None:
            return b""
        (begun, local), self._clock = self._clock, None
        return setting_the_clock(later(local, at - begun))


DRIVER = SerialDriver(
    name="nonin_serial",
    title="Nonin serial oximeter (data format 2, 7 or 13)",
    characteristics={LIVE: decode_live, SPOT: decode_spot},
    streaming=frozenset({LIVE}),
    settings=SETTINGS,
    converse=NoninConversation,
)
