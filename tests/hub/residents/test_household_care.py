"""What is known of a resident: who is not watched owns nothing; what cannot be read unwatches nobody."""

from __future__ import annotations

import logging
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from hub.clock import now
from hub.configuration.file import Config
from hub.residents.care import Care, Consent, Whereabouts
from hub.store.database import FILE_NAME, open_for_writing
from tests.rigs.enrolling import new_home
from tests.rigs.house import CUFF, ILL, OXIMETER, THERMOMETER, WELL
from tests.rigs.residing import SAM, VERA, living


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return new_home(tmp_path)


# --- not watched


@pytest.mark.parametrize(
    ("care", "why"),
    [
        ({"whereabouts": "in hospital"}, "in hospital"),
        ({"whereabouts": "moved"}, "moved"),
        ({"whereabouts": "deceased"}, "deceased"),
        ({"consent": "withdrawn"}, "consent withdrawn"),
    ],
)
async def test_who_leaves_owns_nothing_any_more_and_what_is_open_of_them_is_closed(
    config: Config, care: dict[str, str], why: str
) -> None:
    async with living(config) as home:
        said = await home.household.care(ILL, care, SAM)
        assert (said.was_watched, said.listed.care.watched) == (True, False)
        assert home.register.owner_of(CUFF) is None
        assert home.alerts_closed == [(ILL, why, SAM)]
        assert home.rounds_closed == [(ILL, SAM)]
        assert sorted(home.streams_closed) == [CUFF, OXIMETER, THERMOMETER], "what they told until then stays"
    async with living(config) as home:
        assert home.register.owner_of(CUFF) is None
        assert [each.id for each in home.register.watched] == [WELL]


async def test_nothing_that_is_stored_while_it_is_said_is_theirs(config: Config) -> None:
    """What comes between their leaving and the commit of it."""
    async with living(config) as home:
        owners = []

        def close(_transaction: object, *_said: object) -> None:
            owners.append(home.register.owner_of(CUFF))

        home.household.close_alert = close
        await home.household.care(ILL, {"whereabouts": "in hospital"}, SAM)
    assert owners == [None]


async def test_back_again_what_is_measured_is_theirs_from_then_on(config: Config) -> None:
    begun = now()
    async with living(config) as home:
        await home.household.care(ILL, {"whereabouts": "in hospital"}, SAM)
        said = await home.household.care(ILL, {"whereabouts": "here"}, SAM)
        assert (said.was_watched, said.listed.care.watched) == (False, True)
        assert home.register.owner_of(CUFF) == config.residents[0]
        since = home.register.theirs_since(CUFF)
        assert since is not None
        assert begun <= since <= now()
        assert len(home.alerts_closed) == 1
        await home.household.care(ILL, {"reviewed": "2026-01-02"}, SAM)
        assert home.register.theirs_since(CUFF) == since, "to say more of them does not begin them anew"
    async with living(config) as home:
        assert home.register.theirs_since(CUFF) == since
        assert abs(since - begun) < timedelta(minutes=5)


async def test_in_hospital_and_without_consent_they_are_not_watched_until_both_are_over(
    config: Config,
) -> None:
    async with living(config) as home:
        away = {"whereabouts": "in hospital", "consent": "withdrawn"}
        await home.household.care(ILL, away, SAM)
        await home.household.care(ILL, {"whereabouts": "here"}, SAM)
        assert home.register.owner_of(CUFF) is None
        await home.household.care(ILL, {"consent": "given"}, SAM)
        assert home.register.owner_of(CUFF) is not None


# --- known


async def test_what_is_known_of_either_kind_is_there_after_a_restart(config: Config) -> None:
    known = {
        "escalation_plan": "Not to hospital; ReSPECT form in the office",
        "reviewed": "2026-01-02",
        "normals": {"oxygen_saturation": {"lowest": 88, "highest": 92}},
    }
    async with living(config) as home:
        await home.household.add({**VERA, "id": "R-0500"}, SAM)
        for pseudonym in (ILL, "R-0500"):
            await home.household.care(pseudonym, known, SAM)
    async with living(config) as home:
        for pseudonym in (ILL, "R-0500"):
            care = home.household.find(pseudonym).care
            assert care.model_dump(mode="json", exclude={"whereabouts", "consent"}) == known
            assert home.register.care(pseudonym) == care
        assert home.register.care(WELL) == Care()
        assert (await home.household.care(ILL, known, SAM)).changed == ()


@pytest.mark.parametrize("body", ["", "{", "[]", '"here"', '{"whereabouts": "on the moon"}', "null"])
async def test_of_whom_nothing_can_be_read_is_watched_and_somebody_is_told(
    config: Config, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A lost alert can cost a life."""
    spoil(config, body)
    with caplog.at_level(logging.ERROR):
        async with living(config) as home:
            assert home.register.owner_of(CUFF) is not None
            assert "could not be read" in str(home.household.find(ILL).trouble)
            await home.household.care(ILL, {"whereabouts": "here"}, SAM)
            assert home.household.find(ILL).trouble is None
    assert ILL in caplog.text
    async with living(config) as home:
        assert home.household.find(ILL).trouble is None


async def test_of_what_is_half_readable_the_half_counts(config: Config) -> None:
    spoil(config, '{"whereabouts": "in hospital", "consent": "??", "normals": {"a": 1}}')
    async with living(config) as home:
        found = home.household.find(ILL)
        assert (found.care.whereabouts, found.care.consent) == (Whereabouts.IN_HOSPITAL, Consent.GIVEN)
        assert home.register.owner_of(CUFF) is None


def spoil(config: Config, body: str) -> None:
    with closing(open_for_writing(config.hub.data_directory / FILE_NAME)) as connection:
        connection.execute("INSERT INTO resident_care VALUES (?, ?, 0, 'Sam')", (ILL, body))
