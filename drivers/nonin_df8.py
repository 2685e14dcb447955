"""Nonin's oximeters on a serial line in data format 8: once a second a packet of four bytes, 9600 baud, 8N1.

| byte | bits | field |
|---|---|---|
| 0 | 7 | always set: a packet begins |
| 0 | 6-2 | `STATUS_BITS` |
| 0 | 1-0 | bits 8 and 7 of the pulse rate |
| 1 | 7, 6-0 | clear; bits 6 to 0 of the pulse rate; 511: none |
| 2 | 7, 6-0 | clear; SpO2; 127: none |
| 3 | 7, 6-0 | clear; `STATUS_BITS`, 8 bits further up |

Pulse and SpO2 are the 4-beat averages formatted for display, as `nonin_serial.py` reads them of its formats;
they too are held for 10 s after the finger is out, with the sensor alarm set.

**There is no checksum**: a damaged bit within a field is a wrong number, which only the other seconds of a
stretch outvote. That is why the format is not guessed: this driver is chosen by who enrols the oximeter. And
since other streams have four such bytes in them, a packet is believed only where nothing else comes: after
three in a row, a second and a half long, with not a byte between them, and for as long as they come no faster
than they should. A byte too many or too few, which bit 7 shows, costs what is heard of the next two seconds.

Source: Nonin, "Onyx II Model 9560, OEM Specification and Technical Information", 6470-000-01 (2008), pages 16
and 17; bit 6, the sensor disconnected, is reserved there and known from a client (drphrozen, NoninAndroid).
Format 1, three bytes a second, is not read.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache

from drivers.driver import Decoded, DecodeError
from drivers.nonin import LIVE, SETTINGS, oximetry
from drivers.quality import StatusBit, Verdict, verdict
from drivers.second import said_by_most
from drivers.serial_line import NOTHING_HEARD, Heard, SerialDriver
from hub.readings import Flag, Quality

STATUS_BITS = (
    StatusBit(2, Flag.QUESTIONABLE_PULSE, Quality.QUESTIONABLE),  # ARTF, artefact: a pulse out of its rhythm
    StatusBit(3, Flag.POOR_SIGNAL, Quality.QUESTIONABLE),  # MPRF, marginal perfusion
    StatusBit(4, Flag.LOW_PERFUSION, Quality.QUESTIONABLE),  # LPRF, low perfusion
    StatusBit(5, Flag.INADEQUATE_SIGNAL, Quality.UNUSABLE),  # OOT, out of track: no good pulses in a row
    StatusBit(6, Flag.SENSOR_UNCONNECTED, Quality.UNUSABLE),  # SNSD, sensor disconnected
    StatusBit(8, Flag.BATTERY_LOW, Quality.GOOD),
    StatusBit(11, Flag.SENSOR_DISPLACED, Quality.UNUSABLE),  # SNSA, sensor alarm: the finger is out
)
"""What byte 0 says, and byte 3 above it."""

_PACKET = re.compile(rb"[\x80-\xff][\x00-\x7f]{3}")
_BYTES = 4
_BEGUN = re.compile(rb"[\x80-\xff][\x00-\x7f]{0,2}\Z")

_ROW, _ROW_SECONDS = 3, 1.5
_RATE = 1.2  # packets a second; one is sent
_AT_ONCE = 6  # packets that may have waited for a hub that was busy
_PAUSE = 0.5  # seconds; the bytes of a packet come within 5 ms


@lru_cache(maxsize=512)
def _verdict(status: int) -> Verdict:
    return verdict(STATUS_BITS, status)


def decode_live(payload: bytes) -> Decoded:
    """Decode a second: its packets as they were sent. Raises `DecodeError`."""
    try:
        return said_by_most(payload, _BYTES, _decode_packet)
    except DecodeError as error:
        raise DecodeError(error.reason, payload) from error


def _decode_packet(packet: bytes) -> Decoded:
    if not _PACKET.fullmatch(packet):
        raise DecodeError("bit 7 of a byte is wrong", packet)
    first, pulse, saturation, last = packet
    return oximetry(saturation, (first & 3) << 7 | pulse, _verdict(first | last << 8))


class OncePerSecond:
    """One link: four bytes a second, and nothing else. Listens alone."""

    def __init__(self) -> None:
        self.frames = 0
        self.passed_over = 0
        self._held = b""
        self._heard_at = 0.0
        self._row = 0
        self._row_began = 0.0
        self._believed = False
        self._lately = 0.0
        """Packets lately, each forgotten after 1 / `_RATE` seconds."""

    def begin(self, at: float, local: datetime | None) -> Heard:  # noqa: ARG002 -- it tells no time
        """The line is open."""
        self._heard_at = at
        return NOTHING_HEARD

    def hear(self, octets: bytes, at: float) -> Heard:
        """These bytes came."""
        self.wait(at)
        since, self._heard_at = at - self._heard_at, at
        self._lately = max(0.0, self._lately - since * _RATE)
        self._held += octets
        payloads = []
        while (found := _PACKET.search(self._held)) is not None:
            if found.start():
                self._pass_over(found.start())
            self._held = self._held[found.end() :]
            if self._is_believed(at):
                payloads.append((LIVE, b"\x01" + found.group()))
        begun = _BEGUN.search(self._held)
        surplus = begun.start() if begun else len(self._held)
        if surplus:
            self._pass_over(surplus)
            self._held = self._held[surplus:]
        return Heard(tuple(payloads))

    def wait(self, at: float) -> Heard:
        """Time went by: half a packet that nothing follows is none."""
        if self._held and at - self._heard_at > _PAUSE:
            self._pass_over(len(self._held))
            self._held = b""
        return NOTHING_HEARD

    def _is_believed(self, at: float) -> bool:
        """A packet came: whether it is one of a row of them, at their rate."""
        # No more than that: noise would keep it from believing for as long as it lasted, and longer.
        self._lately = min(self._lately + 1, _AT_ONCE + 1)
        if self._lately > _AT_ONCE:
            self._pass_over(_BYTES)
            return False
        if not self._row:
            self._row_began = at
        self._row += 1
        if self._believed:
            self.frames += 1
        elif self._row >= _ROW and at - self._row_began >= _ROW_SECONDS:
            self._believed = True
            self.frames += self._row
        return self._believed

    def _pass_over(self, octets: int) -> None:
        """These are of no packet, nor is what came before them, where it was not believed yet."""
        self.passed_over += octets if self._believed else octets + self._row * _BYTES
        self._row, self._believed = 0, False


DRIVER = SerialDriver(
    name="nonin_df8",
    title="Nonin serial oximeter (data format 8)",
    characteristics={LIVE: decode_live},
    streaming=frozenset({LIVE}),
    settings=SETTINGS,
    converse=OncePerSecond,
)
