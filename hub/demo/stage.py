"""The stage of the demonstration: a directory, a configuration, and the processes that play."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hub.errors import CareportError

ILL, WELL = "R-0412", "R-0077"
ILL_NAME, WELL_NAME = "Edith Example", "Walter Example"
SHARED_OXIMETER = "USB:10C4:EA60@PLATFORM-VIRTUAL-USB-0:1.1"

_CONFIGURATION = """
[site]
id = "rose-house"
test_data = true

[hub]
id = "demo"
data_directory = "{directory}/data"
control_socket = "{directory}/control.sock"

[broker]
host = "127.0.0.1"
port = {port}
tls = false                  # on this very machine; a real hub's broker speaks TLS
reconnect_least = "200 ms"
reconnect_most = "1 s"

[page]
address = "127.0.0.1"
port = {page}
tls = false                  # on this very machine

[[residents]]                # made up, as everything here
id = "{ill}"
name = "{ill_name}"
room = "12"
birth_year = 1938
[[residents]]
id = "{well}"
name = "{well_name}"
room = "7"
birth_year = 1944
wristband = "W-0077"

[bluetooth]
radio = "virtual"
scenario = "{scenario}"

# The kit for everybody: without a resident. Whose wristband was scanned has it.
[usb]
ports = "virtual"
scenario = "{plugged_in}"
[[sensors]]
address = "{shared_oximeter}"
driver = "contec_cms50"
[[sensors]]
address = "USB:0C2E:0B61:15279B4C2D"
driver = "wristband_reader"

[publish]
reading = true
"""

_SENSOR = """
[[sensors]]
address = "{address}"
driver = "{driver}"
resident = "{resident}"
"""

_SENSORS = {
    "C4:F2:17:00:00:01": ("blood_pressure", ILL),
    "C4:F2:17:00:00:02": ("pulse_oximeter", ILL),
    "C4:F2:17:00:00:03": ("thermometer", ILL),
    "C4:F2:17:00:00:11": ("blood_pressure", WELL),
    "C4:F2:17:00:00:12": ("pulse_oximeter", WELL),
}


class DemoError(CareportError):
    """A part of the demonstration did not play; names it and shows what it said last."""


def write_configuration(directory: Path, port: int, page: int, on_air: Path, plugged_in: Path) -> Path:
    """Write the demonstration's hub.toml and return its path. `port` is the broker's, `page` the staff
    page's; what happens on the radio and on USB is in the two scenarios."""
    text = _CONFIGURATION.format(
        directory=directory,
        port=port,
        page=page,
        scenario=on_air,
        plugged_in=plugged_in,
        shared_oximeter=SHARED_OXIMETER,
        ill=ILL,
        ill_name=ILL_NAME,
        well=WELL,
        well_name=WELL_NAME,
    )
    for address, (driver, resident) in _SENSORS.items():
        text += _SENSOR.format(address=address, driver=driver, resident=resident)
    path = directory / "hub.toml"
    path.write_text(text)
    return path


@asynccontextmanager
async def carehub(directory: Path, name: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A `carehub` process of its own, its log in the directory; stopped in good order at the end."""
    log = directory / f"{name}.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "hub",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            limit=1024 * 1024,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), 10)
            except TimeoutError:
                process.kill()
                await process.wait()


def last_words(directory: Path, name: str) -> str:
    """The end of a process's log."""
    lines = (directory / f"{name}.log").read_text(errors="replace").splitlines()
    return "\n".join(lines[-15:])


async def lines_of(process: asyncio.subprocess.Process) -> AsyncIterator[dict[str, Any]]:
    """The JSON lines that a process prints, until it ends."""
    assert process.stdout is not None
    async for line in process.stdout:
        yield json.loads(line)
