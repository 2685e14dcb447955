"""The hub as it is shipped: its unit of systemd, its rules for udev, and a user who is not root."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from drivers.virtual.nonin import VirtualNonin
from hub.control.control_socket import ControlError, ask
from tests.vm.guest.scenarios.conftest import Measured
from tests.vm.guest.sockets import Console, Sockets, adapter, opened_by, reader
from tests.vm.guest.stage import systemctl, until

_SHIPPED = Path("/srv/careport/systemd")
_RULES = Path("/etc/udev/rules.d")
_UNITS = Path("/run/systemd/system")
_CONFIGURATION = Path("/etc/carehub/hub.toml")
_CONTROL = Path("/run/carehub/control.sock")
_WITH_VERIFY = 254  # systemd's version

OXIMETER = str(adapter("A9XK2P7Q"))
READER = str(reader("SCAN0001")[0])
WRISTBAND = "WB-00421"

# As the rules say how a reader is given to the hub that they do not name; QEMU's keyboard is none of theirs.
_OUR_READER = (
    'SUBSYSTEM=="input", SUBSYSTEMS=="usb", ATTRS{idVendor}=="0627", ATTRS{idProduct}=="0001",'
    ' ENV{CAREHUB_READER}="1"\n'
)
_DROP_IN = """
[Service]
ExecStart=
ExecStart=/usr/bin/python3 -m hub run --config /etc/carehub/hub.toml
WorkingDirectory=/srv/careport
Environment=PYTHONPATH=/srv/careport:/opt/site PYTHONDONTWRITEBYTECODE=1
"""
_HUB = f"""
[site]
id = "willow-house"
timezone = "Europe/London"
test_data = true
[hub]
id = "hub-1"
[broker]
host = "127.0.0.1"
tls = false
[bluetooth]
radio = "off"
[[residents]]
id = "R-0412"
name = "A. Example"
room = "12"
birth_year = 1938
oxygen_scale = 1
wristband = "{WRISTBAND}"
[[sensors]]
address = "{OXIMETER}"
driver = "nonin_serial"
[[sensors]]
address = "{READER}"
driver = "wristband_reader"
"""


class Service:
    """carehub.service, and what the hub says of itself."""

    def __init__(self) -> None:
        self.said: Mapping[str, Any] = {}

    def start(self, *more: str) -> None:
        """Start it, with more lines for its unit."""
        drop_in = _UNITS / "carehub.service.d" / "guest.conf"
        drop_in.parent.mkdir(parents=True, exist_ok=True)
        drop_in.write_text(_DROP_IN + "".join(f"{line}\n" for line in more))
        systemctl("daemon-reload")
        systemctl("--no-block", "start", "carehub.service")

    @property
    def pid(self) -> int:
        """Its process; 0 where there is none."""
        return int(systemctl("show", "--property=MainPID", "--value", "carehub.service") or 0)

    def sensor(self, address: str) -> Mapping[str, Any]:
        """What it last said of a sensor."""
        return next((each for each in self.said.get("sensors", ()) if each["address"] == address), {})

    async def says(self, condition: Callable[[], object], seconds: float = 240) -> float:
        """Wait until what it says is so; says how many seconds that took."""
        began = monotonic()
        while True:
            try:
                self.said = await asyncio.to_thread(ask, _CONTROL, "status")
            except ControlError as error:
                self.said = {"words": str(error)}
            if condition():
                return monotonic() - began
            assert monotonic() - began < seconds, f"not so after {seconds:g} s: {self.said}"
            await asyncio.sleep(0.1)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """The unit, the configuration and the users, all as they are shipped; the hub does not run yet."""
    subprocess.run(("systemd-sysusers", _SHIPPED / "sysusers.d/carehub.conf"), check=True, timeout=30)
    shutil.copy(_SHIPPED / "carehub.service", _UNITS)
    _CONFIGURATION.parent.mkdir(exist_ok=True)
    _CONFIGURATION.write_text(_HUB)
    made = Service()
    try:
        yield made
    finally:
        systemctl("stop", "carehub.service")
        for rules in _RULES.glob("*carehub*"):
            rules.unlink()
        _take_up_rules()


def _take_up_rules() -> None:
    for command in ("control --reload", "settle"):
        subprocess.run(("udevadm", *command.split()), check=True, timeout=30)


def _may_open(node: Path) -> bool:
    """Whether the user carehub may."""
    script = f"import os; os.open({str(node)!r}, os.O_RDONLY | os.O_NONBLOCK)"
    done = subprocess.run(
        ("setpriv", "--reuid=carehub", "--regid=carehub", "--init-groups", "python3", "-S", "-c", script),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0 or "PermissionError" in done.stderr, done.stderr
    return done.returncode == 0


async def test_the_hub_has_its_devices_without_root_and_no_others(
    sockets: Sockets, service: Service, measured: Measured
) -> None:
    """First without the rules, which is the control; then with them, and all is plugged in anew."""
    line = sockets.line(1)
    plugged = [await sockets.plug(line, "1", "A9XK2P7Q"), sockets.plug_keyboard("2", "SCAN0001")]
    service.start()
    began = monotonic()
    await service.says(
        lambda: service.sensor(OXIMETER).get("trouble") and service.sensor(READER).get("trouble")
    )
    measured(started_after=monotonic() - began)
    for address in (OXIMETER, READER):
        assert "70-carehub-usb.rules" in service.sensor(address)["trouble"]
        assert not service.sensor(address)["connected"]

    version = subprocess.run(("udevadm", "--version"), capture_output=True, text=True, check=True).stdout
    shutil.copy(_SHIPPED / "udev/70-carehub-usb.rules", _RULES)
    (_RULES / "69-carehub-readers.rules").write_text(_OUR_READER)
    if int(re.findall(r"\d+", version)[0]) >= _WITH_VERIFY:
        rules = [str(each) for each in _RULES.glob("*carehub*")]
        done = subprocess.run(("udevadm", "verify", *rules), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    _take_up_rules()
    for name in plugged:
        sockets.pull(name)
    await service.says(lambda: not service.said.get("plugged_in", ["is not said"]))
    began = monotonic()
    await sockets.plug(line, "1", "A9XK2P7Q")
    await service.says(lambda: service.sensor(OXIMETER)["connected"])
    measured(oximeter_opened=monotonic() - began)
    line.play(VirtualNonin(), lambda: "/dev/ttyUSB0" in opened_by(service.pid))
    await service.says(lambda: service.sensor(OXIMETER)["last_payload"])
    measured(first_second_kept=monotonic() - began)
    line.stop()  # that the machine has time to type
    sockets.plug_keyboard("2", "SCAN0001")
    await service.says(lambda: service.sensor(READER)["connected"])
    await sockets.type(f"{WRISTBAND.lower()}\n")
    await service.says(lambda: [each["resident"] for each in service.said["rounds"]["open"]] == ["R-0412"])

    status = Path(f"/proc/{service.pid}/status").read_text()
    assert re.findall(r"^CapEff:\t0*$", status, re.MULTILINE), "it has no capability"
    assert "0" not in re.findall(r"^Uid:\t(.*)$", status, re.MULTILINE)[0].split()
    keyboards = {
        (each.parent / "device/name").read_text().strip(): Path("/dev/input") / each.parent.name
        for each in Path("/sys/class/input").glob("event*/dev")
    }
    may = {name: _may_open(node) for name, node in keyboards.items()}
    measured(may_open=", ".join(name for name, is_open in may.items() if is_open))
    assert {name for name, is_open in may.items() if is_open} == {"QEMU QEMU USB Keyboard"}
    assert len(may) > 1, "there is another keyboard"


async def test_the_hub_is_killed_and_has_the_reader_again(
    sockets: Sockets, service: Service, measured: Measured
) -> None:
    """Meanwhile a reader types on the console; where nobody is there, the kernel keeps it for who comes."""
    shutil.copy(_SHIPPED / "udev/70-carehub-usb.rules", _RULES)
    (_RULES / "69-carehub-readers.rules").write_text(_OUR_READER)
    _take_up_rules()
    sockets.plug_keyboard("2", "SCAN0001")
    service.start()
    await service.says(lambda: service.sensor(READER).get("connected"))
    console = Console()
    console.clear()
    began = monotonic()
    systemctl("kill", "--signal=KILL", "carehub.service")
    await sockets.type("killed\n")
    await until(lambda: console.line() == "killed\n", 5)
    assert console.screen() == "killed"
    console.close()
    await sockets.type("nobody there\n")
    console = Console()
    await sockets.type("next\n")
    await until(lambda: "next" in console.screen(), 5)
    measured(who_comes_next_gets=console.screen().removeprefix("killed "))
    await service.says(lambda: service.sensor(READER).get("connected"))
    measured(taken_again_after=monotonic() - began)
    assert service.said["rounds"]["open"] == []
    await sockets.type(f"{WRISTBAND.lower()}\n")
    await service.says(lambda: service.said["rounds"]["open"])
    await sockets.type(f"{WRISTBAND.lower()}\n")
    assert WRISTBAND.lower() not in console.screen().lower()
    console.close()


async def test_without_netlink_the_hub_says_that_it_hears_of_nothing(
    sockets: Sockets, service: Service, measured: Measured
) -> None:
    """The control of the unit's AF_NETLINK."""
    await sockets.plug(sockets.line(1), "1", "A9XK2P7Q")
    service.start("RestrictAddressFamilies=", "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6")
    await service.says(lambda: service.said.get("usb") and "udev" in service.said["usb"]["words"])
    measured(said=service.said["usb"]["words"])
    assert not service.said["usb"]["usable"]
    assert service.said["plugged_in"] == []
