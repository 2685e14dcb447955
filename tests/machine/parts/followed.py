"""The engineer's page is followed word for word, from a bare machine to an alert and on.

What is typed is run as it stands, in a checkout's root; a machine that the page names is reached by that
name. Where a file is to be edited (`nano FILE`) a person edits it: here the editor is a program that puts in
what a test needs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

from tests.machine.laboratory import Laboratory
from tests.machine.page import commands, hosts
from tests.machine.report import Row, promised
from tests.machine.root import ROOT
from tests.machine.running import Ended

_PART = "readme"
ONCE, HEADING = "## Once for a programme", "## A hub in a minute"
_PAGE = ROOT / "provisioning" / "README.md"
_EDITORS = ("nano", "vi", "editor")
# What a person would say where there is no Bluetooth and no USB; then, that it is no test any more.
_EDITOR = """\
#!{python}
import sys, tomlkit
path = sys.argv[-1]
with open(path) as file:
    document = tomlkit.parse(file.read())
begun = "bluetooth" in document
document["site"]["test_data"] = not begun
document["bluetooth"] = {{"radio": "off"}}
document["usb"] = {{"ports": "off"}}
document.pop("sensors", None)
with open(path, "w") as file:
    file.write(tomlkit.dumps(document))
"""


def scenarios(lab: Laboratory) -> Iterator[Row]:
    """Every line must succeed; after that of the test an alert arrives."""
    page = _PAGE.read_text()
    _lay_out(lab)
    typed = 0
    for line in commands(page, ONCE):
        ended = _typed(lab, line)
        typed += 1
        if ended.code:
            yield promised(_PART, f"the engineer's page, word for word ('{ONCE}')", [_failed(line, ended)])
            return
    yield promised(_PART, f"the engineer's page, word for word ('{ONCE}')", [], f"{typed} lines typed")
    with (
        lab.bare() as machine,
        lab.of_another_programme(lab.engineer.directory / "careport/authority") as ics,
    ):
        lines = commands(page, HEADING)
        for host in hosts(lines):
            lab.engineer.call(machine, host)
        found: list[str] = []
        began, alerts = monotonic(), 0
        for line in lines:
            ended = _typed(lab, line)
            if ended.code:
                found.append(_failed(line, ended))
                break
            if " observe " in line:
                said = "the alert of the page's own test"
                ics.await_first(lambda: ics.raised("", since=began), 30, said)
                alerts += 1
        if not found and not alerts:
            found.append("the page has no alert seen to arrive")
        said = f"{len(lines)} lines typed, {monotonic() - began:.0f} s"
        yield promised(_PART, f"the engineer's page, word for word ('{HEADING}')", found, said)


def _typed(lab: Laboratory, line: str) -> Ended:
    return lab.engineer.shell(f"cd checkout && {line}", seconds=900)


def _failed(line: str, ended: Ended) -> str:
    return f"'{line}' ended with {ended.code}: {(ended.output + ended.errors)[-600:]}"


def _lay_out(lab: Laboratory) -> None:
    """A checkout as the engineer has it: this one's files, in a place where the page may leave its own."""
    checkout = lab.engineer.directory / "checkout"
    checkout.mkdir()
    for each in ROOT.iterdir():
        (checkout / each.name).symlink_to(each)
    for name in _EDITORS:
        program = lab.engineer.directory / "bin" / name
        program.write_text(_EDITOR.format(python=sys.executable))
        program.chmod(0o755)


def page() -> Path:
    """The page that is followed."""
    return _PAGE
