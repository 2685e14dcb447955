"""`carehub doctor`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.rigs.house import write_configuration
from tests.rigs.hub_process import HubProcess, carehub_here


def test_it_ends_with_1_where_a_part_fails_and_says_which(tmp_path: Path) -> None:
    ended = carehub_here("doctor", "--config", write_configuration(tmp_path))
    assert ended.code == 1
    assert "fail  daemon: the hub is not running" in ended.output


def test_json_has_a_row_for_each_part(hub: HubProcess) -> None:
    ended = carehub_here("doctor", "--json", "--config", hub.config_path)
    verdicts = {row["part"]: row["verdict"] for row in json.loads(ended.output)}
    assert verdicts["daemon"] == verdicts["database"] == verdicts["disk"] == "pass"
    assert verdicts["link to the ICS"] == verdicts["broker's port"] == "fail"
    assert ended.code == 1
