"""The classes of virtual sensors: what they are made of, and how they behave on a link."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from bumble.gatt import Characteristic


class Sending(Enum):
    """How a characteristic tells its value: with or without the hub's confirmation."""

    INDICATION = Characteristic.Properties.INDICATE
    NOTIFICATION = Characteristic.Properties.NOTIFY


class Bond(Enum):
    """What a sensor does about pairing.

    CANNOT: it refuses ("pairing not supported"). CAN: it bonds with whoever asks, and needs it for nothing.
    MUST: it lets nobody subscribe without a bond. WITH_PASSKEY: the same, and the bond takes a passkey.
    """

    CANNOT = "cannot"
    CAN = "can"
    MUST = "must"
    WITH_PASSKEY = "with a passkey"


DATE_TIME, CURRENT_TIME = "2a08", "2a2b"
RECORDS = "2a52"

_ABOUT = {"2a29": "Virtual", "2a24": "V-1", "2a25": "0001", "2a26": "1.2.3", "2a27": "A", "2a28": "4.5"}


@dataclass(frozen=True, slots=True)
class Profile:
    """A class of virtual sensor; `dataclasses.replace` makes a variant of it.

    `service` and the keys of `characteristics` are 16-bit UUIDs, or whole ones where they are a maker's own.
    `advertised` is the service in its advertisements, where that is not the one it has (a sensor that lies).
    `clock` is the characteristic by which its clock is set: DATE_TIME in its own service, or CURRENT_TIME in
    one of its own (1805). With `records` it has a Record Access Control Point; what it has stored it tells
    only if asked. `written` are characteristics that can be written, and remember what was.
    `battery` is in percent (180F), `about` is the device information by characteristic (180A).

    `advertises_for` and `connected_for` are in seconds: it advertises so long once it has something to tell,
    and switches itself off so long after a connection at the latest. `stays` makes it stay on the link when
    all is told, until the hub hangs up or its time is over.
    """

    kind: str
    name: str
    service: str
    characteristics: Mapping[str, Sending]
    advertised: str | None = None
    bond: Bond = Bond.CAN
    passkey: int = 123456
    clock: str | None = None
    records: bool = False
    written: tuple[str, ...] = ()
    battery: int | None = None
    about: Mapping[str, str] = field(default_factory=dict)
    advertises_for: float = math.inf
    connected_for: float = math.inf
    stays: bool = False


BLOOD_PRESSURE_CUFF = Profile("blood_pressure", "Virtual cuff", "1810", {"2a35": Sending.INDICATION})
PULSE_OXIMETER = Profile(
    "pulse_oximeter",
    "Virtual oximeter",
    "1822",
    {"2a5e": Sending.INDICATION, "2a5f": Sending.NOTIFICATION},
)
THERMOMETER = Profile("thermometer", "Virtual thermometer", "1809", {"2a1c": Sending.INDICATION})
HEART_RATE_STRAP = Profile(
    "heart_rate",
    "Virtual strap",
    "180d",
    {"2a37": Sending.NOTIFICATION},
    battery=80,
    about=_ABOUT,
)
WEIGHT_SCALE = Profile("weight_scale", "Virtual scale", "181d", {"2a9d": Sending.INDICATION})
GLUCOSE_METER = Profile(
    "glucose",
    "Virtual glucose",
    "1808",
    {"2a18": Sending.NOTIFICATION, "2a34": Sending.NOTIFICATION},
    bond=Bond.MUST,
    clock=CURRENT_TIME,
    records=True,
    battery=55,
    about=_ABOUT,
)
PROFILES = {
    profile.kind: profile
    for profile in (
        BLOOD_PRESSURE_CUFF,
        PULSE_OXIMETER,
        THERMOMETER,
        HEART_RATE_STRAP,
        WEIGHT_SCALE,
        GLUCOSE_METER,
    )
}
"""The kinds that a scenario may name, which are the names of the hub's drivers."""

CLOCK_CUFF = Profile(
    "blood_pressure",
    "Virtual cuff",
    "1810",
    {"2a35": Sending.INDICATION},
    bond=Bond.MUST,
    clock=DATE_TIME,
    battery=90,
    about=_ABOUT,
)
"""A cuff that must be bonded with, and whose clock can be set. It says 2000-01-01 at first."""

PASSKEY_CUFF = Profile(
    "blood_pressure", "Virtual cuff", "1810", {"2a35": Sending.INDICATION}, bond=Bond.WITH_PASSKEY
)

AND_CUFF = Profile(
    "blood_pressure",
    "A&D_UA-651BLE_0001",
    "1810",
    {"2a35": Sending.INDICATION},
    bond=Bond.MUST,
    clock=DATE_TIME,
    battery=100,
    about=_ABOUT | {"2a29": "A&D Medical", "2a24": "UA-651BLE"},
    advertises_for=60.0,
    connected_for=60.0,
    stays=True,
)
"""As A&D's UA-651BLE: found for a minute after a reading, it tells what is stored, oldest first, and switches
itself off a minute after a connection."""

STORING_OXIMETER = Profile(
    "pulse_oximeter",
    "Virtual oximeter",
    "1822",
    {"2a5e": Sending.INDICATION, "2a5f": Sending.NOTIFICATION},
    clock=CURRENT_TIME,
    records=True,
)

NONIN_OXIMETER = Profile(
    "nonin_3230",
    "Nonin3230_0001",
    "46a970e0-0d5f-11e2-8b5e-0002a5d5c51b",
    {"0aad7ea0-0d60-11e2-8e3c-0002a5d5c51b": Sending.NOTIFICATION},
)

UART_OXIMETER = Profile(
    "viatom_pc60fw",
    "OxySmart 0001",
    "6e400001-b5a3-f393-e0a9-e50e24dcca9e",
    {"6e400003-b5a3-f393-e0a9-e50e24dcca9e": Sending.NOTIFICATION},
    written=("6e400002-b5a3-f393-e0a9-e50e24dcca9e",),
)
