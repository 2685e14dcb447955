"""`carehub devices`, against a running hub with a virtual radio: what an engineer does on a tired evening."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hub.cli.device_words import list_lines, scan_lines
from hub.clock import now
from hub.store.audit import newest
from hub.store.database import open_for_reading
from hub.trail import Audited
from tests.rigs.broker import free_port
from tests.rigs.devices_command import devices, listed, said, until
from tests.rigs.house import CUFF, ILL, NAMES, WELL, oximeter, write_configuration
from tests.rigs.hub_process import HubProcess, carehub_here

OXIMETER, THERMOMETER, SECOND_CUFF = (f"C4:F2:17:00:01:{last}" for last in ("01", "02", "03"))
STRANGER = "C4:F2:17:00:01:99"
_SENSORS = (("oximeter", "pulse_oximeter", OXIMETER), ("thermometer", "thermometer", THERMOMETER))
_VALUES = {"oximeter": "{ saturation = 97, pulse = 70 }", "thermometer": "{ celsius = 36.5 }"}


def scenario(directory: Path) -> Path:
    """Sensors that have something to tell, again and again, for longer than any test takes."""
    lines = ['title = "A home with new sensors"', "[sensors]"]
    lines += [f'{name} = {{ kind = "{kind}", address = "{address}" }}' for name, kind, address in _SENSORS]
    for second in range(1, 200):
        for name, _, _ in _SENSORS:
            lines += ["[[events]]", f"at = {second / 2}", f'sensor = "{name}"', f"values = {_VALUES[name]}"]
    path = directory / "scenario.toml"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub whose own sensors are not there, and two that nobody has enrolled."""
    directory = tmp_path_factory.mktemp("devices")
    path = write_configuration(directory, port=free_port())
    radio = f'radio = "virtual"\nscenario = "{scenario(directory)}"'
    path.write_text(path.read_text().replace('radio = "off"', radio))
    hub = HubProcess(path)
    asyncio.run(hub.start())
    yield hub
    asyncio.run(hub.kill())
    assert "Traceback" not in hub.log


def seen(hub: HubProcess, address: str) -> dict[str, Any]:
    return next((each for each in said(hub, "scan")["devices"] if each["address"] == address), {})


def owners(hub: HubProcess, address: str) -> set[str | None]:
    rows = hub.query(
        f"SELECT DISTINCT resident FROM reading JOIN source ON number = source WHERE device = '{address}'"
    )
    return {resident for (resident,) in rows}


def test_from_seen_to_collected_to_forgotten_to_another_resident_without_a_restart(hub: HubProcess) -> None:
    until(lambda: seen(hub, OXIMETER))
    found = seen(hub, OXIMETER)
    assert (found["enrolled"], found["services"]) == (False, ["1822"])
    assert [each["driver"] for each in found["suggested"]] == ["pulse_oximeter"]
    assert owners(hub, OXIMETER) == set(), "what is not enrolled is not connected to"

    added = devices(hub, "add", OXIMETER.lower().replace(":", "-"), "--resident", ILL, "--by", "Sam Field")
    assert added.code == 0, added.errors
    assert f"{OXIMETER} is enrolled as pulse_oximeter" in added.output
    assert "those of R-0412 (Edith Quincey, Rosewood Suite)" in added.output
    until(lambda: owners(hub, OXIMETER) == {ILL})
    assert (listed(hub, OXIMETER)["enrolled_by"], seen(hub, OXIMETER)["enrolled"]) == ("Sam Field", True)
    until(lambda: listed(hub, OXIMETER)["last_reading"] is not None)

    again = devices(hub, "add", OXIMETER, "--resident", WELL, "--by", "Sam Field")
    assert again.code == 1
    assert f"{OXIMETER}: is enrolled already, for R-0412" in again.errors

    gone = devices(hub, "forget", OXIMETER, "--by", "Pat")
    assert gone.code == 0, gone.errors
    assert "stays as it is, R-0412's" in gone.output
    assert listed(hub, OXIMETER) == {}
    before = hub.query("SELECT count(*) FROM reading")
    newest_seen = seen(hub, OXIMETER)["last_seen"]
    until(lambda: seen(hub, OXIMETER)["last_seen"] > newest_seen)
    assert hub.query("SELECT count(*) FROM reading") == before, "it has not been connected to since"

    assert devices(hub, "add", OXIMETER, "--resident", WELL, "--by", "Pat").code == 0
    until(lambda: owners(hub, OXIMETER) == {ILL, WELL})
    assert devices(hub, "forget", OXIMETER, "--by", "Pat").code == 0
    connection = open_for_reading(hub.database)
    entry = newest(connection, Audited.FORGOTTEN)
    connection.close()
    assert entry is not None
    assert (entry.detail["by"], entry.detail["resident"]) == ("Pat", WELL)
    for name in (*NAMES, "Sam Field"):
        assert name not in hub.log


