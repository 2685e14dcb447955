"""A model's card as a page that a person reads: what it is, how good, its limits, what it is not for."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeGuard

WIDTH = 100
_INDENT = "  "
_NOT_SHOWN = frozenset({"terms", "names", "protocol", "golden"})
"""Long, and for machines or for those who check the card by hand: it is in the card's file."""

_MOST_NUMBERS = 12
_NUMBERS_IN_A_LINE = 6


def page(card: Mapping[str, object]) -> str:
    """The page, in lines of `WIDTH` characters at the most; whatever the card has not is left out."""
    return "\n".join(_page(card))


def _page(card: Mapping[str, object]) -> Iterator[str]:
    yield f"{_text(card.get('name')) or 'a model without a name'} {_text(card.get('version'))}".rstrip()
    for key in ("summary", "status"):
        if said := _text(card.get(key)):
            yield from _wrapped(said)
    training = card.get("training")
    if isinstance(training, Mapping):
        yield from _section("Trained on", training)
    if card.get("evaluation"):
        yield from _section("How good it is, where it was measured", card["evaluation"])
    if card.get("limits"):
        yield from _section("Limits", card["limits"])
    if card.get("must_not_be_used"):
        yield from _section("Must not be used", card["must_not_be_used"])


def _section(title: str, said: object) -> Iterator[str]:
    yield ""
    yield title
    yield from _lines(said, 1)


def _lines(said: object, depth: int) -> Iterator[str]:
    match said:
        case Mapping():
            for key, inner in said.items():
                if key in _NOT_SHOWN:
                    continue
                name = str(key).replace("_", " ")
                if _is_few_numbers(inner):
                    numbers = ", ".join(f"{what} {_short(number)}" for what, number in inner.items())
                    yield from _wrapped(f"{name}: {numbers}".replace("_", " "), depth)
                elif isinstance(inner, Mapping) or _is_list_of_texts(inner):
                    yield f"{_INDENT * depth}{name}:"
                    yield from _lines(inner, depth + 1)
                else:
                    yield from _wrapped(f"{name}: {_short(inner)}", depth)
        case str():
            yield from _wrapped(said, depth)
        case Sequence():
            for inner in said:
                if isinstance(inner, Mapping):
                    begin = _INDENT * (depth + 1)
                    for number, line in enumerate(_lines(inner, depth + 1)):
                        yield line if number else f"{begin[:-2]}- {line.removeprefix(begin)}"
                else:
                    yield from _wrapped(f"- {_short(inner)}", depth)
        case _:
            yield from _wrapped(_short(said), depth)


def _is_few_numbers(said: object) -> TypeGuard[Mapping[str, object]]:
    return (
        isinstance(said, Mapping)
        and 0 < len(said) <= _NUMBERS_IN_A_LINE
        and all(isinstance(each, int | float) for each in said.values())
    )


def _is_list_of_texts(said: object) -> bool:
    return isinstance(said, list | tuple) and any(isinstance(each, str | Mapping) for each in said)


def _short(said: object) -> str:
    match said:
        case None:
            return "not known"
        case bool():
            return "yes" if said else "no"
        case float():
            return f"{said:g}"
        case list() | tuple():
            shown = [_short(each) for each in said[:_MOST_NUMBERS]]
            return ", ".join([*shown, *(["..."] if len(said) > _MOST_NUMBERS else [])])
        case _:
            return _text(said)


def _wrapped(text: str, depth: int = 1) -> Iterator[str]:
    begin = _INDENT * depth
    yield from textwrap.wrap(
        text, WIDTH, initial_indent=begin, subsequent_indent=begin + _INDENT, break_on_hyphens=False
    )


def _text(said: object) -> str:
    """What a card says, without what could drive a terminal."""
    return "" if said is None else "".join(letter if letter.isprintable() else " " for letter in str(said))
