"""What a machine says, made safe to show: a machine that is not what it was may say anything, and an escape
sequence on the engineer's terminal can retitle, clear or rewrite what is read there."""

from __future__ import annotations

import json
from typing import Any

_LONGEST, _LONGEST_TEXT, _MOST = 1000, 100_000, 1000
_TEXTS = ("diff", "request")
"""The keys of what has several lines."""


def plain(said: object, longest: int = _LONGEST) -> str:
    """Words in one line, of at most so many characters, with nothing in them that is no letter or sign."""
    shown = "".join(letter if letter.isprintable() else " " for letter in str(said)[: longest + 1])
    return shown if len(shown) <= longest else f"{shown[: longest - 3]}..."


def plain_lines(said: str, longest: int = _LONGEST_TEXT) -> str:
    """The same of several lines, the last ones where there are too many."""
    text = said[-longest:]
    return "".join(letter if letter.isprintable() or letter in "\n\t" else " " for letter in text)


def object_of(text: str) -> Any:
    """JSON that a machine said, with plain words in it. Raises `ValueError`: it is none."""
    try:
        return _plain(json.loads(text))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _plain(found: Any, key: str = "") -> Any:
    match found:
        case str():
            return plain_lines(found) if key in _TEXTS else plain(found)
        case dict():
            items = list(found.items())[:_MOST]
            return {plain(name): _plain(value, name) for name, value in items}
        case list():
            return [_plain(each) for each in found[:_MOST]]
        case _:
            return found
