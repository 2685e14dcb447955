"""A table of residents, taken in by a hub that runs: whole, or not at all."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from hub.configuration.file import Config, Resident
from hub.residents.household import residents_of
from hub.store.database import FILE_NAME, open_for_reading
from tests.rigs.enrolling import new_home
from tests.rigs.house import ILL, WELL
from tests.rigs.residing import SAM, living


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return new_home(tmp_path)


def listed(config: Config) -> dict[str, Resident]:
    """Who is listed, as whoever reads beside the hub finds it."""
    with closing(open_for_reading(config.hub.data_directory / FILE_NAME)) as connection:
        return {each.resident.id: each.resident for each in residents_of(config, connection)}


async def test_a_table_is_taken_in_whole_and_the_second_time_changes_nothing(config: Config) -> None:
    table = "name,room,wristband\n" + "".join(f"Person {n},{n},B{n:04}\n" for n in range(200))
    async with living(config) as home:
        tried = await home.household.take_table(table, SAM, dry_run=True)
        assert (len(tried.added), len(tried.problems)) == (200, 0)
        assert len(home.register.residents) == 2, "only tried"
        made = await home.household.take_table(table, SAM, dry_run=False)
        assert len({each.resident.id for each in made.added}) == 200
        assert len(home.register.residents) == 202
        again = await home.household.take_table(
            table.replace("Person 7,7,", "Person 7,7a,"), SAM, dry_run=False
        )
        assert (len(again.added), len(again.unchanged)) == (0, 199)
        assert [(each.line, list(each.fields)) for each in again.changed] == [(9, ["room"])]
        found = home.register.wearing("B0007")
        assert found is not None
        assert found.room == "7a"
    assert len(listed(config)) == 202


async def test_of_a_table_with_a_problem_nothing_is_taken_in(config: Config) -> None:
    async with living(config) as home:
        made = await home.household.take_table(
            "name,year of birth\nVera Example,1938\nWalter Made-Up,38\n", SAM, dry_run=False
        )
        assert [each.line for each in made.problems] == [3]
        assert home.register.residents == config.residents
    assert listed(config).keys() == {ILL, WELL}


async def test_a_table_gives_nobody_the_pseudonym_of_somebody_before(config: Config) -> None:
    without = config.model_copy(update={"residents": config.residents[:1], "sensors": ()})
    async with living(config) as home:
        await home.household.care(WELL, {"reviewed": "2026-01-02"}, SAM)
    async with living(without) as home:
        made = await home.household.take_table(f"id,name\n{WELL},Vera Example\n", SAM, dry_run=False)
        assert [each.line for each in made.problems] == [2]
        assert "was somebody's here before" in made.problems[0].words
        assert home.register.find(WELL) is None
