"""When a sensor is bonded with, and when the bond with it is given up. Pure.

A bond that is given up may be gone for good: many cuffs pair only in a mode that a person must put them in.
And a hub that forgets and bonds in turns would wear out sensor and patience. So a bond is given up only for
what a sensor without it would do, and never twice without a link that worked in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from bleak.exc import BleakDBusError, BleakError, BleakGATTProtocolError, BleakGATTProtocolErrorCode

from drivers.gatt import Bonding


class Refusal(Enum):
    """Why a sensor said no: it would not pair; it does not know the key of the bond that there is; or it
    wants a link that is authenticated or encrypted."""

    PAIRING = auto()
    KEY = auto()
    SECURITY = auto()


_PAIRING_FAILED = frozenset(
    {
        "org.bluez.Error.AuthenticationFailed",
        "org.bluez.Error.AuthenticationRejected",
        "org.bluez.Error.AuthenticationCanceled",
        "org.bluez.Error.AuthenticationTimeout",
    }
)
"""How BlueZ answers `Pair` (src/device.c, new_authentication_return)."""

_WANTS_SECURITY = frozenset(
    {
        BleakGATTProtocolErrorCode.INSUFFICIENT_AUTHENTICATION,
        BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION,
        BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION_KEY_SIZE,
    }
)
_NOT_PERMITTED, _NOT_PAIRED = "org.bluez.Error.NotPermitted", "Not paired"
"""What BlueZ makes of all three (src/gatt-client.c, create_gatt_dbus_error)."""

_KEY_MISSING = "le-connection-key-missing"  # since BlueZ 5.79; src/error.h
ENDED_AT_ONCE = frozenset({"le-connection-abort-by-local", "br-connection-canceled"})
"""How bluetoothd says it of a link, by what it hears of first: that its connecting failed, or the link's end
(src/device.c, att_connect_cb and device_remove_connection; the latter says "br" of LE too)."""
_DROPPED = (
    "failed to discover services, device disconnected",  # bleak's words
    *ENDED_AT_ONCE,
    "le-connection-unknown",
)

_DROPS_OF_A_LOST_BOND = 3
"""A kernel that finds no key on the other side just ends the link, as a sensor does that is out of reach. But
that one is also now and then not reached at all: so many links in a row that were made and at once dropped
are taken for a lost bond. Over BlueZ each of them is three tries (`bluez_client.py`)."""


def refusal(error: BaseException) -> Refusal | None:
    """Which refusal an error is; None where the sensor refused nothing."""
    if isinstance(error, BleakGATTProtocolError):
        return Refusal.SECURITY if error.code in _WANTS_SECURITY else None
    if isinstance(error, BleakDBusError):
        if error.dbus_error in _PAIRING_FAILED:
            return Refusal.PAIRING
        if error.dbus_error == _NOT_PERMITTED and _NOT_PAIRED in str(error):
            return Refusal.SECURITY
    return Refusal.KEY if isinstance(error, BleakError) and _KEY_MISSING in str(error) else None


def was_dropped(error: BaseException) -> bool:
    """Whether a link was made and ended before anything could be said on it."""
    return any(each in str(error) for each in _DROPPED)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from a link that failed: what to say, whether to `forget` the bond, and whether to come
    back `slowly`, as nothing will change until a person does something."""

    words: str | None = None
    forget: bool = False
    slowly: bool = False


class BondPlan:
    """What the hub does about the bond with one sensor, from link to link."""

    def __init__(self, bonding: Bonding, *, has_passkey: bool = False) -> None:
        self._bonding = bonding
        self._has_passkey = has_passkey
        self._needed = False
        self._wished = False
        self._refused = False
        self._may_forget = True
        self._drops = 0

    def bonds(self, bonded: bool) -> bool:
        """Whether to make a bond at the next link."""
        if bonded or self._bonding is Bonding.NEVER:
            return False
        if self._has_passkey or self._needed:
            return True
        return (self._bonding is Bonding.FIRST or self._wished) and not self._refused

    def worked(self, *, bonded: bool) -> None:
        """A link did what it was made for."""
        self._drops = 0
        if bonded:
            self._may_forget = True

    def wishes(self) -> None:
        """The sensor refused something of lesser weight, since there is no bond: one is tried, once."""
        self._wished = True

    def failed(self, refused: Refusal | None, *, bonded: bool, dropped_at_once: bool = False) -> Verdict:
        """A link failed: by a refusal, by being dropped before anything was said on it, or otherwise."""
        self._drops = self._drops + 1 if bonded and dropped_at_once and refused is None else 0
        if bonded and (refused is not None or self._drops >= _DROPS_OF_A_LOST_BOND):
            self._drops = 0
            return self._lost(refused)
        match refused:
            case Refusal.PAIRING:
                return self._would_not_pair()
            case Refusal.SECURITY if self._bonding is Bonding.NEVER:
                return Verdict("wants a bond, and is enrolled as one that is not bonded with", slowly=True)
            case Refusal.SECURITY:
                seen, self._needed = self._needed, True
                return Verdict("wants a bond, which the hub makes at the next link", slowly=seen)
        return Verdict()

    def _would_not_pair(self) -> Verdict:
        self._refused, self._wished = True, False
        if self._has_passkey:
            words = (
                "does not pair with the passkey that it was enrolled with: read the passkey off the sensor, "
                "and enrol it anew (carehub devices forget, carehub devices add)"
            )
        elif self._needed:
            words = (
                "wants a bond, and refuses to make one: put it into its pairing mode near the hub; if it "
                "shows a passkey, enrol it anew with that"
            )
        else:
            return Verdict("refuses to pair; the hub goes on without a bond")
        return Verdict(words, slowly=True)

    def _lost(self, refused: Refusal | None) -> Verdict:
        if self._bonding is Bonding.NEVER or not self._may_forget:
            return Verdict(
                "does not accept the bond that there is with it: let the sensor forget the hub, put it into "
                "its pairing mode, and enrol it anew (carehub devices forget, carehub devices add)",
                slowly=True,
            )
        self._may_forget = False
        self._refused = False
        self._needed = refused is Refusal.SECURITY
        return Verdict("has lost its bond with the hub; the hub forgets it too, and makes a new one", True)
