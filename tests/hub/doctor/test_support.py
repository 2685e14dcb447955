"""The support bundle: names are planted wherever a hub may have one, and none of them is in it."""

from __future__ import annotations

import json
import re
import stat
import tarfile
from datetime import timedelta
from pathlib import Path

import pytest

from hub.clock import now, to_microseconds
from hub.configuration.file import Config, ConfigError, load
from hub.doctor.findings import Finding, Verdict
from hub.doctor.looking import Subject
from hub.doctor.support import TOLD_KEYS, SupportError, _contents, write
from hub.staff.rights import Role
from hub.store.staff import StaffRow
from hub.store.staff import put as put_staff
from tests.rigs.house import CUFF, ILL, House, oximeter

PLANTED = (
    # Of the configuration, of residents and staff in the database, of whoever did something, of free texts.
    "Edith", "Quincey", "Rosewood", "Mortimer", "Zed", "Attic Nine", "WB-77-XYZ", "Ophelia", "Prescott",
    "Zoë", "O'Brien", "Smythe", "Lavender Wing", "9434765919", "Cara", "Night", "Xu", "Engström",
    "012345", "Agnes", "Formerly", "Philippa", "$argon2id", "1938", "wifi-secret",
)  # fmt: skip
PLUGGED_IN = """\
[    1.936151] usb 1-1.3: New USB device found, idVendor=05ac, idProduct=12a8, bcdDevice=14.05
[    1.936153] usb 1-1.3: New USB device strings: Mfr=1, Product=2, SerialNumber=3
[    1.936155] usb 1-1.3: Product: iPhone
[    1.936158] usb 1-1.3: SerialNumber: 00008101000A11223344001E
[    2.104410] ipheth 1-1.3:4.2: Apple iPhone USB Ethernet device attached, 8e:29:8e:01:02:03
[    9.551233] wlan0: authenticate with 74:ac:b9:0a:0b:0c
[   12.112233] audit: type=1105 audit(1763850000.123:77): pid=811 acct="margaret" exe="/usr/sbin/sshd"
[   13.000001] EXT4-fs (mmcblk0p2): mounted filesystem with ordered data mode
"""
LOG = """\
2026-11-23T01:00:00+0000 hub carehub[7]: INFO hub.daemon: ready, 3 sensor(s)
2026-11-23T01:00:01+0000 hub carehub[7]: ERROR Edith Quincey (EDITH, edith_quincey, Room Rosewood  Suite) fell
2026-11-23T01:00:02+0000 hub carehub[7]: WARNING ZOË o'brien-smythe, wristband 9434765919, passkey 012345
2026-11-23T01:00:03+0000 hub carehub[7]: INFO signed in: Cara Night; Agnes Formerly; Dr Ophelia Prescott; Xu
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A home whose every place for a name has one."""
    further = (
        '[[residents]]\nid = "R-9"\nname = "Mo"\nroom = "12"\nwristband = "WB-77-XYZ"\noxygen_scale = 2\n'
        'oxygen_scale_prescriber = "Dr Ophelia Prescott, 2026-01-05"\n'
    )
    house = House(tmp_path, further)
    house.take(oximeter(91, now() - timedelta(minutes=5)))
    moment = to_microseconds(now())
    with house.transaction() as transaction:
        connection = transaction.connection
        put_staff(connection, StaffRow("Cara Night", Role.CARER, "$argon2id$secret", now(), "Xu Engström"))
        connection.execute(
            "INSERT INTO resident VALUES"
            " ('R-5', 'Zoë O''Brien-Smythe', 'Lavender Wing', 1938, 1, NULL, '9434765919', ?, 'Xu Engström')",
            (moment,),
        )
        connection.execute(
            "INSERT INTO resident_care VALUES ('R-5', ?, ?, 'Xu Engström')",
            (json.dumps({"plan": "ring Philippa, her daughter"}), moment),
        )
        connection.execute(
            "INSERT INTO enrolled_sensor VALUES"
            " ('C4:F2:17:00:00:66', 'pulse_oximeter', 'R-5', 'Zoë''s oximeter', NULL, NULL, 12345, ?,"
            " 'Cara Night', ?, NULL)",
            (moment, moment),
        )
        connection.execute(
            "UPDATE alert SET body = json_set(body, '$.acknowledged_by', 'Agnes Formerly', '$.note',"
            " 'Philippa rang')"
        )
    house.connection.close()
    return house.config


