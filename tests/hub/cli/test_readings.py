"""`carehub readings`."""

from __future__ import annotations

import json
from typing import Any

from tests.rigs.house import OXIMETER, SHARED
from tests.rigs.hub_process import HubProcess, carehub_here


def listed(hub: HubProcess, *options: str) -> list[dict[str, Any]]:
    ended = carehub_here("readings", *options, "--json", "--config", hub.config_path)
    assert ended.code == 0
    rows: list[dict[str, Any]] = json.loads(ended.output)
    return rows


def test_readings_are_listed_as_people_read_them(hub: HubProcess) -> None:
    ended = carehub_here("readings", "--config", hub.config_path)
    assert ended.code == 0
    for expected in ("BP 121/50 mmHg", "SpO2 91 %", "nobody yet", "R-0412"):
        assert expected in ended.output


def test_those_that_wait_for_a_person_can_be_asked_for(hub: HubProcess) -> None:
    assert {row["device"] for row in listed(hub, "--unassigned")} == {SHARED}


def test_those_that_could_not_be_decoded_can_be_asked_for(hub: HubProcess) -> None:
    (row,) = listed(hub, "--problems")
    assert row["device"] == OXIMETER
    assert row["problem"]


def test_one_residents_can_be_asked_for(hub: HubProcess) -> None:
    assert {row["resident"] for row in listed(hub, "--resident", "R-0412")} == {"R-0412"}


def test_no_more_are_listed_than_asked_for(hub: HubProcess) -> None:
    assert len(listed(hub, "--most", "1")) == 1
    assert carehub_here("readings", "--most", "0", "--config", hub.config_path).code == 2


def test_none_are_said_to_be_none(hub: HubProcess) -> None:
    ended = carehub_here("readings", "--unassigned", "--problems", "--config", hub.config_path)
    assert (ended.code, ended.output) == (0, "No such readings.\n")


def test_an_unknown_resident_is_named(hub: HubProcess) -> None:
    ended = carehub_here("readings", "--resident", "R-9999", "--config", hub.config_path)
    assert ended.code == 1
    assert "R-9999" in ended.errors
