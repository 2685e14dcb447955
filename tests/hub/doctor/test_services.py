"""What systemd and nft say, as they said it on a Debian 12 in systemd-nspawn, and what is made of it."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import pytest

from hub.configuration.file import load
from hub.doctor.clock import time_server, timesync
from hub.doctor.findings import Finding, Verdict
from hub.doctor.looking import Subject
from hub.doctor.page import page
from hub.doctor.services import is_starting, of_ruleset, of_units, of_watch, parsed, services
from tests.rigs.house import write_configuration

PASS, WARN, FAIL = Verdict.PASS, Verdict.WARN, Verdict.FAIL
SAID = """\
WatchdogUSec=1min
Result=success
NRestarts=0
Id=carehub.service
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
StateChangeTimestamp=Mon 2026-11-23 01:08:28 UTC
ActiveEnterTimestampMonotonic=1000000

WatchdogUSec=0
Result=exit-code
NRestarts=0
Id=carehub-page.service
LoadState=loaded
ActiveState=failed
SubState=failed
UnitFileState=enabled
StateChangeTimestamp=Mon 2026-11-23 01:08:28 UTC

WatchdogUSec=infinity
Result=success
NRestarts=0
Id=bluetooth.service
LoadState=loaded
ActiveState=inactive
SubState=dead
UnitFileState=enabled
StateChangeTimestamp=

