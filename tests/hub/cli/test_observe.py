"""`carehub observe`."""

from __future__ import annotations

import json
from pathlib import Path

from hub.store.database import open_for_reading
from hub.store.rows import newest_assessment
from tests.rigs.house import write_configuration
from tests.rigs.hub_process import HubProcess, carehub_here


def test_what_was_seen_is_kept_and_the_score_is_told(hub: HubProcess) -> None:
    ended = carehub_here(
        "observe", "R-0077", "--consciousness", "a", "--air", "--respiration", "14", "--config",
        hub.config_path,
    )  # fmt: skip
    assert ended.code == 0
    assert ended.output.startswith("R-0077: kept. NEWS2 at least 0")
    assert "systolic pressure" in ended.output  # what is missing is said
    connection = open_for_reading(hub.database)
    newest = newest_assessment(connection, "R-0077")
    connection.close()
    assert newest is not None
    assert newest.values == {
        "consciousness": "A", "supplemental_oxygen": "air", "respiration_rate": 14,
    }  # fmt: skip


def test_what_was_read_off_a_sensor_is_entered_too(hub: HubProcess) -> None:
    ended = carehub_here(
        "observe", "R-0077", "--pressure", "128/71", "--temperature", "36.7", "--saturation", "97", "--pulse",
        "64", "--config", hub.config_path,
    )  # fmt: skip
    assert ended.code == 0
    assert "systolic pressure" not in ended.output, "it is not missing"
    refused = carehub_here("observe", "R-0077", "--pressure", "71/128", "--config", hub.config_path)
    assert refused.code == 1
    assert "71 over 128 is not possible" in refused.errors


def test_json_names_the_reading(hub: HubProcess) -> None:
    ended = carehub_here("observe", "R-0077", "--oxygen", "--json", "--config", hub.config_path)
    assert ended.code == 0
    kept = {bytes.fromhex(json.loads(ended.output)["reading"].replace("-", ""))}
    assert kept <= {row[0] for row in hub.query("SELECT id FROM reading")}


def test_an_unknown_resident_is_named(hub: HubProcess) -> None:
    ended = carehub_here("observe", "R-9999", "--air", "--config", hub.config_path)
    assert ended.code == 1
    assert "R-9999" in ended.errors


def test_an_impossible_rate_is_refused_with_what_is_allowed(hub: HubProcess) -> None:
    ended = carehub_here("observe", "R-0077", "--respiration", "160", "--config", hub.config_path)
    assert ended.code == 1
    assert "160 is not possible; allowed are 1 to 80" in ended.errors


def test_nothing_entered_is_said(hub: HubProcess) -> None:
    ended = carehub_here("observe", "R-0077", "--config", hub.config_path)
    assert ended.code == 1
    assert "nothing was entered" in ended.errors


def test_a_consciousness_that_there_is_not_is_the_users_mistake(hub: HubProcess) -> None:
    ended = carehub_here("observe", "R-0077", "--consciousness", "X", "--config", hub.config_path)
    assert ended.code == 2
    assert "'a', 'c', 'v', 'p', 'u'" in ended.errors.lower()


def test_a_hub_that_is_not_running_is_said_to_be_so(tmp_path: Path) -> None:
    ended = carehub_here("observe", "R-0077", "--air", "--config", write_configuration(tmp_path))
    assert ended.code == 1
    assert "the hub is not running" in ended.errors
    assert "carehub run" in ended.errors
