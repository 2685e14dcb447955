"""`carehub record`."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.recording import parse
from tests.rigs.hub_process import HubProcess, carehub_here


def test_what_was_received_can_be_replayed_and_undecodable_payloads_are_in_it(hub: HubProcess) -> None:
    ended = carehub_here("record", "--since", "1h", "--for", "0s", "--config", hub.config_path)
    assert (ended.code, ended.errors) == (0, "")
    recorded = [parse(line) for line in ended.output.splitlines()]
    kept = hub.query(
        "SELECT s.device, r.payload FROM reading r JOIN source s ON s.number = r.source"
        " WHERE s.origin != 'manual' ORDER BY r.sequence"
    )
    assert [(payload.device, payload.payload) for payload in recorded] == kept
    assert b"\x00\x61" in {payload.payload for payload in recorded}


def test_it_begins_with_now_unless_told_otherwise(hub: HubProcess) -> None:
    assert carehub_here("record", "--for", "0s", "--config", hub.config_path).output == ""


def test_it_writes_a_file(hub: HubProcess, tmp_path: Path) -> None:
    out = tmp_path / "ward.jsonl"
    carehub_here("record", "--out", out, "--since", "1h", "--for", "0s", "--config", hub.config_path)
    assert len(out.read_text().splitlines()) >= 4


def test_a_file_that_cannot_be_written_is_named(hub: HubProcess, tmp_path: Path) -> None:
    ended = carehub_here("record", "--out", tmp_path / "no" / "ward.jsonl", "--config", hub.config_path)
    assert ended.code == 2
    assert "ward.jsonl" in ended.errors


@pytest.mark.parametrize("span", ["soon", "5", "-1h", "999999999999d", "1.5h"])
def test_what_is_no_span_of_time_is_refused_with_what_is(hub: HubProcess, span: str) -> None:
    ended = carehub_here("record", f"--since={span}", "--config", hub.config_path)
    assert ended.code == 2
    assert "write 30s, 15min, 4h or 2d" in ended.errors


def test_the_longest_span_there_is_goes_back_to_the_beginning(hub: HubProcess) -> None:
    assert carehub_here("record", "--since", "99999d", "--for", "0s", "--config", hub.config_path).code == 0
