"""Who lives here: entered and changed while the hub runs, and as it was after each restart."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from hub.assessment.news2 import OxygenScale
from hub.clock import now
from hub.configuration.file import Config, Resident
from hub.readings import Vital
from hub.residents.care import Care, Whereabouts
from hub.residents.fields import ResidentError
from hub.residents.household import residents_of
from hub.residents.register import UnknownResidentError
from hub.store.database import FILE_NAME, open_for_reading
from hub.store.errors import NotCommittedError
from hub.store.writer import Writer
from hub.trail import Audited
from tests.rigs.enrolling import NEW, new_home, sensor
from tests.rigs.house import CUFF, ILL, WELL
from tests.rigs.residing import BAND, OTHER_BAND, SAM, VERA, all_that_is_noted, living, newest_entry


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return new_home(tmp_path)


def listed(config: Config) -> dict[str, Resident]:
    """Who is listed, as whoever reads beside the hub finds it."""
    with closing(open_for_reading(config.hub.data_directory / FILE_NAME)) as connection:
        return {each.resident.id: each.resident for each in residents_of(config, connection)}


# --- entered


async def test_who_is_entered_is_listed_at_once_and_after_a_restart(config: Config) -> None:
    async with living(config) as home:
        added = await home.household.add({**VERA, "wristband": "band-0001"}, SAM)
        pseudonym = added.resident.id
        assert home.register.resident(pseudonym) == added.resident
        assert home.register.wearing(BAND) == added.resident
        assert [each.resident.id for each in home.household.all] == [ILL, WELL, pseudonym]
    async with living(config) as home:
        assert home.household.find(pseudonym) == added
        assert home.register.wearing(BAND) == added.resident
    assert listed(config)[pseudonym] == added.resident
    assert (added.entered_by, added.care, added.resident.birth_year) == (SAM, Care(), 1938)
    assert listed(config).keys() == {ILL, WELL, pseudonym}


async def test_a_pseudonym_that_the_hub_makes_is_another_each_time_and_says_nothing(config: Config) -> None:
    async with living(config) as home:
        made = [(await home.household.add({**VERA, "name": f"Vera {n}"}, SAM)).resident.id for n in range(5)]
    assert len(set(made)) == 5
    assert all(re.fullmatch(r"R-[0-9]{6}", each) for each in made)


async def test_a_sensor_may_be_enrolled_for_who_was_entered_and_is_theirs_after_a_restart(
    config: Config,
) -> None:
    async with living(config) as home:
        added = await home.household.add({**VERA, "id": "R-0500"}, SAM)
        await home.enrolment.add(sensor(resident="R-0500"), SAM)
        assert home.register.owner_of(NEW) == added.resident
    async with living(config) as home:
        assert home.register.owner_of(NEW) == added.resident
        assert home.enrolment.all[-1].trouble is None


async def test_what_was_measured_before_they_were_entered_is_not_theirs(config: Config) -> None:
    begun = now()
    async with living(config) as home:
        await home.household.add({**VERA, "id": "R-0500"}, SAM)
        await home.enrolment.add(sensor(resident="R-0500"), SAM)
        since = home.register.theirs_since(NEW)
    assert since is not None
    assert begun <= since <= now()


@pytest.mark.parametrize("given", [{**VERA, "id": ILL}, {**VERA, "id": "R-0500"}])
async def test_a_pseudonym_is_of_one(config: Config, given: dict[str, str]) -> None:
    async with living(config) as home:
        await home.household.add({**VERA, "id": "R-0500"}, SAM)
        with pytest.raises(ResidentError, match="listed already"):
            await home.household.add(given, SAM)


async def test_a_pseudonym_by_which_something_is_kept_is_given_to_nobody_else(config: Config) -> None:
    """Else a stranger's scores would be theirs."""
    without = config.model_copy(update={"residents": config.residents[:1], "sensors": ()})
    async with living(config) as home:
        await home.household.care(WELL, {"normals": {"pulse_rate": {"lowest": 45, "highest": 60}}}, SAM)
    async with living(without) as home:
        with pytest.raises(ResidentError, match="was somebody's here before"):
            await home.household.add({**VERA, "id": WELL}, SAM)
        assert home.register.find(WELL) is None
        added = await home.household.add({**VERA, "id": WELL}, SAM, same_person=True)
        assert Vital.PULSE_RATE in added.care.normals, "what was known of them goes on"


@pytest.mark.parametrize("by", ["", "  ", "x" * 201, "two\nlines"])
async def test_somebody_must_say_who_does_it(config: Config, by: str) -> None:
    async with living(config) as home:
        with pytest.raises(ResidentError, match="--by"):
            await home.household.add(VERA, by)
        with pytest.raises(ResidentError, match="--by"):
            await home.household.care(ILL, {"consent": "withdrawn"}, by)
        assert home.register.watched == config.residents


