"""What the doctor finds of the disk and the card, in real directories and in trees as the kernel has them."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from hub.clock import now
from hub.configuration.file import load
from hub.doctor import disk
from hub.doctor.findings import Verdict
from hub.doctor.looking import Subject
from tests.rigs.house import write_configuration

PASS, WARN, FAIL = Verdict.PASS, Verdict.WARN, Verdict.FAIL
EMMC, SD = "sys/block/mmcblk0/device", "sys/block/mmcblk1/device"


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """A hub with a data directory, on a machine that has nothing else yet."""
    config = load(write_configuration(tmp_path))
    config.hub.data_directory.mkdir()
    return Subject(config, root=tmp_path / "root")


def at(subject: Subject, path: str, content: str) -> None:
    """A file of the machine."""
    (subject.root / path).parent.mkdir(parents=True, exist_ok=True)
    (subject.root / path).write_text(content)


def test_room_and_inodes_of_a_real_directory_are_told(subject: Subject) -> None:
    found = {each.part: each for each in disk.disk(subject)}
    assert found["disk"].verdict is PASS
    assert f"MiB free under {subject.config.hub.data_directory}" in found["disk"].words
    assert {each.verdict for each in found.values()} == {PASS}


def test_a_file_system_that_has_become_read_only_is_a_failure_whoever_asks(subject: Subject) -> None:
    # In a mount namespace of its own, where nobody else sees it.
    directory = subject.config.hub.data_directory
    program = (
        "import sys; from pathlib import Path; from hub.configuration.file import load;"
        "from hub.doctor import disk;"
        "from hub.doctor.looking import Subject;"
        "print([each.told for each in disk.disk(Subject(load(Path(sys.argv[1]))))])"
    )
    script = (
        f'mount -t tmpfs -o size=1m none "{directory}" && mount -o remount,ro "{directory}" &&'
        ' exec "$0" -c "$1" "$2"'
    )
    said = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", script, sys.executable, program,
         str(directory.parent / "hub.toml")],
        capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    assert "has become read-only" in said
    assert "replace it" in said


# --- how worn it is: the values of JESD84-B51


@pytest.mark.parametrize(
    ("life_time", "reserve", "verdict", "words"),
    [
        ("0x01 0x01", "0x01", PASS, "0 to 10 % of its life are used; of its reserve less than 80 % is used"),
        ("0x03 0x02", "0x01", PASS, "20 to 30 % of its life are used"),
        ("0x02 0x09", "0x01", WARN, "80 to 90 % of its life are used"),
        ("0x0b 0x02", "0x01", FAIL, "it has outlived the life that it was made for"),
        ("0x04 0x04", "0x02", WARN, "30 to 40 % of its life are used; 80 % of its reserve is used"),
        ("0x04 0x04", "0x03", FAIL, "30 to 40 % of its life are used; 90 % of its reserve is used"),
        ("0x00 0x00", "0x00", PASS, "it does not tell how worn it is"),
    ],
)
def test_emmc_tells_how_worn_it_is(
    subject: Subject, life_time: str, reserve: str, verdict: Verdict, words: str
) -> None:
    at(subject, f"{EMMC}/type", "MMC\n")
    at(subject, f"{EMMC}/life_time", f"{life_time}\n")
    at(subject, f"{EMMC}/pre_eol_info", f"{reserve}\n")
    at(subject, "sys/block/mmcblk0boot0/device/type", "MMC\n")
    (finding,) = disk.card_health(subject)
    assert (finding.part, finding.verdict) == ("card health of mmcblk0", verdict)
    assert finding.words.startswith(words)
    assert ("replace it" in finding.todo) is (verdict is not PASS)


def test_an_sd_card_does_not_tell_and_that_is_said(subject: Subject) -> None:
    at(subject, f"{SD}/type", "SD\n")
    at(subject, f"{SD}/date", "08/2024\n")
    (finding,) = disk.card_health(subject)
    assert finding.verdict is PASS
    assert finding.words == "an SD card, made 08/2024: it does not tell how worn it is"


@pytest.mark.parametrize(("age", "verdict"), [(timedelta(hours=1), FAIL), (timedelta(days=30), WARN)])
def test_errors_that_ext4_has_noted_are_told_with_their_last_time(
    subject: Subject, age: timedelta, verdict: Verdict
) -> None:
    at(subject, "sys/fs/ext4/mmcblk0p1/errors_count", "0\n")
    at(subject, "sys/fs/ext4/mmcblk0p2/errors_count", "3\n")
    last = now() - age
    at(subject, "sys/fs/ext4/mmcblk0p2/last_error_time", f"{int(last.timestamp())}\n")
    finding = disk.card_health(subject)[-1]
    assert (finding.part, finding.verdict) == ("file system", verdict)
    assert finding.words == f"3 error(s) on mmcblk0p2, the last on {last:%Y-%m-%d %H:%M} UTC"
    assert "fsck -f /dev/mmcblk0p2" in finding.todo


def test_file_systems_without_an_error_pass(subject: Subject) -> None:
    at(subject, "sys/fs/ext4/mmcblk0p2/errors_count", "0\n")
    assert disk.card_health(subject)[-1].told == "no error noted on 1 of ext4"
