"""`carehub devices` and what is plugged in: against a running hub with virtual sockets, and in words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from hub.cli.device_words import list_lines, scan_lines
from tests.rigs.broker import free_port
from tests.rigs.devices_command import devices, listed, said, until
from tests.rigs.house import ILL, NAMES, write_configuration
from tests.rigs.hub_process import Ended, HubProcess, carehub_here

OXIMETER = "USB:10C4:EA60@PLATFORM-VIRTUAL-USB-0:1.1"
READER = "USB:0C2E:0B61:15279B4C2D"
_SCENARIO = """
title = "A bedside"
[devices.oximeter]
kind = "contec_cms50"
usb = "10c4:ea60"
port = "platform-virtual-usb-0:1.1"
manufacturer = "Silicon Labs"
name = "CP2102 USB to UART Bridge Controller"
[devices.reader]
kind = "wristband_reader"
usb = "0c2e:0b61"
port = "platform-virtual-usb-0:1.3"
serial = "15279B4C2D"
manufacturer = "Honeywell"
name = "Voyager 1450g"
[[events]]
at = 0
device = "oximeter"
do = "plug in"
[[events]]
at = 0
device = "reader"
do = "plug in"
[[events]]
at = 0.1
device = "oximeter"
values = { saturation = 97, pulse = 70 }
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub with Bluetooth off, and an oximeter and a reader in its sockets that nobody has enrolled."""
    directory = tmp_path_factory.mktemp("sockets")
    scenario = directory / "plugged_in.toml"
    scenario.write_text(_SCENARIO)
    usb = f'[usb]\nports = "virtual"\nscenario = "{scenario}"\n'
    hub = HubProcess(write_configuration(directory, port=free_port(), usb=usb))
    asyncio.run(hub.start())
    yield hub
    asyncio.run(hub.kill())
    assert "Traceback" not in hub.log
    for name in NAMES:
        assert name not in hub.log


def row_of(ended: Ended, address: str) -> str:
    assert ended.code == 0, ended.errors
    return next(line for line in ended.output.splitlines() if address in line)


def test_from_plugged_in_to_collected_to_forgotten_without_a_restart(hub: HubProcess) -> None:
    until(lambda: len(said(hub, "scan")["plugged_in"]) == 2)
    shown = devices(hub, "scan")
    assert "Plugged in:" in shown.output
    assert "Silicon Labs CP2102 USB to" in row_of(shown, OXIMETER)
    assert "contec_cms50 or contec_cms50_classic?" in row_of(shown, OXIMETER)
    assert "Honeywell Voyager 1450g" in row_of(shown, READER)
    assert row_of(shown, READER).endswith("wristband_reader")
    assert "Bluetooth is off by configuration" in shown.output
    assert "To enrol one: carehub devices add ADDRESS" in shown.output

    refused = devices(hub, "add", OXIMETER, "--resident", ILL, "--by", "Sam Field")
    assert refused.code == 1
    assert "may be another thing as well" in refused.errors
    added = devices(
        hub, "add", OXIMETER.lower(), "--resident", ILL, "--driver", "contec_cms50", "--by", "Sam"
    )
    assert added.code == 0, added.errors
    assert f"{OXIMETER} is enrolled as contec_cms50" in added.output
    assert "those of R-0412 (Edith Quincey, Rosewood Suite)" in added.output
    assert "note: it is known by its socket only" in added.output
    until(lambda: listed(hub, OXIMETER)["connected"] and listed(hub, OXIMETER)["last_payload"])
    shown = devices(hub, "list")
    assert "connected" in row_of(shown, OXIMETER)
    assert "R-0412 (Edith Quincey" in row_of(shown, OXIMETER)

    examined = carehub_here("doctor", "--config", hub.config_path).output
    assert "pass  USB: virtual by configuration; listening to what is plugged in; 2 device(s)" in examined
    assert f"sensor {OXIMETER}: contec_cms50: " in examined
    assert "never heard" not in next(line for line in examined.splitlines() if OXIMETER in line)

    gone = devices(hub, "forget", OXIMETER, "--by", "Pat")
    assert gone.code == 0, gone.errors
    assert listed(hub, OXIMETER) == {}


def test_a_reader_is_enrolled_for_a_kit_and_is_nobodys(hub: HubProcess) -> None:
    until(lambda: len(said(hub, "scan")["plugged_in"]) == 2)
    refused = devices(hub, "add", READER, "--resident", ILL, "--by", "Sam")
    assert (refused.code, "nobody's own" in refused.errors) == (1, True)
    added = devices(hub, "add", READER, "--kit", "ward-a", "--by", "Sam")
    assert added.code == 0, added.errors
    assert "note: no shared sensor of the kit ward-a is enrolled yet" in added.output
    assert "note: no resident has a wristband in the configuration" in added.output
    until(lambda: listed(hub, READER)["connected"])
    row = row_of(devices(hub, "list"), READER)
    for words in ("whoever is scanned", "ward-a", "connected", "no scan yet"):
        assert words in row
    assert devices(hub, "forget", READER, "--by", "Sam").code == 0


@pytest.mark.parametrize("address", ["USB:10C4", "USB:10C4:EA60@A B", "USB:10C4:EA60:"])
def test_what_is_no_address_is_the_users_mistake_and_both_ways_are_shown(
    hub: HubProcess, address: str
) -> None:
    ended = devices(hub, "add", address, "--by", "Sam")
    assert ended.code == 2
    assert '"C4:F2:17:00:00:01"' in ended.errors
    assert "USB:0403:6001:A9XK2P7Q" in ended.errors


# --- words


def plugged(address: str = READER, **what: object) -> dict[str, Any]:
    return {
        "address": address, "by_socket": OXIMETER, "socket": "1.3", "manufacturer": "Honeywell",
        "name": "1450g", "kind": "keyboard", "node": "/dev/input/event3", "may_open": True, "certain": True,
        "seconds_ago": 3.0, "enrolled": False, "enrolled_as": None, "resident": None, "driver": None,
        "suggested": [], **what,
    }  # fmt: skip


def there(*seen: dict[str, Any], usable: bool = True) -> dict[str, Any]:
    usb = {"usable": usable, "words": "udev does not run"}
    return {"radio": None, "devices": [], "usb": usb, "plugged_in": list(seen)}


def enrolled(address: str, **what: object) -> dict[str, Any]:
    return {
        "address": address, "driver": "contec_cms50", "resident": None, "user": None, "label": "",
        "kit": None, "connected": False, "plugged_in": None, "bonded": None, "last_heard": None,
        "last_payload": None, "last_reading": None, "battery": None, "firmware": None,
        "enrolled": "by command", "enrolled_by": "Sam", "trouble": None, **what,
    }  # fmt: skip


WORKS = {"usable": True, "words": "scanning"}


def test_what_is_not_enrolled_comes_first() -> None:
    mine: dict[str, Any] = {
        "enrolled": True,
        "enrolled_as": READER,
        "resident": ILL,
        "driver": "contec_cms50",
    }
    lines = scan_lines(there(plugged(**mine), plugged(OXIMETER)), everything=False)
    rows = [line.split()[0] for line in lines if line.startswith("USB:")]
    assert rows == [OXIMETER, READER]
    assert f"{ILL}, contec_cms50" in "\n".join(lines)


def test_one_that_is_enrolled_by_its_other_name_says_by_which() -> None:
    mine: dict[str, Any] = {
        "enrolled": True,
        "enrolled_as": OXIMETER,
        "resident": ILL,
        "driver": "contec_cms50",
    }
    (row,) = [
        line for line in scan_lines(there(plugged(**mine)), everything=False) if line.startswith("USB:")
    ]
    assert f"(as {OXIMETER})" in row


def test_a_doubt_has_a_question_mark_and_what_nothing_reads_says_so() -> None:
    may_be = [{"driver": "nonin_serial", "why": ""}]
    lines = "\n".join(
        scan_lines(
            there(
                plugged("USB:0403:6001:A", suggested=may_be, certain=False),
                plugged("USB:10C4:85A7:B", suggested=[{"driver": None, "why": "x"}]),
            ),
            everything=False,
        )
    )
    assert "nonin_serial?" in lines
    assert "nothing that is read" in lines
    assert "nothing that is read?" not in lines


def test_what_may_not_be_opened_is_said() -> None:
    lines = scan_lines(there(plugged(may_open=False)), everything=False)
    assert f"{READER}: the hub may not open it: 'carehub doctor' says what to do" in lines


def test_what_a_device_on_usb_calls_itself_cannot_command_the_terminal() -> None:
    lines = scan_lines(there(plugged(name="\x1b[2J\rcuff\n", manufacturer="\x9b")), everything=False)
    assert all(line.isprintable() for line in lines)


def test_nothing_plugged_in_and_usb_that_does_not_work_are_told_apart() -> None:
    assert "Nothing is plugged in" in "\n".join(scan_lines(there(), everything=False))
    lines = "\n".join(scan_lines(there(usable=False), everything=False))
    assert "USB does not work now: udev does not run" in lines
    assert "Nothing is plugged in" not in lines


@pytest.mark.parametrize(
    ("rows", "radio", "usb", "off"),
    [
        ([enrolled("C4:F2:17:00:00:01")], WORKS, None, []),
        ([enrolled("C4:F2:17:00:00:01")], None, WORKS, ["Bluetooth"]),
        ([enrolled(OXIMETER)], None, WORKS, []),
        ([enrolled(OXIMETER)], WORKS, None, ["USB"]),
        ([enrolled(OXIMETER)], None, None, ["Bluetooth", "USB"]),
        ([], None, None, ["Bluetooth", "USB"]),
    ],
)
def test_what_is_off_is_said_where_something_would_be_collected_by_it(
    rows: list[dict[str, Any]], radio: dict[str, Any] | None, usb: dict[str, Any] | None, off: list[str]
) -> None:
    lines = list_lines(rows, radio, usb)
    assert [line.split()[0] for line in lines if "is off by configuration" in line] == off


def test_usb_that_does_not_work_is_said_where_something_on_it_is_enrolled() -> None:
    fails = {"usable": False, "words": "udev does not run"}
    assert "USB does not work now: udev does not run" in list_lines([enrolled(OXIMETER)], None, fails)
    assert not any("USB" in line for line in list_lines([enrolled("C4:F2:17:00:00:01")], WORKS, fails))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"connected": True, "plugged_in": True}, "connected"),
        ({"plugged_in": True}, "plugged in"),
        ({"plugged_in": False}, "not plugged in"),
        ({"driver": "wristband_reader", "last_payload": "2026-03-01T12:00:00+00:00"}, "scan "),
        ({"driver": "wristband_reader"}, "no scan yet"),
    ],
)
def test_how_a_device_is_has_a_word(said: dict[str, Any], words: str) -> None:
    assert words in list_lines([enrolled(OXIMETER, **said)], None, WORKS)[-1]
