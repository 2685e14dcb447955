"""A class of sensor that speaks Bluetooth GATT, or advertises what it measures."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from drivers.driver import Driver


class Bonding(Enum):
    """When a sensor is bonded with.

    FIRST: before its services are discovered, as the medical profiles have it; where a sensor that was never
    bonded refuses, the hub goes on without. WHEN_ASKED: only if the sensor refuses something without.
    NEVER: it cannot, or must not be asked.
    """

    FIRST = "first"
    WHEN_ASKED = "when asked"
    NEVER = "never"


class Framer(Protocol):
    """Cuts what a sensor sends on one link into whole payloads, where notifications are not payloads."""

    def feed(self, notification: bytes) -> Iterable[bytes]:
        """Take the next bytes, and give the payloads that are whole now. Raises nothing; what is no frame is
        passed over, and memory is bounded whatever comes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GattDriver(Driver):
    """A class of sensor that speaks GATT, or advertises what it measures.

    `service` and the keys of `characteristics` are 16-bit Bluetooth UUIDs as four hex digits in
    lower case ("1810", "2a35"), or whole ones where they are a maker's own. Those in `intermediate` tell of a
    measurement that is still going on: they can be decoded, and a collector does not subscribe to them.

    How its sensors behave on a link is said by the rest, and played by `drivers/bluetooth/conversation.py`:

    - `advertised`: the characteristics that are no characteristics but service data in advertisements. A
      driver that has no others is never connected to.
    - `battery`: reads the battery, in percent, off what it advertises; raises `DecodeError`.
    - `bonding`: when it is bonded with.
    - `clock_first`: the sensor's clock is set before it is subscribed to, since it leaves soon after it has
      told all; else right after. Where it has no clock (2A08, 2A2B) that can be written, none is set.
    - `records`: the Record Access Control Point ("2a52") by which it is asked for what it has stored.
    - `greeting`: characteristics and what is written to them once the sensor is subscribed to, in this order.
    - `framer`: makes what cuts its notifications into payloads, one for each link and characteristic.
    - `alternatives`: groups of characteristics that tell the same in different ways, the preferred group
      first. Of them a link subscribes to the first group that the sensor has any of, and to no other, so that
      nothing is counted twice: `subscribed_of` says to what, and is what a session asks.
    """

    service: str
    intermediate: frozenset[str] = frozenset()
    advertised: frozenset[str] = frozenset()
    battery: Callable[[bytes], int | None] | None = None
    bonding: Bonding = Bonding.WHEN_ASKED
    clock_first: bool = False
    records: str | None = None
    greeting: tuple[tuple[str, bytes], ...] = ()
    framer: Callable[[], Framer] | None = None
    alternatives: tuple[frozenset[str], ...] = ()

    @property
    def numbers_packets(self) -> frozenset[str]:
        """What is advertised numbers its packets."""
        return self.advertised

    @property
    def subscribed(self) -> tuple[str, ...]:
        """The characteristics that a collector listens to on a link."""
        return tuple(
            name
            for name in self.characteristics
            if name not in self.intermediate and name not in self.advertised
        )

    def subscribed_of(self, offered: Collection[str]) -> tuple[str, ...]:
        """What a collector listens to on a link with a sensor that has these characteristics.

        `offered` names them as the driver does; what the driver does not know is left out.
        """
        meant = next((group for group in self.alternatives if not group.isdisjoint(offered)), frozenset())
        superseded = frozenset[str]().union(*self.alternatives) - meant
        return tuple(name for name in self.subscribed if name in offered and name not in superseded)

    @property
    def only_streams(self) -> bool:
        """Whether it has time: it sends for as long as it is worn, and does not switch itself off."""
        return all(name in self.streaming for name in self.subscribed)
