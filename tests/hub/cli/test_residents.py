"""`carehub residents`."""

from __future__ import annotations

import json

from tests.rigs.hub_process import HubProcess, carehub_here


def test_every_resident_is_listed_with_name_score_and_alert(hub: HubProcess) -> None:
    ended = carehub_here("residents", "--config", hub.config_path)
    assert ended.code == 0
    for expected in ("R-0412", "Edith Quincey", "Rosewood Suite", "NEWS2 at least 3", "shadow", "R-0077"):
        assert expected in ended.output


def test_json_says_the_same(hub: HubProcess) -> None:
    rows = json.loads(carehub_here("residents", "--json", "--config", hub.config_path).output)
    assert [(row["resident"], row["alert"]) for row in rows] == [("R-0412", "raised"), ("R-0077", "")]
