"""What of a release is taken up with a switch: the commands, as programs that note how they were called.
What a real systemd makes of them is in tests/machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioning.keeper.errors import KeeperError
from provisioning.keeper.places import Places
from provisioning.keeper.systemd import Systemd

LISTS = "systemctl list-units --plain --no-legend --state=not-found carehub*"
PROGRAMS = ("systemctl", "systemd-run", "systemd-sysusers", "systemd-tmpfiles", "udevadm")


class Called:
    """Programs of these names, in the place of the real ones."""

    def __init__(self, directory: Path) -> None:
        self._log = directory / "log"
        self.directory = directory / "bin"
        self.directory.mkdir(parents=True)
        for name in PROGRAMS:
            self.fails(name, 0)

    def fails(self, name: str, code: int = 1, says: str = "") -> None:
        program = self.directory / name
        says = f"[ $1 = list-units ] && echo '{says}'\n" if says else ""
        program.write_text(f'#!/bin/sh\necho {name} "$*" >>{self._log}\n{says}echo no >&2\nexit {code}\n')
        program.chmod(0o755)

    def lines(self) -> list[str]:
        return self._log.read_text().splitlines()


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Called:
    programs = Called(tmp_path / "programs")
    monkeypatch.setenv("PATH", f"{programs.directory}:/usr/bin:/bin")
    return programs


def furnished(root: Path) -> Places:
    for name in (
        "etc/sysusers.d/carehub.conf", "etc/sysusers.d/carehub-new.conf", "etc/sysusers.d/other.conf",
        "etc/tmpfiles.d/carehub.conf", "run/udev/control", "etc/polkit-1/rules.d/50-carehub-bluetooth.rules",
    ):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return Places(root)


def test_users_come_before_directories_and_units_last(tmp_path: Path, called: Called) -> None:
    assert Systemd(furnished(tmp_path)).refresh() == []
    etc = tmp_path / "etc"
    assert called.lines() == [
        f"systemd-sysusers {etc}/sysusers.d/carehub-new.conf {etc}/sysusers.d/carehub.conf",
        f"systemd-tmpfiles --create {etc}/tmpfiles.d/carehub.conf",
        "udevadm control --reload",
        "systemd-run --quiet --collect udevadm trigger --subsystem-match=tty --subsystem-match=input"
        " --subsystem-match=gpio --subsystem-match=leds --subsystem-match=hidraw",
        "systemctl try-restart polkit.service",
        "systemctl daemon-reload",
        LISTS,
    ]


def test_what_is_not_on_the_machine_is_not_asked(tmp_path: Path, called: Called) -> None:
    assert Systemd(Places(tmp_path)).refresh() == []
    assert called.lines() == ["systemctl daemon-reload", LISTS]


def test_what_only_the_release_before_had_is_stopped(tmp_path: Path, called: Called) -> None:
    called.fails("systemctl", 0, "carehub-new.service not-found active running carehub-new.service")
    Systemd(Places(tmp_path)).refresh()
    assert called.lines()[-1] == "systemctl stop --no-block carehub-new.service"


def test_what_fails_is_said_and_the_units_are_taken_up(tmp_path: Path, called: Called) -> None:
    places = furnished(tmp_path)
    called.fails("systemd-run")
    (called.directory / "udevadm").unlink()
    said = Systemd(places).refresh()
    assert [each.partition(":")[0].split()[0] for each in said] == ["udevadm", "systemd-run"]
    assert called.lines()[-2] == "systemctl daemon-reload"
    called.fails("systemctl")
    with pytest.raises(KeeperError, match="daemon-reload"):
        Systemd(places).refresh()


@pytest.mark.parametrize(
    ("state", "begun", "ready", "started_in"),
    [("active", 5_000_000, 12_500_000, 7.5), ("activating", 5_000_000, 0, None), ("active", 0, 1, None)],
)
def test_how_long_a_hub_took_to_start_is_known_where_it_runs(
    tmp_path: Path, called: Called, state: str, begun: int, ready: int, started_in: float | None
) -> None:
    """After a restart by itself too: the process, and not the unit, has started."""
    program = called.directory / "systemctl"
    moments = f"ExecMainStartTimestampMonotonic={begun}\nActiveEnterTimestampMonotonic={ready}"
    program.write_text(f"#!/bin/sh\necho 'ActiveState={state}\n{moments}'\n")
    assert Systemd(Places(tmp_path)).seen("carehub.service").started_in == started_in
