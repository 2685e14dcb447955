"""A machine below a directory, and a key that it trusts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from provisioning.keeper.places import UNIT
from tests.rigs.fetching import allow
from tests.rigs.release_source import ReleaseSource
from tests.rigs.releases import Machine, Signer


@pytest.fixture(scope="session")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    """Who signs releases."""
    return Signer(tmp_path_factory.mktemp("signer"))


@pytest.fixture
def machine(signer: Signer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One without a release yet."""
    # Not tmp_path, whose name may be too long for a socket's.
    machine = Machine(tmp_path_factory.mktemp("hub") / "root", signer)
    yield machine
    machine.services.kill([UNIT], 0.2)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReleaseSource]:
    """Where releases are fetched from."""
    with ReleaseSource(tmp_path_factory.mktemp("source")) as source:
        yield source


@pytest.fixture
def allowed(machine: Machine, source: ReleaseSource) -> Machine:
    """A machine whose site has updates from the centre."""
    places = machine.places
    for directory in (places.data, places.cache, places.state):
        directory.mkdir(parents=True)
    source.asked.clear()
    allow(machine, source.address, source.ca)
    return machine
