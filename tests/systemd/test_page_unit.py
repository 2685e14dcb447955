"""The staff page's unit gives it what it needs, and nothing of what only the hub needs."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from hub.cli import carehub

UNIT = Path(__file__).parent.parent.parent / "systemd" / "carehub-page.service"


def settings() -> dict[str, str]:
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    pairs = [
        (line.partition("=")[0], line.partition("=")[2])
        for line in lines
        if "=" in line and not line.startswith("#")
    ]
    return dict(pairs)


def test_what_it_starts_is_a_command_that_there_is() -> None:
    program, *arguments = settings()["ExecStart"].split()
    assert program.endswith("/carehub")
    shown = CliRunner().invoke(carehub, [arguments[0], "--help"])
    assert shown.exit_code == 0
    assert "--config" in shown.output


def test_it_writes_nothing_and_has_no_radio_no_device_and_no_capability() -> None:
    said = settings()
    assert said["ProtectSystem"] == "strict"
    assert not {"StateDirectory", "ReadWritePaths", "RuntimeDirectory"} & said.keys()
    assert said["PrivateDevices"] == "yes"
    assert said["RestrictAddressFamilies"].split() == ["AF_UNIX", "AF_INET", "AF_INET6"]
    assert said["CapabilityBoundingSet"] == ""
    assert "AmbientCapabilities" not in said
    assert said["User"] == "carehub", "whose the control socket is"


def test_the_hub_comes_first_and_does_not_need_it() -> None:
    said = settings()
    assert int(said["OOMScoreAdjust"]) > 0
    assert int(said["CPUWeight"]) < 100
    assert "Requires" not in said
    hubs = (UNIT.parent / "carehub.service").read_text(encoding="utf-8")
    assert "carehub-page" not in hubs