@pytest.fixture
def logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose journal and kernel log have names in them, though they should not."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("journalctl", "dmesg"):
        (programs / f"{name}.txt").write_text(LOG)
        (programs / name).write_text(f"#!/bin/sh\ncat {programs}/{name}.txt\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")


FINDINGS = [
    Finding(f"sensor {CUFF}", Verdict.WARN, "blood_pressure Edith's cuff: never heard", "ask Cara Night"),
    Finding("disk", Verdict.PASS, "900 MiB free"),
]


def unpacked(path: Path) -> dict[str, str]:
    """What is in a bundle, by the names of its files, which are looked through as well."""
    with tarfile.open(path) as archive:
        members = archive.getmembers()
        texts = {}
        for member in members:
            file = archive.extractfile(member)
            assert file is not None
            texts[member.name] = f"{member.name} {member.uname} {member.gname}\n{file.read().decode()}"
    return texts


def found(texts: dict[str, str]) -> dict[str, set[str]]:
    """The planted words that are in each file."""
    hits = {
        name: {word for word in PLANTED if word.casefold() in text.casefold()} for name, text in texts.items()
    }
    return {name: words for name, words in hits.items() if words}


@pytest.mark.usefixtures("logged")
def test_no_planted_word_is_in_the_bundle_and_the_same_search_finds_them_in_what_was_gathered(
    tmp_path: Path, config: Config
) -> None:
    path = tmp_path / "bundle.tar.gz"
    said = write(path, config, FINDINGS)
    texts = unpacked(path)
    assert found(texts) == {}
    # The positive control: before the search they are there, where somebody's words were let in.
    before = found(_contents(FINDINGS, Subject(config)))
    assert before.keys() == {"journal.txt", "kernel.txt", "findings.json"}
    assert before["journal.txt"] >= {"Edith", "Rosewood", "Zoë", "9434765919", "Agnes", "012345", "Prescott"}
    # What was replaced is said, on the terminal and in the bundle.
    about = json.loads(
        next(text for name, text in texts.items() if name.endswith("about.json")).split("\n", 1)[1]
    )
    assert set(about["replaced"]) == before.keys()
    assert "REPLACED" in said
    assert "journal.txt" in said


@pytest.mark.usefixtures("logged")
def test_a_home_that_is_called_as_somebody_in_it_is_has_another_name_in_the_bundle(
    tmp_path: Path, config: Config
) -> None:
    file = tmp_path / "hub.toml"
    file.write_text(file.read_text().replace('id = "rose-house"', 'id = "quincey-house"'))
    path = tmp_path / "bundle.tar.gz"
    write(path, load(file), FINDINGS)
    assert found(unpacked(path)) == {}


@pytest.mark.usefixtures("logged")
def test_what_is_of_use_is_in_it(tmp_path: Path, config: Config) -> None:
    path = tmp_path / "bundle.tar.gz"
    write(path, config, FINDINGS)
    texts = {name.rpartition("/")[2]: text.split("\n", 1)[1] for name, text in unpacked(path).items()}
    assert json.loads(texts["findings.json"])[1]["words"] == "900 MiB free"
    assert "ready, 3 sensor(s)" in texts["journal.txt"]
    told = json.loads(texts["configuration.json"])
    assert (told["site"]["id"], told["broker"]["host"]) == ("rose-house", "127.0.0.1")
    assert told["residents"] == {"count": 3, "with_a_wristband": 1}
    assert told["sensors"][0]["address"] == CUFF
    database = json.loads(texts["database.json"])
    assert database["rows"]["resident"] == database["rows"]["staff"] == 1
    assert database["waiting"]["alert"] == 1
    assert [what for _, what in database["trail"]] == ["alert raised"]
    assert ILL not in texts["database.json"]


