"""The engineer's page: what is to be typed in a section of a README, taken out word for word."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from tests.machine.errors import RigError

_CODE = "    "
_LOGIN = re.compile(r"\b[a-z][a-z0-9-]*@([A-Za-z0-9][A-Za-z0-9.-]*)")


def commands(text: str, heading: str) -> list[str]:
    """The command lines of the section with that heading, up to the next of the same rank or higher: each is
    one line of its indented blocks, with what is continued by a backslash.

    Raises:
        RigError: there is no such section, or nothing is to be typed in it.
    """
    found = list(_lines(_section(text, heading)))
    if not found:
        raise RigError(f"nothing is to be typed in the section '{heading}'")
    return found


def hosts(lines: list[str]) -> list[str]:
    """The machines that are named in them as LOGIN@HOST, in their order, once each."""
    return list(dict.fromkeys(host for line in lines for host in _LOGIN.findall(line)))


def _section(text: str, heading: str) -> str:
    rank = len(heading) - len(heading.lstrip("#"))
    lines = text.splitlines()
    if heading not in lines:
        raise RigError(f"there is no section '{heading}'")
    begin = lines.index(heading) + 1
    ends = (number for number in range(begin, len(lines)) if re.match(rf"#{{1,{rank}}} ", lines[number]))
    return "\n".join(lines[begin : next(ends, len(lines))])


def _lines(section: str) -> Iterator[str]:
    """A comment alone on its line is for reading."""
    begun = ""
    for line in section.splitlines():
        if not line.startswith(_CODE):
            continue
        begun += textwrap.dedent(line).rstrip() if not begun else line.strip()
        if begun.endswith("\\"):
            begun = begun[:-1].rstrip() + " "
            continue
        if begun and not begun.startswith("#"):
            yield begun
        begun = ""
