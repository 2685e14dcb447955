"""`carehub residents add`, `change`, `care` and `import`, against a running hub."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.clock import now
from tests.rigs.broker import free_port
from tests.rigs.house import ILL, WELL, cuff, write_configuration
from tests.rigs.hub_process import Ended, HubProcess, carehub_here

SAM = ("--by", "Sam Field")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub with an open alert of R-0412."""
    hub = HubProcess(write_configuration(tmp_path_factory.mktemp("residents"), port=free_port()))

    async def begin() -> None:
        await hub.start()
        await hub.feed([cuff(70, now())])

    asyncio.run(begin())
    yield hub
    asyncio.run(hub.kill())
    assert "Traceback" not in hub.log
    for private in ("Vera", "Example", "Walter", "SECRET-1"):
        assert private not in hub.log


def residents(hub: HubProcess, *arguments: str | Path) -> Ended:
    first, *others = arguments
    return carehub_here("residents", first, *others, "--config", hub.config_path)


def listed(hub: HubProcess, *options: str) -> dict[str, dict[str, Any]]:
    rows = json.loads(residents(hub, "list", "--json", *options).output)
    return {row["resident"]: row for row in rows}


def test_entered_changed_and_listed(hub: HubProcess) -> None:
    ended = residents(
        hub, "add", "R-0500", "--name", "Vera Example", "--room", "12", "--wristband", "SECRET-1", *SAM
    )
    assert (ended.code, ended.errors) == (0, "")
    assert "R-0500" in ended.output
    assert "SECRET-1" not in ended.output
    assert listed(hub)["R-0500"]["name"] == "Vera Example"
    ended = residents(hub, "change", "R-0500", "--room", "14", *SAM)
    assert ended.output == "Changed: room.\n"
    assert listed(hub)["R-0500"]["room"] == "14"
    ended = residents(hub, "add", "--name", "Another", "--wristband", "secret-1", *SAM)
    assert (ended.code, ended.output) == (1, "")
    assert "R-0500 has the same code" in ended.errors


def test_who_goes_to_hospital_has_no_open_alert_and_nothing_more_is_theirs(hub: HubProcess) -> None:
    assert listed(hub)[ILL]["alert"] == "raised"
    ended = residents(hub, "care", ILL, "--whereabouts", "in hospital", *SAM)
    assert ended.code == 0, ended.errors
    assert "no alert is raised of them" in ended.output
    assert (listed(hub)[ILL]["alert"], listed(hub)[ILL]["is"]) == ("", "in hospital")
    asyncio.run(hub.feed([cuff(69, now())]))
    assert hub.query("SELECT count(*) FROM reading WHERE resident IS NULL")[0][0] == 1
    assert (
        "is not here, or not watched" in carehub_here("devices", "list", "--config", hub.config_path).output
    )
    enrolled = ("devices", "add", "C4:F2:17:00:00:77", "--driver", "thermometer", "--resident", ILL, *SAM)
    assert (
        "note: its resident R-0412 is not here" in carehub_here(*enrolled, "--config", hub.config_path).output
    )
    refused = carehub_here("observe", ILL, "--air", "--by", "Sam", "--config", hub.config_path)
    assert refused.code == 1
    assert "is in hospital" in refused.errors
    assert residents(hub, "care", ILL, "--whereabouts", "here", *SAM).code == 0
    asyncio.run(hub.feed([cuff(68, now())]))
    assert listed(hub)[ILL]["alert"] == "raised"


def test_what_is_normal_is_added_to_what_was_said_and_taken_away_again(hub: HubProcess) -> None:
    for said in ("pulse_rate=45-60", "oxygen-saturation=88-92.5"):
        assert residents(hub, "care", WELL, "--normal", said, *SAM).code == 0
    (body,) = hub.query(f"SELECT body FROM resident_care WHERE resident = '{WELL}'")[0]
    assert json.loads(body)["normals"] == {
        "pulse_rate": {"lowest": 45.0, "highest": 60.0},
        "oxygen_saturation": {"lowest": 88.0, "highest": 92.5},
    }
    residents(hub, "care", WELL, "--normal", "pulse_rate=", *SAM)
    (body,) = hub.query(f"SELECT body FROM resident_care WHERE resident = '{WELL}'")[0]
    assert list(json.loads(body)["normals"]) == ["oxygen_saturation"]