def test_of_the_kernels_log_nothing_tells_which_device_it_was_whose_access_point_or_who_logged_in(
    tmp_path: Path, config: Config, logged: None
) -> None:
    (tmp_path / "programs" / "dmesg.txt").write_text(PLUGGED_IN)
    path = tmp_path / "bundle.tar.gz"
    write(path, config, FINDINGS)
    (kernel,) = [text for name, text in unpacked(path).items() if name.endswith("kernel.txt")]
    assert not [each for each in ("A11223344", "8e:29", "74:ac", "margaret") if each in kernel]
    assert "Product: iPhone" in kernel
    assert "SerialNumber: [replaced]\n" in kernel
    assert "EXT4-fs (mmcblk0p2): mounted" in kernel


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize("spoilt", ['port = "many"\n', "port = = 1\n"])
def test_of_a_configuration_that_cannot_be_used_no_name_is_in_it_either_and_what_is_not_sure_is_said(
    tmp_path: Path, config: Config, spoilt: str
) -> None:
    file = tmp_path / "hub.toml"
    file.write_text(re.sub("port = .*\n", spoilt, file.read_text()))
    with pytest.raises(ConfigError) as refused:
        load(file)
    path = tmp_path / "bundle.tar.gz"
    said = write(path, refused.value, FINDINGS)
    # What only the database knows is not known: it is at another place than usual.
    of_the_file = {"Edith", "Quincey", "Rosewood", "Mortimer", "Zed", "Attic Nine", "WB-77-XYZ", "Prescott"}
    assert not of_the_file & set().union(*found(unpacked(path)).values())
    assert "cannot be used, so that perhaps not all names in it were understood" in said
    assert "look through it before you send it" in said


def test_its_owner_alone_may_read_it_and_nothing_is_overwritten(tmp_path: Path, config: Config) -> None:
    path = tmp_path / "bundle.tar.gz"
    write(path, config, FINDINGS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(SupportError, match="is there already: name another file"):
        write(path, config, FINDINGS)
    with pytest.raises(SupportError, match="cannot be made"):
        write(tmp_path / "no" / "bundle.tar.gz", config, FINDINGS)


def test_a_database_whose_names_cannot_be_read_is_said(tmp_path: Path, config: Config) -> None:
    (config.hub.data_directory / "carehub.db").write_bytes(b"a shopping list" * 100)
    said = write(tmp_path / "bundle.tar.gz", config, FINDINGS)
    assert "Not all names of this home could be looked for" in said
    assert "look through it before you send it" in said


def test_the_keys_that_are_told_are_listed_and_none_of_them_is_of_a_person(config: Config) -> None:
    whole = config.model_dump(mode="json")
    assert all(key in whole[table] for table, keys in TOLD_KEYS.items() for key in keys)
    assert not {"residents", "sensors"} & TOLD_KEYS.keys()
    listed = {key for keys in TOLD_KEYS.values() for key in keys}
    assert not listed & {"username", "password_file", "ladder", "concern_ladder", "name", "room", "wristband"}


def test_a_key_that_a_later_release_brings_is_not_told_by_itself(tmp_path: Path, config: Config) -> None:
    said = _contents([], Subject(config))["configuration.json"]
    told = json.loads(said)
    assert set(told) == {*TOLD_KEYS, "residents", "sensors"}
    assert "username" not in told["broker"]
    assert load(tmp_path / "hub.toml").alerts.ladder
    assert "ladder" not in said  # whom it tells is a free text
