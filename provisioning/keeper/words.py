"""Words of others, as of a hub that may be broken or worse, before they go to a terminal, a file or a log."""

from __future__ import annotations

_LONGEST = 300


def plain(text: str, longest: int = _LONGEST) -> str:
    """One line of at most so many characters, with "?" for each that cannot be printed: no escape sequence
    gets through, and nothing that turns the direction of writing."""
    line = " ".join(text.split())[:longest]
    return "".join(letter if letter.isprintable() else "?" for letter in line)
