"""The codes that a reader of wristbands types: keys go in, whole codes come out. Pure: no clock, no device.

A code is taken literally. It is compared with what the configuration says of a resident, and not taken apart:
a reader that types an AIM identifier ("]C1") or a GS1 prefix before the code types another code. The square
GS1 code on the wristbands of NHS hospitals (DCB1077, once ISB 1077) holds names and dates besides the NHS
number and is longer than a code may be here: it is refused, as any other that is no resident's.

Letters are given as capitals, whatever was typed: a reader does not know how Caps Lock stands, and some
reverse their letters where they think that it is on. Readers type as an American keyboard unless they were
told otherwise, and hubs stand in Britain: a key that the two read differently (shift and 2: '"' or "@") is
none that a code can have.

A code that was damaged on its way may be anybody's. It is never repaired, and it is told that it was there:
whoever has just been scanned, it need not be the resident of the scan before.
"""

from __future__ import annotations

from drivers.usb.bus import Key
from hub.errors import CareportError

LONGEST = 64  # characters
PAUSE = 1.0  # seconds without any key, after which what was typed before belongs to nothing that follows
_A_KEY = 0.15  # seconds, on average: readers type more than ten keys a second, people who copy a code do not
_AT_LEAST = 0.5  # seconds that any code may take

_NO_END = "it stopped in the middle, and did not end with Enter"
_REST = "it may be the rest of what stopped in the middle before it"

# Keys, by the numbers of input-event-codes.h.
_SHIFTS = frozenset({42, 54})
_LOCKS = frozenset({58, 69, 70})  # Caps, Num, Scroll
_ENDS = frozenset({28, 96, 15})  # Enter, that of the keypad, Tab
_COMMANDS = frozenset({29, 97, 56, 100, 125, 126})  # Ctrl, Alt, the one with a window on it
_DIFFERING = frozenset({41, 43, 86})
_DIFFERING_WITH_SHIFT = frozenset({3, 4, 40})


def _rows(*rows: tuple[int, str]) -> dict[int, str]:
    """What the keys type that follow one another from the one with a number; nothing for a "~"."""
    return {first + place: sign for first, row in rows for place, sign in enumerate(row) if sign != "~"}


_PLAIN = _rows(
    (2, "1234567890-="),
    (16, "QWERTYUIOP[]"),
    (30, "ASDFGHJKL;'"),
    (44, "ZXCVBNM,./"),
    (55, "*"),
    (57, " "),
    (71, "789-456+1230."),
    (98, "/"),
)
_SHIFTED = _rows(
    (2, "!~~$%^&*()_+"),
    (16, "QWERTYUIOP{}"),
    (30, "ASDFGHJKL:"),
    (44, "ZXCVBNM<>?"),
    (57, " "),
)


class ScanLostError(CareportError):
    """Something was scanned, or typed, that is no whole code; says why, and never what."""


def as_typed(code: str) -> str:
    """A code that somebody wrote down, as `Wedge` gives it: in capitals, without blanks around it."""
    return code.strip().upper()


class Wedge:
    """What one reader types. `at` is a monotonic clock's time in seconds."""

    def __init__(self) -> None:
        self._typed = ""
        self._began = 0.0  # when the first of it was typed
        self._last: float | None = None  # when a key last moved; None between two codes
        self._lost = False  # to the next end or pause nothing is believed
        self._had_no_end = False  # what was typed before a pause: what follows may be the rest of it
        self._held: set[int] = set()  # of the shift keys

    @property
    def due(self) -> float | None:
        """When to call `wait`, if no key moves before; None where nothing is being typed."""
        return None if self._last is None else self._last + PAUSE

    def press(self, key: Key | None, at: float) -> str | None:
        """A key has moved, or some were lost (None). Gives a code, once it has ended.

        Raises:
            ScanLostError: what was being typed is lost, or is no code. Told once; the rest of it, to its end
                or a pause, is passed over.
        """
        lost_before = self._pauses(at)
        self._last = at
        code = self._hear(key, at)
        if lost_before:
            raise ScanLostError(_NO_END)
        return code

    def wait(self, at: float) -> None:
        """No key has moved by now.

        Raises:
            ScanLostError: what was typed has no end.
        """
        if self._pauses(at):
            raise ScanLostError(_NO_END)

    def _pauses(self, at: float) -> bool:
        """Forget what was typed before a pause; whether that was something, and not told as lost yet."""
        if self._last is None or at - self._last < PAUSE:
            return False
        loses = self._typed != "" and not self._lost
        self._forget()
        self._held.clear()
        self._had_no_end = self._had_no_end or loses
        return loses

    def _hear(self, key: Key | None, at: float) -> str | None:
        if key is None:
            self._held.clear()
            self._lose("keys were lost on the way")
        elif key.code in _SHIFTS:
            (self._held.add if key.down else self._held.discard)(key.code)
        elif key.down and key.code in _ENDS:
            return self._end(at)
        elif key.down and key.code not in _LOCKS:
            self._type(key, at)
        return None

    def _type(self, key: Key, at: float) -> None:
        if self._lost:
            return
        sign = (_SHIFTED if self._held else _PLAIN).get(key.code)
        if key.repeats:
            self._lose("a key was held down")
        elif sign is None:
            self._lose(_why_not(key.code, with_shift=bool(self._held)))
        elif len(self._typed) == LONGEST:
            self._lose(f"it is longer than {LONGEST} characters")
        else:
            self._began = self._began if self._typed else at
            self._typed += sign

    def _end(self, at: float) -> str | None:
        typed, began, lost = self._typed, self._began, self._lost
        rest, self._had_no_end = self._had_no_end, False
        self._forget()
        if lost or not typed:  # the second of two Enters says nothing
            return None
        if rest:
            raise ScanLostError(_REST)
        if at - began > max(_AT_LEAST, _A_KEY * len(typed)):
            raise ScanLostError("it was typed as slowly as people type")
        code = as_typed(typed)
        if not code:
            raise ScanLostError("there were only blanks in it")
        return code

    def _lose(self, why: str) -> None:
        told = self._lost
        self._lost = True
        self._typed = ""
        if not told:
            raise ScanLostError(why)

    def _forget(self) -> None:
        self._typed = ""
        self._lost = False
        self._last = None


def _why_not(code: int, *, with_shift: bool) -> str:
    if code in _COMMANDS:
        return "it holds Ctrl or Alt: set the reader to type plain signs, and to end with Enter alone"
    if code in _DIFFERING or (with_shift and code in _DIFFERING_WITH_SHIFT):
        return "it has a sign that British and American keyboards type with different keys"
    return "it presses a key that types no letter, digit or sign"
