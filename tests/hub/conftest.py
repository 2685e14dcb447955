"""What tests of more than one room need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs.broker import Ics, Mosquitto
from tests.rigs.home import Home
from tests.rigs.house import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Where a test has not one of its own kind."""
    house = House(tmp_path)
    yield house
    house.connection.close()


@pytest.fixture
def homes() -> Iterator[list[Home]]:
    """Those that are put in here are closed at the end."""
    made: list[Home] = []
    yield made
    for home in made:
        home.house.connection.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """Where a test has not one of its own kind."""
    with Mosquitto(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture
def ics(broker: Mosquitto) -> Iterator[Ics]:
    """Who listens there."""
    with Ics(broker) as ics:
        yield ics
