"""A machine whose site has updates from the centre, and its hub and unit: they ask, fetch and hand on."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

from provisioning.keeper.asked_for import try_for_the_centre
from provisioning.keeper.centre import Asked, Centre
from provisioning.keeper.fetch import REQUEST_NAME, SOURCE_NAME, Pace, fetch, finish, take
from provisioning.keeper.places import Places
from provisioning.keeper.requested import Request
from provisioning.keeper.verdict import Verdict
from tests.rigs.releases import Machine

ID = str(uuid.uuid4())
AT_ONCE = Pace(least=0.01, most=0.02, gives_up=60, rests=0.01)
BRIEFLY = Pace(least=0.01, most=0.02, gives_up=0.1, rests=0.01)
MUCH = 600_000
"""Bytes of a bundle that comes in pieces."""


def allow(machine: Machine, address: str, ca: str) -> None:
    """As provisioning leaves a machine whose site has updates from the centre."""
    said = {"source": address, "ca": ca}
    (machine.places.etc / SOURCE_NAME).write_text(json.dumps(said), encoding="utf-8")


def ask(machine: Machine, sha256: str, *, name: str = ID, **changes: str) -> None:
    """As the hub asks."""
    said = {"id": name, "manifest_sha256": sha256, "version": "1.1", "build": "two", **changes}
    (machine.places.data / REQUEST_NAME).write_text(json.dumps(said))


def large(machine: Machine) -> Path:
    """A bundle with something behind it that takes a while: the outer tar's end."""
    path = machine.bundle(version="1.1", build="two")
    with path.open("ab") as file:
        file.write(bytes(MUCH))
    return path


class Started:
    """What carehub-update.service was started with: it runs here, with the real keeper."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.requests: list[Request] = []

    def __call__(self, _places: Places, request: Request) -> None:
        self.requests.append(request)

    def run(self) -> Verdict:
        """As that unit does."""
        (request,) = self.requests
        keeper = self.machine.keeper()
        return try_for_the_centre(
            self.machine.places, request, lambda: keeper.update(Path(request.bundle), older=request.older)
        )


def brought(machine: Machine, pace: Pace = AT_ONCE) -> Started:
    """The three steps of the unit."""
    words: list[str] = []
    started = Started(machine)
    take(machine.places, words.append, pace)
    fetch(machine.places, words.append, pace)
    finish(machine.places, words.append, started)
    return started


def last(machine: Machine) -> Asked:
    """What is noted of what was asked last."""
    found = Centre(machine.places).last()
    assert found is not None
    return found


def left(machine: Machine) -> set[str]:
    """What would have the unit started again."""
    paths = (machine.places.data / REQUEST_NAME, Centre(machine.places).order_path)
    return {path.name for path in paths if path.exists()}
