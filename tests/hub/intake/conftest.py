"""A reception over a card that stalls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from hub.intake.reception import Reception
from hub.store.writer import Writer
from tests.rigs.house import House
from tests.rigs.stalling_card import StallingCard, receiving, stalling_card
from tests.rigs.told import Told


@pytest.fixture
async def writer(house: House) -> AsyncIterator[Writer]:
    """Each commit by itself."""
    async with Writer(house.path, timedelta(0)) as writer:
        yield writer


@pytest.fixture
def card(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> Iterator[StallingCard]:
    """It keeps what it is told to keep, until it is told to get on."""
    with stalling_card(writer, monkeypatch) as card:
        yield card


@pytest.fixture
def told() -> Told:
    """What was said beside the card."""
    return Told()


@pytest.fixture
async def reception(house: House, writer: Writer, card: StallingCard, told: Told) -> AsyncIterator[Reception]:
    """What is held up in it is told."""
    async with receiving(house, writer, card, told) as reception:
        yield reception
