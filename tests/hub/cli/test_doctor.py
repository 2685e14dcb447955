"""`carehub doctor`."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.rigs.house import NAMES, write_configuration
from tests.rigs.hub_process import HubProcess, carehub_here

_SILENT_NAME_SERVER = """
import fcntl, os, socket, struct, sys
with socket.socket() as asking:  # netdevice(7): SIOCSIFFLAGS, IFF_UP
    fcntl.ioctl(asking, 0x8914, struct.pack("16sh14x", b"lo", 1))
silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("127.0.0.2", 53))
os.set_inheritable(silent.fileno(), True)
os.execv(sys.executable, [sys.executable, "-m", "hub", *sys.argv[1:]])
"""


def test_it_ends_with_1_where_a_part_fails_and_says_which_and_what_to_do_first(tmp_path: Path) -> None:
    ended = carehub_here("doctor", "--config", write_configuration(tmp_path))
    assert ended.code == 1
    assert "fail  daemon: the hub is not running" in ended.output
    last = ended.output.splitlines()[-1]
    assert " fail, " in last
    assert last.endswith("first disk: make it, owned by the hub's user")


def test_json_has_a_row_for_each_part(hub: HubProcess) -> None:
    ended = carehub_here("doctor", "--json", "--config", hub.config_path)
    rows = json.loads(ended.output)
    verdicts = {row["part"]: row["verdict"] for row in rows}
    assert verdicts["daemon"] == verdicts["database"] == verdicts["disk"] == "pass"
    assert verdicts["link to the ICS"] == verdicts["broker's port"] == "fail"
    assert verdicts["broker authorisation"] == "fail"
    assert {key for row in rows for key in row} == {"part", "verdict", "words", "todo"}
    assert all(row["todo"] for row in rows if row["part"] in {"broker's port", "permissions", "alerts"})
    assert ended.code == 1


@pytest.mark.parametrize(
    ("port", "words"),
    [
        ('"many"', ("broker.port: Input should be a valid integer", "residents[0].room: Input should be")),
        ("= 1", ("is not TOML: Invalid value",)),
    ],
)
def test_a_configuration_that_cannot_be_used_is_a_finding_and_the_rest_is_looked_at_and_packed(
    tmp_path: Path, port: str, words: tuple[str, ...]
) -> None:
    path = write_configuration(tmp_path)
    spoilt = path.read_text().replace("port = 1\n", f"port = {port}\n")
    path.write_text(spoilt.replace('room = "Rosewood Suite"', "room = 1938"))
    bundle = tmp_path / "bundle.tar.gz"
    ended = carehub_here("doctor", "--json", "--config", path, "--support", bundle)
    found = {row["part"]: row for row in json.loads(ended.output)}
    assert ended.code == 3
    said = found["configuration"]
    assert said["verdict"] == "fail"
    assert all(each in said["words"] for each in words)
    assert "1938" not in said["words"]
    assert "'carehub check-config'" in said["todo"]
    assert found.keys() >= {"machine", "power", "disk", "memory", "load", "daemon", "clock", "network", "USB"}
    # Of what it does not know it says nothing.
    assert not found.keys() & {"broker's name", "broker authorisation", "page", "model", "sensors", "TLS"}
    with tarfile.open(bundle) as archive:
        assert any(name.endswith("/kernel.txt") for name in archive.getnames())


def test_the_parts_are_told_in_the_same_order_each_time(hub: HubProcess) -> None:
    told = [
        [
            row["part"]
            for row in json.loads(carehub_here("doctor", "--json", "--config", hub.config_path).output)
        ]
        for _ in range(2)
    ]
    assert told[0] == told[1]
    assert told[0].index("disk") < told[0].index("daemon") < told[0].index("broker's name")


def test_a_name_server_that_never_answers_does_not_hang_the_doctor(tmp_path: Path) -> None:
    path = write_configuration(tmp_path)
    path.write_text(path.read_text().replace('host = "127.0.0.1"', 'host = "mqtt.ics.example"'))
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.2\noptions timeout:30 attempts:5\n")
    script = f'mount --bind "{tmp_path}/resolv.conf" /etc/resolv.conf && exec "$0" "$@"'
    own = ["unshare", "--mount", "--net", "--map-root-user", "sh", "-c", script, sys.executable, "-c"]
    # By itself the C library would wait two minutes and a half.
    ended = subprocess.run(
        [*own, _SILENT_NAME_SERVER, "doctor", "--json", "--config", str(path)],
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    found = {row["part"]: row for row in json.loads(ended.stdout)}
    assert "no name server answers within 4 s" in found["broker's name"]["words"]
    assert found["network"]["verdict"] == "fail"
    assert ended.stderr == ""


def test_a_support_bundle_is_written_beside_what_is_told(hub: HubProcess, tmp_path: Path) -> None:
    path = tmp_path / "bundle.tar.gz"
    ended = carehub_here("doctor", "--config", hub.config_path, "--support", path)
    assert f"{path}: written, for its owner alone" in ended.output
    assert "fail  link to the ICS" in ended.output
    with tarfile.open(path) as archive:
        names = {member.name.rpartition("/")[2] for member in archive.getmembers()}
        content = b"".join(
            file.read()
            for member in archive.getmembers()
            if (file := archive.extractfile(member)) is not None
        ).decode()
    assert names >= {"about.json", "findings.json", "configuration.json", "database.json", "journal.txt"}
    assert not [name for name in NAMES if name in content]
    again = carehub_here("doctor", "--config", hub.config_path, "--support", path)
    assert again.code == 1
    assert "name another file" in again.errors
