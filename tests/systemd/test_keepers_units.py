"""The keeper's units: in which order they start; and what fetches releases, where what talks to the network
is nobody, and what is root does not."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioning.keeper.centre import ORDER_NAME
from provisioning.keeper.fetch import _MOST_STARTS, PACE, REQUEST_NAME
from tests.systemd.test_units import analyzed
from tests.systemd.units import SYSTEMD, seconds, setting, settings

FETCH, WATCH, AGAIN = (f"keeper/carehub-fetch.{kind}" for kind in ("service", "path", "timer"))
SETTLE = "carehub-settle.service"
_IMAGE = SYSTEMD.parent / "provisioning/image/overlay/etc/systemd/system"
_DEBIAN = Path("/usr/lib/systemd/system")
_ENABLED_TOO = (
    "nftables.service",
    "ssh.service",
    "systemd-timesyncd.service",
    "fstrim.timer",
    "bluetooth.service",
)
"""Of Debian's, by provisioning; those that are here."""


def shipped() -> Iterator[Path]:
    """Every unit of this repository."""
    for directory in (SYSTEMD, SYSTEMD / "keeper", _IMAGE):
        yield from (each for each in directory.iterdir() if each.suffix in (".service", ".path", ".timer"))


def enable(unit: Path, directory: Path) -> None:
    """As `systemctl enable`, by what its [Install] says."""
    for line in unit.read_text(encoding="utf-8").splitlines():
        key, _, targets = line.partition("=")
        for target in targets.split() if key in ("WantedBy", "RequiredBy") else ():
            wants = directory / f"{target}.{'wants' if key == 'WantedBy' else 'requires'}"
            wants.mkdir(exist_ok=True)
            (wants / unit.name).symlink_to(unit)


def cycles(directory: Path) -> list[str]:
    """What systemd says of circles where a machine starts with the units in there and with Debian's."""
    said = subprocess.run(
        ("systemd-analyze", "verify", "--man=no", "--recursive-errors=yes", "multi-user.target"),
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{directory}:{_DEBIAN}"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return [line for line in said.stderr.splitlines() if "cycle" in line]


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The directory of a machine on which all that may be enabled is, and the rest is wanted at once too."""
    units = [*shipped(), *(each for name in _ENABLED_TOO if (each := _DEBIAN / name).exists())]
    for unit in units:
        if unit.parent != _DEBIAN:
            (tmp_path / unit.name).symlink_to(unit)
        enable(unit, tmp_path)
    wanted = tmp_path / "multi-user.target.wants"
    for unit in units:
        if not list(tmp_path.glob(f"*.*/{unit.name}")):
            (wanted / unit.name).symlink_to(unit)
    return tmp_path


def test_at_a_start_no_unit_waits_for_what_waits_for_it(machine: Path) -> None:
    wanted = {each.name for each in machine.glob("*.*/*")}
    assert wanted >= {each.name for each in shipped()}
    assert cycles(machine) == []


def test_a_path_that_waits_for_a_service_would_be_seen(machine: Path) -> None:
    """The measure measures: systemd would leave out whatever it likes, one time in four what settles."""
    watch = machine / Path(WATCH).name
    text = watch.read_text(encoding="utf-8").replace("[Path]", f"After={SETTLE}\n[Path]")
    watch.unlink()
    watch.write_text(text)
    assert cycles(machine) != []


@pytest.mark.parametrize("unit", ["fetch", "update", "renew", "first-boot"])
def test_who_may_hold_the_keepers_lock_waits_at_a_start_for_what_settles(unit: str) -> None:
    """One keeper at a time: else an interrupted update is not taken back before the hub starts."""
    assert SETTLE in setting(f"keeper/carehub-{unit}.service", "After").split()
    assert set(setting(f"keeper/{SETTLE}", "Before").split()) == {"carehub.service", "carehub-page.service"}


def test_its_exposure_is_two_at_the_most() -> None:
    said = analyzed("security", "--offline=yes", "--no-pager", "--threshold=20", SYSTEMD / FETCH)
    assert said.returncode == 0, said.stdout[-300:]


def test_what_talks_to_the_network_has_no_rights_and_sees_nothing_of_the_hubs() -> None:
    assert setting(FETCH, "DynamicUser") == "yes"
    assert setting(FETCH, "CapabilityBoundingSet") == ""
    assert set(setting(FETCH, "InaccessiblePaths").split()) == {"/var/lib/carehub", "/etc/carehub"}
    assert setting(FETCH, "ExecStart") == "/usr/lib/carehub/keeper fetch"
    assert setting(FETCH, "ExecStartPre") == "+/usr/lib/carehub/keeper fetch --take"
    assert setting(FETCH, "ExecStopPost") == "+/usr/lib/carehub/keeper fetch --finish"


def test_it_is_started_by_what_the_hub_leaves_and_by_what_was_interrupted_and_never_without_end() -> None:
    assert settings(WATCH)["PathExists"] == [
        f"/var/lib/carehub/{REQUEST_NAME}",
        f"/var/lib/carehub-keeper/{ORDER_NAME}",
    ]
    # What systemd has given up is not watched for any more; so the keeper gives up first.
    assert 2 * _MOST_STARTS < int(setting(FETCH, "StartLimitBurst")) <= 20
    assert seconds(setting(FETCH, "StartLimitIntervalSec")) >= 600
    assert float(setting(FETCH, "TimeoutStartSec").removesuffix("h")) * 3600 > PACE.gives_up


def test_what_systemd_has_given_up_is_watched_for_again_within_the_hour() -> None:
    assert (setting(AGAIN, "Unit"), setting(AGAIN, "OnUnitActiveSec")) == ("carehub-fetch.path", "1h")
    # It goes where that goes, by hand too; and what a calendar begins waits until the time is set.
    assert (setting(AGAIN, "PartOf"), setting(AGAIN, "WantedBy")) == ("carehub-fetch.path",) * 2
    assert "OnCalendar" not in settings(AGAIN)