async def test_in_a_home_of_one_person_nobody_is_added(config: Config) -> None:
    alone = config.model_copy(
        update={
            "residents": config.residents[:1],
            "sensors": (),
            "site": config.site.model_copy(update={"one_person": True}),
        }
    )
    async with living(alone) as home:
        with pytest.raises(ResidentError, match=r"site\.one_person = true"):
            await home.household.add(VERA, SAM)
        planned = await home.household.take_table("name\nVera Example\n", SAM, dry_run=False)
        assert "site.one_person" in planned.problems[0].words
        assert home.register.alone == config.residents[0]


async def test_who_is_in_the_file_by_now_is_left_to_it_and_what_is_known_of_them_stays(
    config: Config,
) -> None:
    async with living(config) as home:
        await home.household.add({**VERA, "id": "R-0500"}, SAM)
        await home.household.care("R-0500", {"whereabouts": "in hospital"}, SAM)
    named = Resident(id="R-0500", name="Vera of the file", room="14")
    with_her = config.model_copy(update={"residents": (*config.residents, named)})
    async with living(with_her) as home:
        found = home.household.find("R-0500")
        assert (found.resident, found.entered_by) == (named, None)
        assert found.care.whereabouts is Whereabouts.IN_HOSPITAL
        assert home.register.watched == config.residents
    left = newest_entry(config, Audited.RESIDENT_OF_THE_FILE)
    assert left is not None
    assert left.detail == {"resident": "R-0500"}
    assert "R-0500" not in listed(config), "taken out of the file again, they do not come back as they were"


# --- changed


async def test_who_was_entered_is_changed_at_once_and_for_good(config: Config) -> None:
    async with living(config) as home:
        await home.household.add({**VERA, "id": "R-0500", "wristband": BAND}, SAM)
        fields = {"room": "14", "wristband": OTHER_BAND, "oxygen_scale": "2",
                  "oxygen_scale_prescriber": "Dr Ash"}  # fmt: skip
        after, changed = await home.household.change("R-0500", fields, SAM)
        assert changed == ["room", "oxygen_scale", "oxygen_scale_prescriber", "wristband"]
        assert home.register.resident("R-0500") == after.resident
        assert home.register.wearing(OTHER_BAND) == after.resident
        assert home.register.wearing(BAND) is None
        assert await home.household.change("R-0500", fields, SAM) == (after, []), "nothing differs"
    async with living(config) as home:
        assert home.household.find("R-0500") == after
    assert (after.resident.name, after.resident.oxygen_scale) == ("Vera Example", OxygenScale.SCALE_2)


async def test_who_is_in_the_configuration_is_changed_there(config: Config) -> None:
    async with living(config) as home:
        with pytest.raises(ResidentError, match=r"\[\[residents\]\]"):
            await home.household.change(ILL, {"room": "14"}, SAM)
        with pytest.raises(UnknownResidentError):
            await home.household.change("R-9", {"room": "14"}, SAM)
        assert home.register.residents == config.residents


async def test_a_code_is_of_one_who_is_here(config: Config) -> None:
    async with living(config) as home:
        await home.household.add({**VERA, "id": "R-0500", "wristband": BAND}, SAM)
        with pytest.raises(ResidentError, match="R-0500 has the same code") as refused:
            await home.household.add({"name": "Another", "wristband": "band-0001"}, SAM)
        assert BAND not in str(refused.value).upper()
        await home.household.care("R-0500", {"whereabouts": "moved"}, SAM)
        other = await home.household.add({"name": "Another", "wristband": BAND}, SAM)
        assert home.register.wearing(BAND) == other.resident
        with pytest.raises(ResidentError, match="has the same code"):
            await home.household.care("R-0500", {"whereabouts": "here"}, SAM)
        assert home.register.wearing(BAND) == other.resident


async def test_the_file_and_the_card_may_have_one_code_and_then_it_is_nobodys(config: Config) -> None:
    async with living(config) as home:
        await home.household.add({**VERA, "id": "R-0500", "wristband": BAND}, SAM)
    first, *others = config.residents
    banded = first.model_copy(update={"wristband": BAND})
    async with living(config.model_copy(update={"residents": (banded, *others)})) as home:
        assert home.register.wearing(BAND) is None
        for pseudonym in (ILL, "R-0500"):
            assert "have the same code" in str(home.household.find(pseudonym).trouble)
        await home.household.change("R-0500", {"wristband": OTHER_BAND}, SAM)
        assert home.register.wearing(BAND) == banded
        assert [each.trouble for each in home.household.all] == [None] * 3


# --- the card, and the trail


