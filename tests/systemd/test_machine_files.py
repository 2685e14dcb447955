"""What is set of the machine beside the units: users, directories, the log, watchdog, time, the card."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.systemd.units import SYSTEMD, lines, seconds, setting


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(tuple(map(str, command)), capture_output=True, text=True, timeout=60, check=False)


def with_files(root: Path, *folders: str) -> Path:
    """A root with these of our files, and nothing else that systemd would read."""
    for folder in folders:
        (root / "etc" / folder).mkdir(parents=True)
        for file in (SYSTEMD / folder).iterdir():
            (root / "etc" / folder / file.name).write_text(file.read_text(encoding="utf-8"))
    return root


def test_the_hubs_user_may_speak_to_bluetoothd_and_nobody_may_log_in_as_it(tmp_path: Path) -> None:
    made = run("systemd-sysusers", f"--root={with_files(tmp_path, 'sysusers.d')}")
    assert made.returncode == 0, made.stderr
    (entry,) = [
        line for line in (tmp_path / "etc/passwd").read_text().splitlines() if line.startswith("carehub:")
    ]
    assert entry.split(":")[5:] == ["/var/lib/carehub", "/usr/sbin/nologin"]
    groups = {
        line.split(":")[0]: line.split(":")[3] for line in (tmp_path / "etc/group").read_text().splitlines()
    }
    assert groups["bluetooth"] == "carehub"
    assert groups["carehub"] == ""


def test_its_directories_are_its_own_and_what_it_reads_is_roots(tmp_path: Path) -> None:
    root = with_files(tmp_path, "sysusers.d", "tmpfiles.d")
    assert run("systemd-sysusers", f"--root={root}").returncode == 0
    made = run("systemd-tmpfiles", "--create", f"--root={root}", root / "etc/tmpfiles.d/carehub.conf")
    assert made.returncode == 0, made.stderr
    data, etc = (root / path for path in ("var/lib/carehub", "etc/carehub"))
    assert (data.stat().st_mode & 0o777, etc.stat().st_mode & 0o777) == (0o700, 0o750)
    assert data.stat().st_uid != 0
    assert (etc.stat().st_uid, etc.stat().st_gid) == (0, data.stat().st_gid)


def test_what_a_provisioning_that_was_cut_off_has_sent_is_removed_and_nothing_else(tmp_path: Path) -> None:
    root = with_files(tmp_path, "sysusers.d", "tmpfiles.d")
    assert run("systemd-sysusers", f"--root={root}").returncode == 0
    rules = root / "etc/tmpfiles.d/carehub.conf"
    theirs, sent = root / "var/tmp/theirs", root / "var/tmp/carehub-provisioning.x1Y2z3"
    kept = root / "var/lib/carehub/carehub.db"
    for file in (theirs, sent / "provisioning/keeper/a.py", sent / "release.bundle", kept):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        os.utime(file, (0, 0))
    assert run("systemd-tmpfiles", "--create", "--remove", f"--root={root}", rules).returncode == 0
    assert (sent / "release.bundle").exists(), "while the machine runs it may be at work"
    said = run("systemd-tmpfiles", "--create", "--remove", "--boot", f"--root={root}", rules)
    assert said.returncode == 0, said.stderr
    assert not sent.exists()
    assert theirs.exists()
    assert kept.exists()


def test_the_log_outlives_a_restart_has_an_end_and_is_on_the_card_once() -> None:
    log = "journald.conf.d/carehub.conf"
    assert setting(log, "Storage") == "persistent"
    assert setting(log, "SystemMaxUse").endswith("M")
    assert setting(log, "ForwardToSyslog") == "no"
    assert seconds(setting(log, "SyncIntervalSec")) >= 60


def test_the_hardware_watchdog_is_within_what_a_pi_can() -> None:
    assert 5 <= seconds(setting("system.conf.d/carehub.conf", "RuntimeWatchdogSec")) <= 15


def test_time_is_kept_over_a_restart_without_a_write_each_minute() -> None:
    assert seconds(setting("timesyncd.conf.d/carehub.conf", "SaveIntervalSec")) >= 300


def test_what_heals_bluetooth_is_given_to_the_hubs_user_alone() -> None:
    rules = "\n".join(lines("polkit/50-carehub-bluetooth.rules"))
    assert 'if (subject.user !== "carehub")' in rules
    assert rules.count("polkit.Result.YES") == 2


def test_each_file_is_where_provisioning_looks_for_it() -> None:
    found = {
        str(path.relative_to(SYSTEMD))
        for path in SYSTEMD.rglob("*")
        if path.is_file() and "keeper" not in path.parts
    }
    assert found == {
        "carehub.service",
        "carehub-page.service",
        "links",
        "README.md",
        "sysusers.d/carehub.conf",
        "tmpfiles.d/carehub.conf",
        "journald.conf.d/carehub.conf",
        "system.conf.d/carehub.conf",
        "timesyncd.conf.d/carehub.conf",
        "sysctl.d/60-carehub.conf",
        "udev/70-carehub-usb.rules",
        "polkit/50-carehub-bluetooth.rules",
    }