WatchdogUSec=infinity
Result=success
NRestarts=0
Id=systemd-timesyncd.service
LoadState=loaded
ActiveState=inactive
SubState=dead
UnitFileState=enabled
StateChangeTimestamp=
"""
OPEN = (
    '{"nftables": [{"metainfo": {"version": "1.0.6", "release_name": "Lester Gooch #5",'
    ' "json_schema_version": 1}}, {"table": {"family": "inet", "name": "carehub", "handle": 1}}]}'
)
CLOSED = OPEN.replace(
    ' "handle": 1}}]}',
    ' "handle": 1}}, {"chain": {"family": "inet", "table": "carehub", "name": "input", "handle": 1, "type":'
    ' "filter", "hook": "input", "prio": 0, "policy": "drop"}}]}',
)


def found(said: str, *needed: str) -> dict[str, Finding]:
    return {each.part: each for each in of_units(parsed(said), needed)}


def test_a_unit_that_runs_passes_and_one_of_the_hubs_that_does_not_fails_with_what_to_do() -> None:
    said = found(SAID)
    assert said["service carehub"].verdict is PASS
    assert said["service carehub"].words == "active (running) since Mon 2026-11-23 01:08:28 UTC"
    page = said["service carehub-page"]
    assert page.verdict is FAIL
    assert "its last end was exit-code" in page.words
    assert "journalctl -u carehub-page.service" in page.todo


def test_bluetooth_that_does_not_run_fails_a_hub_that_needs_it_and_warns_another() -> None:
    assert found(SAID)["service bluetooth"].verdict is WARN
    assert found(SAID, "bluetooth.service")["service bluetooth"].verdict is FAIL


@pytest.mark.parametrize(
    ("was", "now_is", "words"),
    [
        ("NRestarts=0\nId=carehub.service", "NRestarts=7\nId=carehub.service", "started it anew 7 time(s)"),
        ("UnitFileState=enabled", "UnitFileState=disabled", "it does not start with the machine"),
    ],
)
def test_restarts_and_a_unit_that_is_not_started_with_the_machine_are_warnings(
    was: str, now_is: str, words: str
) -> None:
    finding = found(SAID.replace(was, now_is))["service carehub"]
    assert finding.verdict is WARN
    assert words in finding.words


@pytest.mark.parametrize(
    "state",
    [
        {"ActiveState=active": "ActiveState=activating", "SubState=running": "SubState=auto-restart"},
        {
            "ActiveState=active": "ActiveState=activating",
            "SubState=running": "SubState=start",
            "=1000000": "=0",
        },
        {"=1000000": "=JUST NOW"},
    ],
)
def test_a_hub_that_ends_again_and_again_fails_whatever_it_does_at_the_moment(state: dict[str, str]) -> None:
    said = SAID.replace("NRestarts=0\nId=carehub.service", "NRestarts=3\nId=carehub.service")
    for was, now_is in state.items():
        said = said.replace(was, now_is.replace("JUST NOW", str(int((monotonic() - 20) * 1e6))), 1)
    finding = found(said)["service carehub"]
    assert finding.verdict is FAIL
    assert "systemd has started it anew 3 time(s)" in finding.words
    assert finding.todo == "see 'journalctl -b -u carehub.service' for why it ended"


def test_a_hub_that_was_ended_by_its_watchdog_and_rests_fails_at_once_and_one_that_starts_does_not() -> None:
    ended = SAID.replace("ActiveState=active", "ActiveState=activating")
    rests = ended.replace("running", "auto-restart", 1).replace("Result=success", "Result=watchdog", 1)
    finding = found(rests)["service carehub"]
    assert (finding.verdict, "its last end was watchdog" in finding.words) == (FAIL, True)
    assert is_starting(parsed(rests))
    assert found(ended.replace("running", "start", 1))["service carehub"].verdict is WARN
    assert not is_starting(parsed(SAID))


@pytest.mark.parametrize("unit_file", ["disabled", "linked"])  # linked: its file is the release's
def test_a_page_that_the_site_does_not_want_is_well_and_not_asked(tmp_path: Path, unit_file: str) -> None:
    off = SAID.replace("ActiveState=failed", "ActiveState=inactive").replace(
        "SubState=failed", "SubState=dead"
    )
    unwanted = off.replace(
        "ActiveState=inactive\nSubState=dead\nUnitFileState=enabled",
        f"ActiveState=inactive\nSubState=dead\nUnitFileState={unit_file}",
        1,
    )
    assert found(unwanted)["service carehub-page"].verdict is PASS
    config = load(write_configuration(tmp_path))
    assert page(config, parsed(unwanted)) == []
    # One that is to run, and does not.
    assert found(off)["service carehub-page"].verdict is FAIL
    assert page(config, parsed(off)) != []
    assert page(config, None) != []


def test_a_hub_that_systemd_does_not_know_is_told() -> None:
    finding = found(SAID.replace("LoadState=loaded", "LoadState=not-found"))["service carehub"]
    assert (finding.verdict, finding.words) == (WARN, "systemd knows no carehub.service")


WATCHING = """\
Result=success
Id=carehub-fetch.path
LoadState=loaded
ActiveState=active
SubState=waiting
UnitFileState=enabled
StateChangeTimestamp=Mon 2026-11-23 01:08:28 UTC
"""


@pytest.mark.parametrize(
    ("changes", "verdict", "words", "todo"),
    [
        ({}, PASS, "active (waiting)", ""),
        (
            {"=active": "=failed", "=waiting": "=failed", "=success": "=unit-start-limit-hit"},
            WARN,
            "its last end was unit-start-limit-hit: what the centre asks for is not fetched",
            "'systemctl start carehub-fetch.path'",
        ),
        ({"=active": "=inactive", "=waiting": "=dead"}, WARN, "is not fetched", "systemctl start"),
        ({"=enabled": "=disabled"}, WARN, "does not start with the machine", "systemctl enable"),
        ({"=loaded": "=not-found", "=active": "=inactive"}, WARN, "knows no carehub-fetch.path", "provision"),
    ],
)
def test_where_the_site_allows_it_that_which_fetches_what_the_centre_asks_for_is_looked_at(
    tmp_path: Path, changes: dict[str, str], verdict: Verdict, words: str, todo: str
) -> None:
    said = WATCHING
    for was, now_is in changes.items():
        said = said.replace(was, now_is)
    (finding,) = of_watch(parsed(said), wanted=True)
    assert (finding.part, finding.verdict) == ("service carehub-fetch.path", verdict)
    assert words in finding.words
    assert todo in finding.todo
    allows = '[update]\nfrom_centre = true\nsource = "https://releases.ics.example/careport"\n'
    for more, parts in (("", 0), (allows, 1)):
        subject = Subject(load(write_configuration(tmp_path, more)), root=tmp_path)
        found = services(subject, parsed(f"{SAID}\n{said}"))
        assert sum(each.part == finding.part for each in found) == parts


def test_a_firewall_is_a_chain_that_drops_what_comes_in() -> None:
    assert of_ruleset(CLOSED).verdict is PASS
    for said in (OPEN, CLOSED.replace('"policy": "drop"', '"policy": "accept"'), "no JSON"):
        assert of_ruleset(said).verdict is WARN


def test_a_time_server_that_has_answered_is_told_from_one_that_has_not() -> None:
    # systemd 252, timedatectl show-timesync
    said = "SystemNTPServers=\nServerName=0.debian.pool.ntp.org\nServerAddress=192.0.2.7\n"
    assert timesync(said) == ("0.debian.pool.ntp.org (192.0.2.7)", False)
    assert timesync(f"{said}NTPMessage={{ Leap=0, Version=4, Stratum=2 }}\n") == (
        "0.debian.pool.ntp.org (192.0.2.7)",
        True,
    )
    assert timesync("") is None


def test_a_time_service_that_does_not_run_is_not_asked_since_d_bus_would_try_to_start_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tmp_path / "asked"
    program = tmp_path / "timedatectl"
    program.write_text(f"#!/bin/sh\n: >{asked}\necho ServerName=ntp.example\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    subject = Subject(load(write_configuration(tmp_path)), root=tmp_path)
    (finding,) = time_server(subject, parsed(SAID))
    assert finding.words.startswith("systemd-timesyncd does not say who sets it")
    assert not asked.exists()
    runs = SAID.rpartition("ActiveState=inactive")[0] + "ActiveState=active\n"
    (finding,) = time_server(subject, parsed(runs))
    assert finding.words.startswith("ntp.example has not answered yet")
