"""What systemd and nft say, as they said it on a Debian 12 in systemd-nspawn, and what is made of it."""

from __future__ import annotations

import pytest

from hub.doctor.clock import timesync
from hub.doctor.services import of_ruleset, of_units, parsed
from hub.findings import Finding, Verdict

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


def test_a_hub_that_systemd_does_not_know_is_told() -> None:
    finding = found(SAID.replace("LoadState=loaded", "LoadState=not-found"))["service carehub"]
    assert (finding.verdict, finding.words) == (WARN, "systemd knows no carehub.service")


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
