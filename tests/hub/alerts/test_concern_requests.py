"""Concerns as the page asks for them: what is answered, and what is refused in words for whoever asked."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from hub.alerts.book import AlertBook
from hub.alerts.commands import Commands
from hub.alerts.concern_requests import ConcernRequests
from hub.alerts.life import AlertPolicy
from hub.errors import CareportError
from hub.intake.reception import Reception
from hub.store.writer import Writer
from tests.rigs.house import ILL, House


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
async def requests(house: House) -> AsyncIterator[ConcernRequests]:
    policy = AlertPolicy.of(house.config.alerts, house.config.observation_sets)
    async with Writer(house.path) as writer:
        reception = Reception(writer, house.intake)
        yield ConcernRequests(writer, reception, Commands(AlertBook(house.identity), policy))


async def test_a_concern_is_said_again_and_settled(house: House, requests: ConcernRequests) -> None:
    first = await requests.concern({"resident": ILL, "signs": ["tired"], "words": "pale", "by": "Asha"})
    again = await requests.concern({"resident": ILL, "by": "Tola"})
    assert (first["outcome"], again["outcome"], first["alert"]) == (
        "raised", "concern joined", again["alert"],
    )  # fmt: skip
    (alert,) = house.open_alerts()
    assert alert.concern is not None
    assert (alert.concern.words, alert.concern.by, alert.concern.times) == ("pale", "Tola", 2)
    answer = await requests.settle({"alert": first["alert"], "by": "Sam", "note": "had not slept"})
    assert answer == {
        "words": "The concern is settled, and nothing else holds the alert: it is closed.",
        "open": False,
    }
    assert house.open_alerts() == []


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"resident": "R-9999", "by": "Asha"}, "R-9999"),
        ({"resident": ILL}, "say who is concerned"),
        ({"resident": ILL, "by": "Asha", "signs": ["grumpy"]}, "a sign is not known; there are breathless"),
        ({"resident": ILL, "by": "Asha", "signs": "tired"}, "a sign is not known"),
        ({"resident": ILL, "by": "Asha", "words": "a" * 501}, "501 letters"),
        ({"by": "Asha"}, "resident"),
    ],
)
async def test_what_cannot_be_taken_is_refused_and_nothing_is_stored(
    house: House, requests: ConcernRequests, asked: Mapping[str, object], wanted: str
) -> None:
    with pytest.raises(CareportError, match=wanted):
        await requests.concern(asked)
    assert house.counts() == {"reading": 0, "assessment": 0, "alert": 0, "audit": 0, "outbox": 0}


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"alert": "none", "by": "Sam", "note": "seen"}, "no alert's id"),
        ({"alert": str(uuid.UUID(int=1)), "by": "Sam", "note": "seen"}, "not known here"),
    ],
)
async def test_what_is_not_there_is_not_settled(
    requests: ConcernRequests, asked: Mapping[str, object], wanted: str
) -> None:
    with pytest.raises(CareportError, match=wanted):
        await requests.settle(asked)


async def test_without_a_word_of_what_was_found_it_goes_on(house: House, requests: ConcernRequests) -> None:
    said = await requests.concern({"resident": ILL, "by": "Asha"})
    with pytest.raises(CareportError, match="what you found"):
        await requests.settle({"alert": said["alert"], "by": "Sam", "note": ""})
    assert len(house.open_alerts()) == 1
