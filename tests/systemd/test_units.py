"""The units: what they start, in which order, for how long, and what they may not."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from drivers.bluetooth.patience import Patience
from hub.cli import carehub
from hub.configuration.file import Hub
from hub.running.progress import PATIENCE
from tests.systemd.units import SYSTEMD, lines, seconds, setting, settings

HUB, PAGE = "carehub.service", "carehub-page.service"
BOTH = pytest.mark.parametrize("unit", [HUB, PAGE])


def analyzed(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ("systemd-analyze", *map(str, arguments)), capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A root in which the units are where provisioning has them, and what they start is there."""
    units = tmp_path / "etc/systemd/system"
    units.mkdir(parents=True)
    for unit in (HUB, PAGE):
        (units / unit).symlink_to(SYSTEMD / unit)
        started = setting(unit, "ExecStart").split()[0].lstrip("/")
        program = tmp_path / started
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    return tmp_path


# --- what systemd itself says of them


@BOTH
def test_its_exposure_is_two_at_the_most(unit: str) -> None:
    said = analyzed("security", "--offline=yes", "--no-pager", SYSTEMD / unit)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said.stdout)
    assert found is not None, said.stdout + said.stderr
    assert float(found[1]) <= 2.0


def test_a_unit_without_a_sandbox_is_above_that(tmp_path: Path) -> None:
    """The measure measures."""
    (tmp_path / HUB).write_text("[Service]\nExecStart=/bin/true\n")
    said = analyzed("security", "--offline=yes", "--no-pager", tmp_path / HUB)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said.stdout)
    assert found is not None
    assert float(found[1]) > 9


NEW_IN_254 = re.compile(r"Unknown key '(RestartSteps|RestartMaxDelaySec)' in section \[Service\], ignoring")


def faults(root: Path, unit: str) -> list[str]:
    """What `verify` finds, but for two keys that Bookworm's systemd (252) does not know yet."""
    said = analyzed("verify", "--recursive-errors=no", f"--root={root}", unit)
    return [line for line in said.stderr.splitlines() if not NEW_IN_254.search(line)]


@BOTH
def test_it_is_verified(installed: Path, unit: str) -> None:
    assert faults(installed, unit) == []


def test_a_fault_in_a_unit_is_found(installed: Path) -> None:
    unit = installed / "etc/systemd/system" / HUB
    text = unit.read_text(encoding="utf-8").replace("WatchdogSec=", "WatchdocSec=")
    unit.unlink()
    unit.write_text(text)
    assert any("WatchdocSec" in line for line in faults(installed, HUB))


# --- what they start


@BOTH
def test_what_it_starts_is_a_command_of_the_release_in_force(unit: str) -> None:
    program, *arguments = setting(unit, "ExecStart").split()
    assert program == "/opt/carehub/current/bin/carehub"
    shown = CliRunner().invoke(carehub, [arguments[0], "--help"])
    assert shown.exit_code == 0
    assert "--config" in shown.output
    assert arguments[1:] == ["--config", "/etc/carehub/hub.toml"]


def test_the_hub_has_the_directories_that_its_configuration_has_unless_set() -> None:
    assert Hub.model_fields["data_directory"].default == Path("/var/lib") / setting(HUB, "StateDirectory")
    assert Hub.model_fields["control_socket"].default.parent == Path("/run") / setting(
        HUB, "RuntimeDirectory"
    )
    for mode in ("StateDirectoryMode", "RuntimeDirectoryMode"):
        assert setting(HUB, mode) == "0700"


def test_it_starts_after_bluetooth_and_needs_neither_that_nor_a_network_nor_the_time() -> None:
    said = settings(HUB)
    after = set(setting(HUB, "After").split())
    assert "bluetooth.service" in after
    assert not {"time-sync.target", "network-online.target"} & after, "they wait for a network"
    assert not {"Requires", "Requisite", "BindsTo", "Wants", "PartOf"} & said.keys()


