"""The engineer's page is followed word for word, from a bare machine to an alert and on.

What is typed is run as it stands, in a checkout's root; a machine that the page names is reached by that
name. Where a file is to be edited (`nano FILE`) a person edits it: here the editor is a program that puts in
what a test needs.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

from tests.machine.engineer import SITE, WARD
from tests.machine.laboratory import Laboratory
from tests.machine.network import BROKER_NAME
from tests.machine.page import commands, hosts
from tests.machine.report import Row, promised
from tests.machine.root import ROOT

_PART = "readme"
HEADING = "## A hub in a minute"
_PAGE = ROOT / "provisioning" / "README.md"
_EDITORS = ("nano", "vi", "editor")
# It changes what a site of a test must have otherwise, and nothing else.
_EDITOR = """\
#!{python}
import sys, tomlkit
path = sys.argv[-1]
with open(path) as file:
    document = tomlkit.parse(file.read())
if "site" in document:
    document["site"].update({{"id": "{site}", "test_data": True}})
    document["broker"]["host"] = "{broker}"
    document["bluetooth"] = {{"radio": "virtual", "scenario": "{ward}"}}
    document["usb"] = {{"ports": "off"}}
with open(path, "w") as file:
    file.write(tomlkit.dumps(document))
"""


def scenarios(lab: Laboratory) -> Iterator[Row]:
    """Every line must succeed; at the end an alert arrives."""
    lines = commands(_PAGE.read_text(), HEADING)
    with lab.bare() as machine:
        for host in hosts(lines):
            lab.engineer.call(machine, host)
        _lay_out(lab)
        found: list[str] = []
        began = monotonic()
        for line in lines:
            ended = lab.engineer.shell(f"cd checkout && {line}", seconds=900)
            if ended.code:
                found.append(f"'{line}' ended with {ended.code}: {(ended.output + ended.errors)[-600:]}")
                break
        if not found:
            what = "an alert of the hub that was set up by the page"
            lab.ics.await_first(lambda: lab.ics.raised("", since=began), 90, what)
        said = f"{len(lines)} lines typed, {monotonic() - began:.0f} s to the first alert"
        yield promised(_PART, f"the engineer's page, word for word ('{HEADING}')", found, said)


def _lay_out(lab: Laboratory) -> None:
    """A checkout as the engineer has it: this one's files, in a place where the page may leave its own."""
    checkout = lab.engineer.directory / "checkout"
    checkout.mkdir()
    for each in ROOT.iterdir():
        (checkout / each.name).symlink_to(each)
    # The programme's authority is there: the broker's certificate is of it.
    (checkout / "authority").symlink_to(lab.engineer.authority.directory)
    for name in _EDITORS:
        program = lab.engineer.directory / "bin" / name
        program.write_text(_EDITOR.format(python=sys.executable, site=SITE, broker=BROKER_NAME, ward=WARD))
        program.chmod(0o755)
    shutil.copy(lab.releases.key, lab.engineer.directory / "release")


def page() -> Path:
    """The page that is followed."""
    return _PAGE