def test_what_arrives_of_a_sensor_that_was_just_forgotten_is_nobodys(hub: HubProcess) -> None:
    """Also what was under way by then, as through the replay socket here."""
    address = "C4:F2:17:00:01:44"

    def feed() -> list[tuple[str | None]]:
        assert asyncio.run(hub.feed([oximeter(97, now(), device=address)])) == 1
        return hub.query(
            "SELECT resident FROM reading JOIN source ON number = source"
            f" WHERE device = '{address}' ORDER BY sequence"
        )

    assert feed() == [(None,)]
    devices(hub, "add", address, "--driver", "pulse_oximeter", "--resident", ILL, "--by", "Sam")
    assert feed() == [(None,), (ILL,)], "what was nobody's before stays so"
    devices(hub, "forget", address, "--by", "Sam")
    assert feed() == [(None,), (ILL,), (None,)]


def test_without_a_resident_it_is_shared_and_that_is_said(hub: HubProcess) -> None:
    until(lambda: seen(hub, THERMOMETER))
    added = devices(hub, "add", THERMOMETER, "--by", "Sam", "--label", "the blue one")
    assert "It is shared: its readings wait until a person says whose they are" in added.output
    until(lambda: owners(hub, THERMOMETER) == {None})
    row = next(line for line in devices(hub, "list").output.splitlines() if THERMOMETER in line)
    assert "shared" in row
    assert "the blue one" in row
    assert "by Sam" in row
    assert devices(hub, "forget", THERMOMETER, "--by", "Sam").code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--resident", "R-9"], "resident R-9: is not listed"),
        (["--driver", "telepathy"], "no driver is named 'telepathy'"),
        (["--passkey", "12345"], '--passkey: give the six digits that the sensor shows, as "012345"'),
        (["--bond", "never", "--passkey", "123456"], "--bond never, yet a passkey is given"),
        (["--user", "1"], "say whose it is as well (--resident)"),
        (["--by", "  "], "say who does this"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_nothing_is_enrolled(
    hub: HubProcess, arguments: list[str], words: str
) -> None:
    ended = devices(hub, "add", STRANGER, "--driver", "thermometer", "--by", "Sam", *arguments)
    assert ended.code == 1
    assert words in ended.errors
    assert len(ended.errors.splitlines()) == 1
    assert "12345" not in ended.errors.replace("012345", "")
    assert listed(hub, STRANGER) == {}


@pytest.mark.parametrize(
    "arguments",
    [
        ["add", "nonsense", "--by", "Sam"],
        ["add", STRANGER],
        ["add", STRANGER, "--by", "Sam", "--user", "all"],
        ["add", STRANGER, "--by", "Sam", "--user", "255"],
        ["add", STRANGER, "--by", "Sam", "--bond", "sometimes"],
        ["forget", STRANGER],
        ["forget", "C4:F2", "--by", "Sam"],
    ],
)
def test_what_is_written_wrong_is_the_users_mistake(hub: HubProcess, arguments: list[str]) -> None:
    ended = devices(hub, *arguments)
    assert ended.code == 2
    assert "Traceback" not in ended.errors


def test_what_was_never_heard_wants_its_driver_named_and_is_then_enrolled_with_a_note(
    hub: HubProcess,
) -> None:
    refused = devices(hub, "add", STRANGER, "--by", "Sam")
    assert refused.code == 1
    assert "has not been heard" in refused.errors
    assert "blood_pressure" in refused.errors
    added = devices(hub, "add", STRANGER, "--driver", "blood_pressure", "--resident", ILL, "--user", "2",
                    "--passkey", "000042", "--by", "Sam")  # fmt: skip
    assert added.code == 0, added.errors
    assert "user 2" in added.output
    assert "note: it has not been heard since the hub started" in added.output
    assert hub.query("SELECT passkey, user FROM enrolled_sensor") == [(42, "2")]
    for command in ("list", "scan"):
        assert "passkey" not in json.dumps(said(hub, command))
    assert devices(hub, "forget", STRANGER, "--by", "Sam").code == 0


@pytest.mark.parametrize(
    ("driver", "words"),
    [
        ("glucose", "raises no alert, however low"),
        ("glucose_and_ketone", "raises no alert, however low"),
        ("weight_scale", "a weight raises no alert"),
        ("bthome", "of the room raises no alert, and the ICS is not told"),
    ],
)
def test_that_no_alert_comes_of_a_sensor_is_said_when_it_is_enrolled(
    hub: HubProcess, driver: str, words: str
) -> None:
    added = devices(hub, "add", STRANGER, "--driver", driver, "--resident", ILL, "--by", "Sam")
    assert words in added.output
    assert devices(hub, "forget", STRANGER, "--by", "Sam").code == 0


def test_a_driver_that_does_not_fit_what_is_advertised_is_asked_about(hub: HubProcess) -> None:
    until(lambda: seen(hub, THERMOMETER))
    added = devices(hub, "add", THERMOMETER, "--driver", "blood_pressure", "--by", "Sam")
    assert "note: is blood_pressure right? It advertises 1809" in added.output
    assert devices(hub, "forget", THERMOMETER, "--by", "Sam").code == 0


def test_one_of_the_configuration_is_changed_there(hub: HubProcess) -> None:
    for arguments in (["add", CUFF, "--resident", WELL], ["forget", CUFF]):
        ended = devices(hub, *arguments, "--by", "Sam")
        assert ended.code == 1
        assert "in the configuration" in ended.errors
    assert listed(hub, CUFF)["resident"] == ILL
    assert "in the configuration" in devices(hub, "list").output


def test_scanning_prints_one_list_where_nobody_watches(hub: HubProcess) -> None:
    until(lambda: seen(hub, OXIMETER))
    ended = devices(hub, "scan", "--for", "1s")
    assert ended.code == 0
    row = next(line for line in ended.output.splitlines() if OXIMETER in line)
    assert "Pulse Oximeter" in row
    assert "dBm" in row
    assert "pulse_oximeter" in row
    assert "To enrol one: carehub devices add ADDRESS" in ended.output


def test_in_a_terminal_the_list_is_live(hub: HubProcess) -> None:
    until(lambda: seen(hub, OXIMETER))
    ours, theirs = pty.openpty()
    arguments = ["devices", "scan", "--for", "1s", "--config", str(hub.config_path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "hub", *arguments], stdout=theirs, env={**os.environ, "TERM": "xterm"}
    )
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # EIO: its last process has ended
        while part := os.read(ours, 65536):
            shown += part
    os.close(ours)
    assert process.wait() == 0
    assert OXIMETER.encode() in shown
    assert b"Ctrl-C ends." in shown


def test_enrolled_by_command_it_is_there_after_a_power_cut(tmp_path: Path) -> None:
    path = write_configuration(tmp_path, port=free_port())

    async def cut() -> None:
        async with HubProcess(path) as hub:
            await asyncio.to_thread(devices, hub, "add", STRANGER, "--driver", "thermometer",
                                    "--resident", ILL, "--by", "Sam")  # fmt: skip
            await hub.kill()
            await hub.start()
            found = await asyncio.to_thread(listed, hub, STRANGER)
            assert found["resident"] == ILL
            output = (await asyncio.to_thread(devices, hub, "list")).output
            assert "Bluetooth is off by configuration" in output
            scan = await asyncio.to_thread(devices, hub, "scan")
            assert (scan.code, scan.output) == (1, "")
            assert 'set bluetooth.radio = "bluez"' in scan.errors

    asyncio.run(cut())


@pytest.mark.parametrize(
    "arguments", [["scan"], ["list"], ["add", STRANGER, "--by", "S"], ["forget", STRANGER, "--by", "S"]]
)
def test_where_the_hub_does_not_run_that_is_said(tmp_path: Path, arguments: list[str]) -> None:
    ended = carehub_here("devices", *arguments, "--config", write_configuration(tmp_path))
    assert ended.code == 1
    assert "the hub is not running" in ended.errors
    assert "carehub run" in ended.errors


# --- words


def near(address: str = STRANGER, **what: object) -> dict[str, Any]:
    return {
        "address": address, "name": None, "offers": [], "services": [], "rssi": -60, "seconds_ago": 1.0,
        "enrolled": False, "resident": None, "driver": None, "suggested": [], **what,
    }  # fmt: skip


def heard(*seen: dict[str, Any], usable: bool = True) -> dict[str, Any]:
    radio = {"usable": usable, "words": "no adapter"}
    return {"radio": radio, "devices": list(seen), "usb": None, "plugged_in": []}


def test_what_may_be_a_sensor_comes_first_and_the_nearest_of_them() -> None:
    cuff = {"suggested": [{"driver": "blood_pressure", "why": ""}]}
    lines = scan_lines(
        heard(
            near("C4:F2:17:00:00:A1", name="a phone", rssi=-30),
            near("C4:F2:17:00:00:A2", **cuff, rssi=-90),
            near("C4:F2:17:00:00:A3", **cuff, rssi=-50),
        ),
        everything=False,
    )
    rows = [line[:17] for line in lines if line.startswith("C4")]
    assert [row[-2:] for row in rows] == ["A3", "A2", "A1"]


def test_what_says_nothing_of_itself_is_counted_and_shown_if_asked_for() -> None:
    said = heard(near(), near("C4:F2:17:00:00:A2"))
    assert "and 2 without a name" in "\n".join(scan_lines(said, everything=False))
    assert STRANGER in "\n".join(scan_lines(said, everything=True))


def test_what_a_device_calls_itself_cannot_command_the_terminal() -> None:
    lines = scan_lines(heard(near(name="\x1b[2J\rcuff\n")), everything=False)
    assert all(line.isprintable() for line in lines)


def test_several_that_may_be_and_none_that_can_are_told_apart() -> None:
    two = near(suggested=[{"driver": "blood_pressure", "why": ""}, {"driver": "beurer_bm85", "why": ""}])
    none = near("C4:F2:17:00:00:A2", name="O2Ring", suggested=[{"driver": None, "why": "not read"}])
    words = "\n".join(scan_lines(heard(two, none), everything=False))
    assert "blood_pressure or beurer_bm85" in words
    assert "nothing that is read" in words


def test_a_radio_that_does_not_work_is_said_first() -> None:
    for lines in (
        scan_lines(heard(usable=False), everything=False),
        list_lines([], {"usable": False, "words": "no adapter"}, None),
    ):
        assert lines[0] == "Bluetooth does not work now: no adapter"
    assert list_lines([], None, None)[0].startswith("Bluetooth is off")


def test_a_radio_that_does_not_work_is_no_silence() -> None:
    assert "Nothing is heard" in "\n".join(scan_lines(heard(), everything=False))
    assert "Nothing is heard" not in "\n".join(scan_lines(heard(usable=False), everything=False))


def test_a_table_has_no_empty_column_and_is_not_as_wide_as_the_longest_label() -> None:
    row = {
        "address": STRANGER, "driver": "thermometer", "resident": None, "user": None, "label": "y" * 500,
        "connected": False, "bonded": None, "last_heard": None, "last_reading": None, "battery": None,
        "firmware": None, "enrolled": "by command", "enrolled_by": "Sam", "trouble": None,
        "kit": None, "plugged_in": None, "last_payload": None,
    }  # fmt: skip
    works = {"usable": True, "words": "scanning"}
    headers, *_, told = list_lines([row], works, None)
    assert "battery" not in headers
    assert len(told) < 120
    headers = list_lines([row | {"battery": 80}], works, None)[0]
    assert "battery" in headers
