"""`carehub residents`."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from hub.clock import now
from tests.rigs.house import House
from tests.rigs.hub_process import HubProcess, carehub_here
from tests.rigs.straps import STRAPS, regular, saying, worn


def test_every_resident_is_listed_with_name_score_and_alert(hub: HubProcess) -> None:
    ended = carehub_here("residents", "--config", hub.config_path)
    assert ended.code == 0
    for expected in ("R-0412", "Edith Quincey", "Rosewood Suite", "NEWS2 at least 3", "shadow", "R-0077"):
        assert expected in ended.output


def test_json_says_the_same(hub: HubProcess) -> None:
    rows = json.loads(carehub_here("residents", "--json", "--config", hub.config_path).output)
    assert [(row["resident"], row["alert"]) for row in rows] == [("R-0412", "raised"), ("R-0077", "")]


def test_what_was_found_of_a_rhythm_in_the_last_day_is_said_with_what_it_is(tmp_path: Path) -> None:
    house = House(tmp_path, STRAPS, rhythm=saying(0.9))
    at = now()
    for since in (at - timedelta(days=2), at - timedelta(hours=1)):
        for reading in worn(regular(480), since):
            house.take(reading)
        house.end_streams()
    house.connection.close()
    ended = carehub_here("residents", "--json", "--config", tmp_path / "hub.toml")
    assert [row["rhythm"] for row in json.loads(ended.output)] == [
        "irregular pulse: consider an ECG (8 of 8 good windows irregular) (shadow)",
        "",
    ]
