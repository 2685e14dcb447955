"""A conversation and a sensor, without a line between them: bytes in, bytes out, and a clock of ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from drivers.bluetooth.device_information import DeviceInformation
from drivers.driver import Decoded
from drivers.serial_line import Conversation, Heard
from drivers.virtual.usb_scenario import Emulator
from hub.readings import AbsentReason, Flag, Measurement, Quality, Vital

LOCAL = datetime(2026, 3, 1, 13, 5, 7, tzinfo=UTC)


def untouched(octets: bytes) -> bytes:
    """A line without noise."""
    return octets


@dataclass
class Talk:
    """A link from when its line was opened. `payloads`: all that were told, each with when."""

    conversation: Conversation
    sensor: Emulator
    noise: Callable[[bytes], bytes] = untouched
    step: float = 0.05  # seconds
    at: float = 1000.0
    local: datetime | None = LOCAL
    payloads: list[tuple[float, str, bytes]] = field(default_factory=list)
    information: list[DeviceInformation] = field(default_factory=list)
    written: bytes = b""
    _answers: bytes = b""

    def __post_init__(self) -> None:
        self.began = self.at
        self._take(self.conversation.begin(self.at, self.local))

    def go_on(self, seconds: float) -> None:
        """Let it talk for so long."""
        for _ in range(round(seconds / self.step)):
            self.at += self.step
            octets, self._answers = self._answers + self.sensor.due(self.at), b""
            if octets:
                self._take(self.conversation.hear(self.noise(octets), self.at))
            self._take(self.conversation.wait(self.at))

    def told(self, characteristic: str) -> list[bytes]:
        """The payloads of one kind, in the order in which they were told."""
        return [payload for _, kind, payload in self.payloads if kind == characteristic]

    def first(self, characteristic: str) -> float:
        """After how many seconds the first of a kind was told."""
        return next(at for at, kind, _ in self.payloads if kind == characteristic) - self.began

    def _take(self, heard: Heard) -> None:
        self.payloads += [(self.at, *payload) for payload in heard.payloads]
        self.written += heard.write
        if heard.information is not None:
            self.information.append(heard.information)
        self._answers += self.sensor.hear(heard.write, self.at)


def oximeter(
    saturation: float | None, pulse: float | None, quality: Quality = Quality.GOOD, *flags: Flag
) -> Decoded:
    """What an oximeter says: in % and per minute, None where there is no number."""
    return Decoded(
        tuple(
            Measurement(vital, number, None if number is not None else AbsentReason.NOT_A_NUMBER, quality)
            for vital, number in ((Vital.OXYGEN_SATURATION, saturation), (Vital.PULSE_RATE, pulse))
        ),
        frozenset(flags),
    )
