"""What is answered about residents over the control socket: for machines, and in words for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub.configuration.file import Config
from hub.control.control_socket import ControlError
from hub.errors import CareportError
from tests.rigs.enrolling import new_home
from tests.rigs.house import ILL, WELL
from tests.rigs.residing import BAND, SAM, VERA, Residing, living


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return new_home(tmp_path)


async def asked(home: Residing, command: str, **arguments: object) -> dict[str, Any]:
    return dict(await home.requests.handlers[command]({"command": command, "by": SAM, **arguments}))


async def test_who_is_entered_is_answered_with_their_pseudonym(config: Config) -> None:
    async with living(config) as home:
        answer = await asked(home, "resident_add", resident={**VERA, "wristband": BAND})
        assert home.register.resident(answer["resident"]).name == "Vera Example"
        assert answer["resident"] in answer["words"]
        chosen = await asked(home, "resident_add", resident={"id": "R-0500", "name": "Another"})
        assert chosen["resident"] == "R-0500"


async def test_a_change_says_what_differs(config: Config) -> None:
    async with living(config) as home:
        await asked(home, "resident_add", resident={**VERA, "id": "R-0500"})
        fields = {"room": "14", "oxygen_scale": 2, "oxygen_scale_prescriber": "Dr Ash"}
        answer = await asked(home, "resident_change", resident="R-0500", fields=fields)
        assert answer["changed"] == ["room", "oxygen_scale", "oxygen_scale_prescriber"]
        assert "From the next observation on they are scored on SpO2 scale 2" in answer["words"]
        again = await asked(home, "resident_change", resident="R-0500", fields=fields)
        assert (again["changed"], again["words"]) == ([], "Nothing was changed: it was so already.")


@pytest.mark.parametrize(
    ("care", "words"),
    [
        ({"whereabouts": "in hospital"}, "Say so as soon as they are back."),
        ({"whereabouts": "deceased"}, "Forget the sensors that are theirs alone"),
        ({"consent": "withdrawn"}, "What was kept until now stays until its time is over."),
    ],
)
async def test_who_leaves_is_answered_with_what_that_means(
    config: Config, care: dict[str, str], words: str
) -> None:
    async with living(config) as home:
        answer = await asked(home, "resident_care", resident=ILL, care=care)
        assert answer["watched"] is False
        assert answer["changed"] == list(care)
        assert "no alert is raised of them" in answer["words"]
        assert words in answer["words"]
        known = await asked(home, "resident_care", resident=ILL, care={"escalation_plan": "Comfort"})
        assert known["care"]["escalation_plan"] == "Comfort"
        assert known["care"]["whereabouts"] == care.get("whereabouts", "here")
        assert "no alert" not in known["words"], "they had left before"


async def test_who_comes_back_is_answered_so(config: Config) -> None:
    async with living(config) as home:
        await asked(home, "resident_care", resident=ILL, care={"whereabouts": "in hospital"})
        answer = await asked(home, "resident_care", resident=ILL, care={"whereabouts": "here"})
        assert (answer["watched"], answer["changed"]) == (True, ["whereabouts"])
        assert "What is measured from now on is theirs" in answer["words"]


async def test_who_is_here_without_consent_is_not_said_to_be_watched(config: Config) -> None:
    async with living(config) as home:
        away = {"whereabouts": "in hospital", "consent": "withdrawn"}
        await asked(home, "resident_care", resident=ILL, care=away)
        answer = await asked(home, "resident_care", resident=ILL, care={"whereabouts": "here"})
        assert answer["watched"] is False
        assert "nothing is taken of them all the same" in answer["words"]


async def test_the_same_person_entered_again_is_still_away(config: Config) -> None:
    without = config.model_copy(update={"residents": config.residents[:1], "sensors": ()})
    async with living(config) as home:
        await asked(home, "resident_care", resident=WELL, care={"whereabouts": "moved"})
    async with living(without) as home:
        answer = await asked(home, "resident_add", resident={**VERA, "id": WELL}, same_person=True)
        assert "nothing is taken of them until you say that they are here" in answer["words"]


async def test_a_table_is_answered_line_by_line(config: Config) -> None:
    table = "id,name,room\n,New One,1\nR-0500,New Two,2\n"
    async with living(config) as home:
        tried = await asked(home, "residents_import", csv=table, dry_run=True)
        assert (tried["added"], tried["changed"], tried["unchanged"], tried["problems"]) == (2, 0, 0, [])
        assert [(row["line"], row["what"], row["resident"], row["name"]) for row in tried["rows"]] == [
            (2, "added", None, "New One"),
            (3, "added", "R-0500", "New Two"),
        ], "a pseudonym that would be made is not one yet"
        assert tried["words"].startswith("2 resident(s) would be entered, 0 would be changed")
        done = await asked(home, "residents_import", csv=table, dry_run=False)
        assert done["words"].startswith("2 resident(s) were entered")
        for row in done["rows"]:
            assert home.register.resident(row["resident"]).name == row["name"]


async def test_a_table_that_is_wrong_is_answered_with_lines(config: Config) -> None:
    async with living(config) as home:
        answer = await asked(home, "residents_import", csv="name,scale\nNew One,1\nNew Two,2\n")
        assert [each["line"] for each in answer["problems"]] == [3]
        assert answer["words"].startswith("Nothing is taken in: 1 problem(s)")
        assert home.register.residents == config.residents


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("resident_add", {}),
        ("resident_add", {"resident": "Vera"}),
        ("resident_add", {"resident": {"name": 5}}),
        ("resident_change", {"fields": {"room": "1"}}),
        ("resident_change", {"resident": "R-9", "fields": {"room": "1"}}),
        ("resident_change", {"resident": ILL, "fields": {"room": "1"}}),
        ("resident_care", {"resident": "R-9", "care": {"consent": "given"}}),
        ("resident_care", {"resident": ILL, "care": {"consent": "maybe"}}),
        ("resident_care", {"resident": ILL}),
        ("residents_import", {"csv": 5}),
    ],
)
async def test_what_cannot_be_done_is_said_and_nothing_is(
    config: Config, command: str, arguments: dict[str, object]
) -> None:
    async with living(config) as home:
        before = home.household.all
        with pytest.raises(CareportError):
            await asked(home, command, **arguments)
        assert home.household.all == before


async def test_nobody_does_anything_without_a_name(config: Config) -> None:
    async with living(config) as home:
        for command, arguments in (
            ("resident_add", {"resident": VERA}),
            ("resident_care", {"resident": ILL, "care": {"consent": "withdrawn"}}),
            ("residents_import", {"csv": "name\nNew One\n"}),
        ):
            with pytest.raises(CareportError, match="--by"):
                await home.requests.handlers[command](arguments)
        with pytest.raises(ControlError, match="missing"):
            await home.requests.handlers["resident_change"]({})