@pytest.fixture
def full_card(monkeypatch: pytest.MonkeyPatch, config: Config) -> Callable[[], None]:
    async def fails(*_arguments: object, **_named: object) -> None:
        raise NotCommittedError(config.hub.data_directory, "nothing was stored: disk full", "full")

    return lambda: monkeypatch.setattr(Writer, "write", fails)


async def test_what_the_card_does_not_take_is_not_so(config: Config, full_card: Callable[[], None]) -> None:
    async with living(config) as home:
        await home.household.add({**VERA, "id": "R-0500", "wristband": BAND}, SAM)
        before = home.household.all
        full_card()
        for attempt in (
            home.household.add({"name": "Another"}, SAM),
            home.household.change("R-0500", {"wristband": OTHER_BAND}, SAM),
            home.household.care(ILL, {"whereabouts": "deceased"}, SAM),
            home.household.take_table("name\nAnother\n", SAM, dry_run=False),
        ):
            with pytest.raises(NotCommittedError):
                await attempt
        assert home.household.all == before
        assert home.register.owner_of(CUFF) == config.residents[0], "they are watched as before"
        assert home.register.wearing(BAND) is not None
        assert home.rounds_closed == []


async def test_the_trail_tells_what_was_changed_and_no_name_room_code_or_plan(config: Config) -> None:
    async with living(config) as home:
        await home.household.add({**VERA, "id": "R-0500", "wristband": BAND}, SAM)
        entered = newest_entry(config, Audited.RESIDENT_ENTERED)
        scale = {"oxygen_scale": "2", "oxygen_scale_prescriber": "Dr Ash", "room": "The Vault"}
        await home.household.change("R-0500", scale, SAM)
        known = {"consent": "withdrawn", "escalation_plan": "a secret plan",
                 "normals": {"pulse_rate": {"lowest": 45, "highest": 60}}}  # fmt: skip
        await home.household.care("R-0500", known, SAM)
    assert entered is not None
    assert entered.detail == {
        "resident": "R-0500",
        "changed": ["name", "room", "birth_year", "wristband"],
        "oxygen_scale": 1,
        "oxygen_scale_prescriber": None,
        "by": SAM,
    }
    changed = newest_entry(config, Audited.RESIDENT_CHANGED)
    assert changed is not None
    assert changed.detail == {
        "resident": "R-0500",
        "changed": ["room", "oxygen_scale", "oxygen_scale_prescriber"],
        "oxygen_scale": 2,
        "oxygen_scale_prescriber": "Dr Ash",
        "by": SAM,
    }
    care = newest_entry(config, Audited.RESIDENT_CARE)
    assert care is not None
    assert care.detail == {
        "resident": "R-0500",
        "changed": ["consent", "escalation_plan", "normals"],
        "consent": "withdrawn",
        "normals": {"pulse_rate": {"lowest": 45, "highest": 60}},
        "by": SAM,
    }
    noted = all_that_is_noted(config)
    for private in ("Vera", "Example", BAND, "Vault", "secret"):
        assert private not in noted


async def test_nothing_of_them_is_in_the_log(config: Config, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with living(config) as home:
            await home.household.add({**VERA, "id": "R-0500", "wristband": BAND}, SAM)
            await home.household.change("R-0500", {"room": "The Vault"}, SAM)
            await home.household.care("R-0500", {"whereabouts": "deceased"}, SAM)
            await home.household.take_table("name,room\nWalter Made-Up,Roof\n", SAM, dry_run=False)
    assert "R-0500" in caplog.text, "the log is looked at"
    for private in ("Vera", BAND, "Vault", "Walter", "Roof", "deceased"):
        assert private not in caplog.text


# --- at once


async def test_two_who_enter_the_same_code_at_once_are_not_both_heard(config: Config) -> None:
    async with living(config) as home:
        both = await asyncio.gather(
            *(home.household.add({"name": name, "wristband": BAND}, SAM) for name in ("One Of", "Two Of")),
            return_exceptions=True,
        )
        assert sum(isinstance(each, ResidentError) for each in both) == 1
        assert home.register.wearing(BAND) is not None


async def test_who_was_not_known_at_a_start_without_room_is_taken_in_later(config: Config) -> None:
    async with living(config) as home:
        await home.household.add({**VERA, "id": "R-0500"}, SAM)
        await home.household.care(ILL, {"whereabouts": "in hospital"}, SAM)
        known = home.household.all
    async with living(config) as home:
        home.register.take_out("R-0500")
        home.register.list_resident(config.residents[0], Care())
        home.household._listed = {}
        await home.household.look_again()
        assert home.household.all == known
        assert home.register.find("R-0500") is not None
        assert home.register.owner_of(CUFF) is None
