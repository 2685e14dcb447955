"""What a keyboard's keys do when a text is typed on it: the codes of Linux (`input-event-codes.h`), on the
keys of a British or American keyboard, which is what readers of wristbands type as unless they are told
otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from drivers.usb.bus import Key
from drivers.virtual import VirtualWardError

LEFT_SHIFT, ENTER = 42, 28

_ROWS = (
    (2, "1234567890-="),
    (16, "qwertyuiop[]"),
    (30, "asdfghjkl;"),
    (44, "zxcvbnm,./"),
    (57, " "),
    (28, "\n"),
)
"""Of each row its first key's code and what the keys type; their codes follow one another."""

_KEYS = {character: first + place for first, row in _ROWS for place, character in enumerate(row)}
_WITH_SHIFT = dict(zip("!$%^&*()_+:<>?", "14567890-=;,./", strict=True))


def keys_of(text: str) -> list[Key]:
    """The keys as they go down and come up. Raises `VirtualWardError` for what it has no
    key for."""
    return [key for character in text for key in _keys_of(character)]


def _keys_of(character: str) -> Iterator[Key]:
    plain = _WITH_SHIFT.get(character, character.lower())
    if plain not in _KEYS:
        raise VirtualWardError(f"there is no key for {character!r}")
    shifted = plain != character
    if shifted:
        yield Key(LEFT_SHIFT)
    yield Key(_KEYS[plain])
    yield Key(_KEYS[plain], down=False)
    if shifted:
        yield Key(LEFT_SHIFT, down=False)
