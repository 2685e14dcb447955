"""PINs: which are taken, and how they are kept (argon2id, RFC 9106).

Six digits are a million. What keeps them from being guessed on the page is the lock-out (`lock_out.py`); the
hash keeps whoever sees the database for a moment from reading them, and costs whoever takes the card with
them some hours a person. It is no more than that: a home whose card was stolen gives everybody another PIN.
"""

from __future__ import annotations

from itertools import pairwise

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error

DIGITS = 6
_MEMORY_KIB, _PASSES, _LANES = 32 * 1024, 3, 1
"""OWASP asks for 12 MiB and 3 passes at the least, in one lane; on a Raspberry Pi 4 this is some 0.3 s."""
_FIRST_YEAR, _LAST_YEAR = 1900, 2099
_COMMON = frozenset(
    {"123123", "121212", "112233", "159753", "147258", "258369", "789456", "456123", "100000"}
)


class Hashes:
    """Makes the hash of a PIN, and tells whether a PIN is the one of a hash. Each takes a third of a second
    on a hub: to be called in a thread, one at a time."""

    def __init__(self, *, passes: int = _PASSES, memory_kib: int = _MEMORY_KIB) -> None:
        """Tests give parameters that cost nothing."""
        self._hasher = PasswordHasher(passes, memory_kib, _LANES)
        self._nobodys = self._hasher.hash("")

    def of(self, pin: str) -> str:
        """The hash to be kept of a PIN, with its own salt."""
        return self._hasher.hash(pin)

    def fits(self, kept: str | None, pin: str) -> bool:
        """Whether a PIN is that of the hash. Of somebody who is not known (None) it is not, which takes as
        long."""
        try:
            return self._hasher.verify(kept if kept is not None else self._nobodys, pin) and kept is not None
        except (Argon2Error, ValueError):  # also a hash that the card has spoilt
            return False


def trouble_of(pin: str) -> str | None:
    """Why a PIN is not taken; None where it is."""
    if len(pin) != DIGITS or not (pin.isascii() and pin.isdigit()):
        return f"A PIN is {DIGITS} digits."
    steps = {(int(later) - int(earlier)) % 10 for earlier, later in pairwise(pin)}
    if len(steps) == 1:  # 000000, 123456, 987654, 135791
        return "This PIN is easy to guess: its digits follow one another. Choose another."
    repeats = pin[:3] * 2 == pin or pin[:2] * 3 == pin or pin == pin[::-1]
    if repeats or pin in _COMMON or len(set(pin)) == 2:
        return "This PIN is easy to guess: it repeats itself. Choose another."
    if _is_a_date(pin):
        return "This PIN looks like a date, as a birthday: others may know it. Choose another."
    return None


def _is_a_date(pin: str) -> bool:
    first, second, third = int(pin[:2]), int(pin[2:4]), int(pin[4:])
    day_first = 1 <= first <= 31 and 1 <= second <= 12  # 120338
    year_first = 1 <= second <= 12 and 1 <= third <= 31  # 380312
    month_and_year = 1 <= first <= 12 and _FIRST_YEAR <= int(pin[2:]) <= _LAST_YEAR  # 031938
    return day_first or year_first or month_and_year
