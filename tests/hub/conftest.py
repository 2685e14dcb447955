"""What tests of more than one room need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rigs.home import Home


@pytest.fixture
def homes() -> Iterator[list[Home]]:
    """Those that are put in here are closed at the end."""
    made: list[Home] = []
    yield made
    for home in made:
        home.house.connection.close()