def test_who_has_moved_is_listed_where_all_are(hub: HubProcess) -> None:
    residents(hub, "add", "R-0600", "--name", "Walter Made-Up", *SAM)
    residents(hub, "care", "R-0600", "--whereabouts", "moved", *SAM)
    assert "R-0600" not in listed(hub)
    assert listed(hub, "--all")["R-0600"]["is"] == "moved"


def test_a_table_is_tried_and_taken_in(hub: HubProcess, tmp_path: Path) -> None:
    table = tmp_path / "residents.csv"
    table.write_bytes("Name;Room;Date of birth\r\nZoë Made-Up;21;31/05/1938\r\n".encode("cp1252"))
    tried = residents(hub, "import", table, "--dry-run", *SAM)
    assert tried.output.splitlines()[0] == "line 2: added: Zoë Made-Up, 21"
    assert "Zoë Made-Up" not in [row["name"] for row in listed(hub).values()]
    done = residents(hub, "import", table, *SAM)
    assert (done.code, done.output[:26]) == (0, "1 resident(s) were entered")
    assert "Zoë Made-Up" in [row["name"] for row in listed(hub).values()]
    table.write_text("name,bed,spo2 scale\nWalter Other,3,2\n,4,\n")
    wrong = residents(hub, "import", table, *SAM)
    assert wrong.code == 1
    assert [line.partition(":")[0] for line in wrong.output.splitlines()[:2]] == ["line 2", "line 3"]
    assert "Traceback" not in wrong.errors


def test_a_large_table_passes_the_socket(hub: HubProcess, tmp_path: Path) -> None:
    """Of letters that take six bytes each as JSON has them."""
    table = tmp_path / "residents.csv"
    lines = [f"Пользователь Номер {number},Комната {number}" for number in range(600)]
    table.write_text("\n".join(["name,room", *lines]), encoding="utf-8")
    tried = residents(hub, "import", table, "--dry-run", "--json", *SAM)
    assert json.loads(tried.output)["added"] == 600


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "--name", "Vera"), "--by"),
        (("change", "R-0500", *SAM), "say what is to be changed"),
        (("care", "R-0500", *SAM), "say what is known"),
        (("care", "R-0500", "--normal", "pulse", *SAM), "pulse_rate=45-60"),
        (("care", "R-0500", "--normal", "pulse_rate=45-", *SAM), "pulse_rate=45-60"),
        (("care", "R-0500", "--whereabouts", "gone", *SAM), "in hospital"),
        (("import", "nowhere.csv", *SAM), "does not exist"),
    ],
)
def test_a_command_that_is_written_wrong_is_the_users_mistake(
    hub: HubProcess, arguments: tuple[str, ...], words: str
) -> None:
    ended = residents(hub, *arguments)
    assert ended.code == 2
    assert words in ended.errors


def test_an_option_before_the_command_is_not_silently_another(hub: HubProcess) -> None:
    ended = carehub_here("residents", "--config", hub.config_path, "add", "--name", "Vera", *SAM)
    assert ended.code == 2
    assert "give options after 'add'" in ended.errors


def test_what_the_hub_refuses_is_said_in_its_words(hub: HubProcess, tmp_path: Path) -> None:
    for arguments, words in (
        (("change", ILL, "--room", "3", *SAM), "[[residents]]"),
        (("change", "R-9", "--room", "3", *SAM), "R-9: is not listed"),
        (("care", "R-9", "--normal", "pulse_rate=45-60", *SAM), "R-9: is not listed"),
        (("add", "--name", "Vera Two", "--oxygen-scale", "2", *SAM), "prescribed a target of 88 to 92 %"),
    ):
        ended = residents(hub, *arguments)
        assert (ended.code, ended.output) == (1, "")
        assert words in ended.errors
    picture = tmp_path / "picture.csv"
    picture.write_bytes(b"PK\x03\x04\0\0\x81")
    assert "save the table as CSV" in residents(hub, "import", picture, *SAM).errors
