"""What a machine says is safe to show."""

from __future__ import annotations

import pytest

from provisioning.machine_words import object_of, plain, plain_lines

HOSTILE = "\x1b[2J\x1b]0;mine\x07well\r\n\u202ewell\x9b31m\u2028"


def test_nothing_of_it_moves_the_terminals_pen() -> None:
    assert plain(HOSTILE).isprintable()
    assert plain(HOSTILE).count("well") == 2
    assert plain_lines("a\tb\nc\x1b[K\rd") == "a\tb\nc [K d"


def test_it_is_bounded() -> None:
    assert plain("x" * 5000, 60) == "x" * 57 + "..."
    assert plain("x" * 60, 60) == "x" * 60
    assert plain_lines("first\n" + "x" * 100, 50) == "x" * 50, "the last words say most"


def test_its_json_has_plain_words_and_keeps_its_values() -> None:
    found = object_of(
        '{"a\\u001b": [true, 1.5, null, {"words": "\\u001b[31mred\\nnext"}], "diff": "-a\\n+\\u001bb\\n"}'
    )
    assert found == {"a ": [True, 1.5, None, {"words": " [31mred next"}], "diff": "-a\n+ b\n"}
    assert len(object_of(f"[{','.join('1' * 5000)}]")) == 1000
    for wrong in ("", "{", "[" * 100_000):
        with pytest.raises(ValueError, match=r".+"):
            object_of(wrong)
