"""The real daemon with virtual sockets: what is plugged in is collected from, and a scan says whose it is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub.running.patience import within
from tests.rigs.broker import until
from tests.rigs.house import ILL, WELL, write_configuration
from tests.rigs.hub_process import HubProcess

METER = "USB:067B:2303@PLATFORM-VIRTUAL-USB-0:1.2"
READER = "USB:0C2E:0B61:15279B4C2D"

_SCENARIO = f"""
title = "A meter on its cable, and two wristbands"
[devices.meter]
kind = "onetouch_ultra_easy"
usb = "067b:2303"
port = "platform-virtual-usb-0:1.2"
[devices.reader]
kind = "wristband_reader"
usb = "0c2e:0b61"
port = "platform-virtual-usb-0:1.3"
serial = "15279B4C2D"
[[events]]
at = 0
device = "meter"
values = {{ milligrams_per_decilitre = 99 }}
[[events]]
at = 0.1
device = "meter"
do = "plug in"
[[events]]
at = 0
device = "reader"
do = "plug in"
[[events]]
at = 3
device = "reader"
scan = "W-OF-{ILL}"
[[events]]
at = 5
device = "reader"
scan = "W-OF-{WELL}"
[[events]]
at = 7
device = "reader"
scan = "W-OF-NOBODY"
"""


def house_with_ports(directory: Path) -> Path:
    scenario = directory / "plugged_in.toml"
    scenario.write_text(_SCENARIO)
    path = write_configuration(
        directory,
        f"""
[[sensors]]
address = "{METER}"
driver = "onetouch_ultra_easy"
resident = "{ILL}"
[[sensors]]
address = "{READER}"
driver = "wristband_reader"
""",
        usb=f'[usb]\nports = "virtual"\nscenario = "{scenario}"\n',
    )
    text = path.read_text()
    for resident in (ILL, WELL):
        text = text.replace(f'id = "{resident}"\n', f'id = "{resident}"\nwristband = "w-of-{resident}"\n')
    path.write_text(text)
    return path


async def test_a_meter_on_a_cable_is_read_and_wristbands_open_and_close_rounds(tmp_path: Path) -> None:
    async with HubProcess(house_with_ports(tmp_path)) as hub:
        open_for = set[str]()
        scans: dict[str, Any] = {}

        async def all_scanned() -> None:
            while not scans.get("unknown_scans"):
                scans.update(asked(await hub.ask("status"), "rounds"))
                open_for.update(each["resident"] for each in scans["open"])
                assert len(scans["open"]) <= 1, "one kit is one resident's"
                await asyncio.sleep(0.05)

        await within(60, all_scanned())
        assert open_for == {ILL, WELL}
        assert scans == {"open": [], "unknown_scans": 1, "damaged_scans": 0}
        await until(lambda: hub.query("SELECT resident FROM reading") == [(ILL,)], 20)
        listed = {each["address"]: each for each in asked(await hub.ask("sensors"), "sensors")}
        assert all(listed[address]["connected"] for address in (METER, READER))
        assert all(listed[address]["trouble"] is None for address in (METER, READER))
        assert "Traceback" not in hub.log
        assert "W-OF" not in hub.log.upper(), "a wristband's code stands in no log"


def asked(answer: Mapping[str, Any], what: str) -> Any:
    return answer[what]
