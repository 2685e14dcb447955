"""`carehub replay`."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from drivers.recording import line_of
from tests.rigs.house import WELL_OXIMETER, oximeter, write_configuration
from tests.rigs.hub_process import HubProcess, carehub_here


def recording(path: Path, begin: datetime, lines: int = 3, *further: str) -> Path:
    readings = [
        oximeter(97, begin + timedelta(seconds=n), device=WELL_OXIMETER, pulse=60 + n) for n in range(lines)
    ]
    path.write_text("\n".join([*(line_of(reading.raw) for reading in readings), *further]) + "\n")
    return path


def kept(hub: HubProcess) -> int:
    return len(
        hub.query(
            f"SELECT 1 FROM reading r JOIN source s ON s.number = r.source WHERE s.device = '{WELL_OXIMETER}'"
        )
    )


def test_a_recording_is_committed_by_the_hub_when_it_returns(
    hub: HubProcess, tmp_path: Path, long_ago: datetime
) -> None:
    before = kept(hub)
    path = recording(tmp_path / "ward.jsonl", long_ago)
    ended = carehub_here("replay", path, "--config", hub.config_path)
    assert (ended.code, ended.output) == (0, "3 payloads are in the hub's database, 0 refused.\n")
    assert kept(hub) == before + 3
    again = carehub_here("replay", path, "--json", "--config", hub.config_path)
    assert json.loads(again.output) == {"accepted": 3, "refused": 0}
    assert kept(hub) == before + 3


def test_restamped_they_count_as_received_now(hub: HubProcess, tmp_path: Path, long_ago: datetime) -> None:
    before = kept(hub)
    path = recording(tmp_path / "ward.jsonl", long_ago + timedelta(days=1))
    options = ("--restamp", "--rate", "200", "--config", hub.config_path)
    assert carehub_here("replay", path, *options).code == 0
    assert carehub_here("replay", path, *options).code == 0
    assert kept(hub) == before + 6


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nonsense", "line 3 is not JSON"),
        ("\ufffd\udcff", "line 3 is not JSON"),
        ('{"device": "C4:F2:17:00:00:12"}', "line 3 needs 'driver'"),
        ('{"device": "C4", "driver": "x", "payload": "zz"}', "line 3 payload: 'zz' is not hexadecimal"),
    ],
)
def test_a_bad_line_is_named_by_its_number_and_what_came_before_it_is_committed(
    hub: HubProcess, tmp_path: Path, long_ago: datetime, line: str, said: str
) -> None:
    before = kept(hub)
    path = recording(tmp_path / "ward.jsonl", long_ago + timedelta(days=2 + len(line)), 2)
    with path.open("ab") as file:
        file.write(line.encode(errors="surrogateescape") + b"\n")
    with path.open("a") as file:
        file.write(line_of(oximeter(97, long_ago, device=WELL_OXIMETER, pulse=99).raw) + "\n")
    ended = carehub_here("replay", path, "--config", hub.config_path)
    assert ended.code == 1
    assert said in ended.errors
    assert "the 2 before it, and nothing behind it" in ended.errors
    assert kept(hub) == before + 2


def test_a_recording_that_is_not_there_is_named(hub: HubProcess, tmp_path: Path) -> None:
    ended = carehub_here("replay", tmp_path / "no.jsonl", "--config", hub.config_path)
    assert ended.code == 2
    assert "no.jsonl" in ended.errors


def test_a_hub_that_is_not_running_is_said_to_be_so(tmp_path: Path, noon: datetime) -> None:
    path = recording(tmp_path / "ward.jsonl", noon)
    ended = carehub_here("replay", path, "--config", write_configuration(tmp_path))
    assert ended.code == 1
    assert "no hub takes recordings there" in ended.errors


def test_a_socket_whose_path_is_too_long_is_refused_in_words(tmp_path: Path, noon: datetime) -> None:
    path = recording(tmp_path / "ward.jsonl", noon)
    ended = carehub_here("replay", path, "--socket", tmp_path / ("x" * 120))
    assert ended.code == 1
    assert "path too long" in ended.errors


def test_a_hub_that_takes_no_recordings_is_said_to_be_so(tmp_path: Path, noon: datetime) -> None:
    config = write_configuration(tmp_path)
    config.write_text(config.read_text().replace("[replay]\nsocket", "[replay]\n# socket"))
    ended = carehub_here("replay", recording(tmp_path / "ward.jsonl", noon), "--config", config)
    assert ended.code == 1
    assert "has no replay.socket" in ended.errors


@pytest.mark.parametrize("option", ["--rate=0", "--rate=-1", "--speed=0", "--speed=fast"])
def test_a_pace_that_is_none_is_the_users_mistake(tmp_path: Path, noon: datetime, option: str) -> None:
    ended = carehub_here("replay", recording(tmp_path / "ward.jsonl", noon), option)
    assert ended.code == 2
    assert option.partition("=")[0] in ended.errors
