#!/usr/bin/env python3
"""Write mosquitto's access list from the list of clients: `acl.py clients > access`.

A line of the list is one client, named by the CN of its certificate:

    hub willow-house.hub-1  willow-house  hub-1
    ics ics-desk

A hub publishes on its own topics and reads its own acknowledgements and updates; an ICS reads everything,
acknowledges, and asks for updates; whoever is not on the list may do nothing. Needs Python 3.8 and nothing
else.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

# What a hub's configuration allows for site.id and hub.id; nothing in it means anything in a topic.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FIELDS = {"hub": 4, "ics": 2}


class Client(NamedTuple):
    """One line of the list; `site` and `hub` are empty for an ICS."""

    role: str
    name: str
    site: str = ""
    hub: str = ""


def read(text: str) -> list[Client]:
    """The clients of a list.

    Raises:
        ValueError: a line is wrong; the text names it, and says why.
    """
    clients: list[Client] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        role, names = words[0], words[1:]
        if len(words) != _FIELDS.get(role):
            raise ValueError(f"line {number}: give 'hub CN SITE HUB' or 'ics CN'")
        for name in names:
            if not _NAME.fullmatch(name):
                raise ValueError(f"line {number}: {name!r}: letters, digits, '.', '_' and '-', at most 64")
        client = Client(role, *names)
        for other in clients:
            if other.name == client.name:
                raise ValueError(f"line {number}: {client.name}: this CN is given twice")
            if role == "hub" and other[2:] == client[2:]:
                raise ValueError(f"line {number}: {client.site} {client.hub}: this hub is given twice")
        clients.append(client)
    return clients


def rules(clients: list[Client]) -> str:
    """The access list, as mosquitto reads it: what no line allows is refused."""
    lines = ["# Written by acl.py: change the list of clients, not this file."]
    for client in clients:
        lines += ["", f"user {client.name}"]
        if client.role == "hub":
            own = f"careport/v1/{client.site}/{client.hub}"
            lines += [f"topic write {own}/+", f"topic read {own}/ack", f"topic read {own}/update"]
        else:
            lines += ["topic read careport/v1/#"]
            lines += [f"topic write careport/v1/+/+/{each}" for each in ("ack", "update")]
    return "\n".join(lines) + "\n"


def main() -> None:
    """The command."""
    if len(sys.argv) != 2:
        sys.exit("usage: acl.py CLIENTS > access")
    try:
        sys.stdout.write(rules(read(Path(sys.argv[1]).read_text(encoding="utf-8"))))
    except (OSError, ValueError) as error:
        sys.exit(f"acl.py: {sys.argv[1]}: {error}")


if __name__ == "__main__":
    main()