@BOTH
def test_it_is_started_again_for_ever_and_more_and_more_slowly(unit: str) -> None:
    assert setting(unit, "Restart") == "always"
    assert setting(unit, "StartLimitIntervalSec") == "0"
    assert seconds(setting(unit, "RestartSec")) >= 1
    assert seconds(setting(unit, "RestartMaxDelaySec")) == 60


def test_from_a_hang_to_the_restart_it_is_less_than_a_minute() -> None:
    """What hangs is seen within two looks after its patience; the last feeding may have been just before."""
    looks = 4.0
    watchdog = seconds(setting(HUB, "WatchdogSec"))
    assert PATIENCE + looks + watchdog + seconds(setting(HUB, "RestartSec")) < 60
    assert watchdog > PATIENCE
    assert seconds(setting(HUB, "TimeoutAbortSec")) <= 5, "where it does not even end at SIGABRT"


def test_it_has_time_to_stop_in() -> None:
    """Its parts have limits of their own; they add up to 23 s."""
    assert seconds(setting(HUB, "TimeoutStopSec")) >= 23 + 5
    assert seconds(setting(HUB, "TimeoutStartSec")) >= 300, "the database is checked whole"
    assert Patience().turn > 2 * 20, "a restart of bluetoothd has twenty seconds, and more is done around it"


@BOTH
def test_what_is_in_its_memory_never_goes_to_the_card(unit: str) -> None:
    assert setting(unit, "MemorySwapMax") == "0"
    assert setting(unit, "LimitCORE") == "0"


def test_where_memory_is_short_the_page_goes_first() -> None:
    assert int(setting(PAGE, "OOMScoreAdjust")) > 0 > int(setting(HUB, "OOMScoreAdjust"))


# --- what they may not


@BOTH
def test_it_has_no_capability_and_runs_as_the_hubs_user(unit: str) -> None:
    assert setting(unit, "CapabilityBoundingSet") == ""
    assert "AmbientCapabilities" not in settings(unit)
    assert setting(unit, "User") == "carehub"
    assert setting(unit, "ProtectSystem") == "strict"


def test_the_hub_reaches_devices_whose_drivers_are_loaded_after_it_has_started() -> None:
    """Each of these makes a list of devices at the start."""
    assert not {"ProtectClock", "PrivateDevices", "DevicePolicy", "DeviceAllow"} & settings(HUB).keys()


def test_the_hub_speaks_d_bus_hears_udev_and_asks_the_kernel_for_its_clock() -> None:
    families = set(setting(HUB, "RestrictAddressFamilies").split())
    assert families == {"AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"}
    assert "PrivateNetwork" not in settings(HUB)
    asked = settings(HUB)["SystemCallFilter"]
    assert asked[-1].split() == ["adjtimex", "clock_adjtime", "clock_adjtime64"], "after what is taken away"


def test_a_lamp_of_the_kernels_is_not_read_only_to_the_hub() -> None:
    """systemd.exec(5): ProtectKernelTunables makes all of /sys so; /sys/class has links alone."""
    assert settings(HUB)["ReadWritePaths"] == ["-/sys/devices"]


def test_the_hub_sees_the_id_of_the_boot() -> None:
    assert "ProcSubset" not in settings(HUB)


def test_the_page_writes_nothing_and_has_no_radio_and_no_device() -> None:
    assert not {"StateDirectory", "ReadWritePaths", "RuntimeDirectory"} & settings(PAGE).keys()
    assert setting(PAGE, "PrivateDevices") == "yes"
    assert setting(PAGE, "RestrictAddressFamilies").split() == ["AF_UNIX", "AF_INET", "AF_INET6"]


def test_the_hub_comes_first_and_does_not_need_the_page() -> None:
    assert int(setting(PAGE, "CPUWeight")) < 100
    assert "Requires" not in settings(PAGE)
    assert not any("carehub-page" in line for line in lines(HUB))
