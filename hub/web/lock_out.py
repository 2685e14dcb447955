"""Wrong PINs, and for how long nobody may try after too many. Pure but for what it remembers.

Counted by name, whether there is such a person or not, and by the address of the device. Five wrong ones in a
row for a name, and nobody may sign in by it for a minute; each wrong one after that doubles it, up to 15
minutes. Of a device it is twenty wrong ones for whomever: several people use the kitchen's, and one who has
forgotten their PIN must not keep the others out; a device that tries name after name is stopped all the same.
While a name is locked out the right PIN is refused too. A manager may unlock a name.

Whoever guesses has some 100 tries a day at a name: of 928,000 PINs that are taken, one in 9,000 is found in a
day. The trail has each lock-out.

In memory: a restart of the page's process forgets it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

WRONG_BY_NAME, WRONG_BY_ADDRESS = 5, 20
FIRST_SECONDS, LONGEST_SECONDS = 60.0, 900.0
FORGOTTEN_AFTER_SECONDS = 6 * 3600.0
"""Since the last wrong one."""
_MOST = 5000


@dataclass(frozen=True, slots=True)
class Wrong:
    """How many wrong PINs in a row, when the last one came, and until when nobody may try (seconds)."""

    count: int = 0
    last: float = 0.0
    locked_until: float = 0.0

    def once_more(self, moment: float, at_most: int) -> Wrong:
        """After another wrong one; the `at_most`th locks."""
        before = self if moment - self.last < FORGOTTEN_AFTER_SECONDS else Wrong()
        count = before.count + 1
        if count < at_most:
            return Wrong(count, moment)
        seconds = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(count - at_most, 10))
        return Wrong(count, moment, moment + seconds)

    def seconds_locked(self, moment: float) -> float:
        """For how long nobody may try yet; 0 where they may."""
        return max(0.0, self.locked_until - moment)


class LockOut:
    """What is known of wrong PINs. `clock` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._names: dict[str, Wrong] = {}
        self._addresses: dict[str, Wrong] = {}

    def seconds_locked(self, key: str, address: str) -> float:
        """For how long nobody may try this name from there; 0 where they may."""
        moment = self._clock()
        of_name = self._names.get(key, Wrong())
        of_address = self._addresses.get(device_of(address), Wrong())
        return max(of_name.seconds_locked(moment), of_address.seconds_locked(moment))

    def was_wrong(self, key: str, address: str) -> bool:
        """Note a wrong PIN; whether nobody may try now."""
        moment = self._clock()
        _note(self._names, key, self._names.get(key, Wrong()).once_more(moment, WRONG_BY_NAME), moment)
        known = device_of(address)
        counted = self._addresses.get(known, Wrong()).once_more(moment, WRONG_BY_ADDRESS)
        _note(self._addresses, known, counted, moment)
        return self.seconds_locked(key, address) > 0

    def was_right(self, key: str) -> None:
        """Forget the wrong ones for a name. Those of the device stay: whoever guesses others' has one too."""
        self._names.pop(key, None)

    def unlock(self, key: str) -> bool:
        """Let a name try again, by a manager; whether it was locked."""
        return self._names.pop(key, Wrong()).seconds_locked(self._clock()) > 0

    def locked_names(self) -> frozenset[str]:
        """The names, as they are compared, for which nobody may try now."""
        moment = self._clock()
        return frozenset(key for key, wrong in self._names.items() if wrong.seconds_locked(moment) > 0)


def _note(known: dict[str, Wrong], key: str, wrong: Wrong, moment: float) -> None:
    """Keep it, and of others as many as there is room for: first who is locked out, then the last ones."""
    known.pop(key, None)
    known[key] = wrong
    if len(known) > _MOST:
        for each in [each for each, of in known.items() if moment - of.last >= FORGOTTEN_AFTER_SECONDS]:
            del known[each]
    while len(known) > _MOST:
        free = (each for each, of in known.items() if not of.seconds_locked(moment))
        del known[next(free, next(iter(known)))]


def device_of(address: str) -> str:
    """What stands for a device: its address; of IPv6 the first half, since it may choose the other."""
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped is not None:
            return str(known.ipv4_mapped)
        if not known.is_link_local:
            return str(ipaddress.ip_network((known, 64), strict=False))
    return str(known)
