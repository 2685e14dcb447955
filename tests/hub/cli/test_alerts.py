"""`carehub alerts`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from hub.clock import now
from hub.readings import Consciousness
from hub.store.database import FILE_NAME, open_for_writing
from tests.rigs.broker import free_port
from tests.rigs.house import House, entry, oximeter, write_configuration
from tests.rigs.hub_process import HubProcess, carehub_here


def test_open_alerts_are_listed(hub: HubProcess, alert: str) -> None:
    ended = carehub_here("alerts", "--config", hub.config_path)
    assert ended.code == 0
    assert alert[:8] in ended.output
    assert "3 in one parameter" in ended.output


def test_json_lists_them_whole(hub: HubProcess, alert: str) -> None:
    (row,) = json.loads(carehub_here("alerts", "--json", "--config", hub.config_path).output)
    assert row["alert"].replace("-", "") == alert
    assert row["state"] == "raised"


def test_no_alerts_are_said_to_be_none(tmp_path: Path) -> None:
    config = write_configuration(tmp_path)
    open_for_writing(tmp_path / "data" / FILE_NAME).close()
    assert carehub_here("alerts", "--config", config).output == "No open alerts.\n"
    assert carehub_here("alerts", "--all", "--config", config).output == "No alerts.\n"


def test_show_leads_from_the_alert_to_the_bytes_that_raised_it(hub: HubProcess, alert: str) -> None:
    ended = carehub_here("alerts", "show", alert[:8], "--config", hub.config_path)
    assert ended.code == 0
    payload = oximeter(91, now(), pulse=77).raw.payload.hex()
    for expected in (payload, "C4:F2:17:00:00:02", "SpO2 91 %", "raised", "shadow"):
        assert expected in ended.output
    document = json.loads(
        carehub_here("alerts", "show", alert[:8], "--json", "--config", hub.config_path).output
    )
    assert document["reading"]["payload"] == payload
    assert document["assessment"]["news2"]["total"] == 3
    assert document["history"][0]["what"] == "raised"


def test_show_says_in_plain_text_what_a_person_entered(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.take(entry(now(), consciousness=Consciousness.VOICE, by="Sister K"), "R-0077")
    (raised,) = house.alerts()
    house.connection.close()
    shown = carehub_here("alerts", "show", str(raised.id), "--config", tmp_path / "hub.toml")
    assert shown.code == 0
    assert '"by": "Sister K"' in shown.output


@pytest.mark.parametrize("command", ["show", "acknowledge"])
@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("ffffffff", "no alert has such an id"),
        ("", "at least its first four digits"),
        ("%", "at least its first four digits"),
        ("e---", "at least its first four digits"),
        ("1' OR '1'='1", "at least its first four digits"),
    ],
)
def test_what_names_no_alert_is_refused_and_nothing_is_acknowledged(
    hub: HubProcess, command: str, prefix: str, said: str
) -> None:
    by = ["--by", "x"] if command == "acknowledge" else []
    ended = carehub_here("alerts", command, prefix, *by, "--config", hub.config_path)
    assert ended.code == 1
    assert said in ended.errors
    assert hub.query("SELECT count(*) FROM audit WHERE what = 'alert acknowledged'") == [(0,)]


def test_options_before_the_subcommand_are_refused_and_not_silently_ignored(
    hub: HubProcess, alert: str
) -> None:
    ended = carehub_here("alerts", "--config", hub.config_path, "show", alert)
    assert ended.code == 2
    assert "behind 'show'" in ended.errors


def test_to_acknowledge_one_must_say_who(hub: HubProcess, alert: str) -> None:
    ended = carehub_here("alerts", "acknowledge", alert, "--config", hub.config_path)
    assert ended.code == 2
    assert "--by" in ended.errors
    ended = carehub_here("alerts", "acknowledge", alert, "--by", " ", "--config", hub.config_path)
    assert ended.code == 1
    assert "by whom" in ended.errors


def test_an_acknowledgement_is_recorded_and_a_second_is_told_of_the_first(tmp_path: Path) -> None:
    config = write_configuration(tmp_path, port=free_port())
    hub = HubProcess(config)

    async def begin() -> None:
        await hub.start()
        await hub.feed([oximeter(91, now())])

    asyncio.run(begin())
    (row,) = json.loads(carehub_here("alerts", "--json", "--config", config).output)
    first = carehub_here(
        "alerts", "acknowledge", row["alert"], "--by", "a carer", "--note", "sat her up", "--config", config
    )
    assert first.code == 0
    assert f"{row['alert']}: acknowledged by a carer" in first.output
    second = carehub_here("alerts", "acknowledge", row["alert"][:6], "--by", "another", "--config", config)
    assert second.code == 0
    assert "already acknowledged by a carer" in second.output
    shown = carehub_here("alerts", "show", row["alert"], "--config", config).output
    assert "acknowledged: by a carer, note sat her up, via hub" in shown
    asyncio.run(hub.kill())
    ended = carehub_here("alerts", "acknowledge", row["alert"], "--by", "x", "--config", config)
    assert ended.code == 1
    assert "the hub is not running" in ended.errors
