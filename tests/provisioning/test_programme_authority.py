"""The programme's authority as the hub's tools use it, and `carehub ca`: real openssl, real mosquitto."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.x509.oid import NameOID

from hub.cli import carehub
from hub.clock import now
from provisioning.authority import Authority
from provisioning.broker import acl
from provisioning.errors import ProvisioningError
from provisioning.keeper import certificates
from provisioning.locking import locked
from provisioning.publishing import Publishing

NAME = "rose-house.hub-1"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority(tmp_path / "authority")
    authority.begin()
    return authority


def request(tmp_path: Path, name: str = NAME) -> str:
    directory = tmp_path / f"machine {name}"
    directory.mkdir(exist_ok=True)
    certificates.make(directory, name)
    return (directory / "hub.csr").read_text()


def ca(*arguments: str | Path, said: str = "", code: int = 0) -> str:
    ended = CliRunner().invoke(carehub, ["ca", *map(str, arguments)])
    words = ended.output + (str(ended.exception) if ended.exception else "")
    assert (ended.exit_code == 0) == (code == 0), words
    assert said in words
    return ended.stdout


def test_a_hub_is_signed_by_the_authoritys_word_and_may_publish(tmp_path: Path, authority: Authority) -> None:
    pem = authority.sign_hub(request(tmp_path, "ics-desk"), NAME)
    certificate = x509.load_pem_x509_certificate(pem.encode())
    assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == NAME
    assert f"user {NAME}\ntopic write careport/v1/rose-house/hub-1/+" in authority.access()
    assert (authority.directory / f"{NAME}.csr").exists()
    assert (authority.directory / f"{NAME}.crt").read_text() == pem


def test_what_stands_in_the_list_of_clients_stays(tmp_path: Path, authority: Authority) -> None:
    before = f"# ours\nhub {NAME}   rose-house hub-1  # the kitchen\nics desk"
    authority.clients_file.write_text(before)
    authority.sign_hub(request(tmp_path), NAME)
    assert authority.clients_file.read_text() == before
    authority.client("second-desk")
    assert authority.clients_file.read_text() == f"{before}\nics  second-desk\n"


def test_a_persons_words_in_the_list_are_read_and_written_alike_whatever_the_locale(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from provisioning.openssl import read, write;"
        "write(Path(sys.argv[1]), read(Path(sys.argv[2])), 0o644)"
    )
    before, after = tmp_path / "before", tmp_path / "after"
    before.write_text("# S\u00fcd\n", encoding="utf-8")
    environment = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", program, after, before], env=environment, check=True
    )
    assert after.read_bytes() == before.read_bytes()


def test_signing_at_once_from_threads_and_processes_loses_nothing(
    tmp_path: Path, authority: Authority
) -> None:
    names = [f"house-{number}.hub-1" for number in range(8)]
    pems = {name: request(tmp_path, name) for name in names}
    program = (
        "import sys; from pathlib import Path; from provisioning.authority import Authority;"
        "Authority(Path(sys.argv[1])).sign_hub(sys.stdin.read(), sys.argv[2])"
    )
    others = [
        subprocess.Popen(
            [sys.executable, "-c", program, authority.directory, name], stdin=subprocess.PIPE, text=True
        )
        for name in names[:2]
    ]
    for name, process in zip(names, others, strict=False):
        assert process.stdin is not None
        process.stdin.write(pems[name])
        process.stdin.close()
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda name: authority.sign_hub(pems[name], name), names[2:]))
    assert [process.wait(30) for process in others] == [0, 0]
    found = authority.certificates()
    assert [each.name for each in found] == names
    assert len({each.serial for each in found}) == len(names)
    assert {client.name for client in acl.read(authority.clients_file.read_text())} == set(names)


def test_a_request_that_was_changed_on_its_way_is_refused(tmp_path: Path, authority: Authority) -> None:
    lines = request(tmp_path).splitlines()
    middle = len(lines) // 2
    for at in range(2, len(lines[middle]) - 2):
        letter = "A" if lines[middle][at] != "A" else "B"
        changed = lines[middle][:at] + letter + lines[middle][at + 1 :]
        text = "\n".join([*lines[:middle], changed, *lines[middle + 1 :]])
        if at % 16 == 0:
            with pytest.raises(ProvisioningError, match=r"not signed with its own key|cannot be read"):
                authority.sign_hub(text, NAME)
    assert authority.certificates() == []
    assert "rose-house" not in authority.access()
    assert not list(authority.directory.glob(f"{NAME}.*"))


@pytest.mark.parametrize(
    "weak",
    [
        ["rsa:1024"],
        ["rsa-pss", "-pkeyopt", "rsa_keygen_bits:1024"],
        ["ec", "-pkeyopt", "ec_paramgen_curve:secp192k1"],
    ],
)
def test_a_weak_key_is_refused(authority: Authority, weak: list[str]) -> None:
    made = ["openssl", "req", "-new", "-newkey", *weak, "-nodes", "-keyout", "/dev/null", "-subj", "/CN=x"]
    asked = subprocess.run(made, check=True, capture_output=True, text=True).stdout
    with pytest.raises(ProvisioningError, match="too weak"):
        authority.sign_hub(asked, NAME)


@pytest.mark.parametrize("name", ["", "../x", "a b", "a\nhub b c d", "x" * 65, "#x.y", "nodot", "a.b.c"])
def test_a_name_that_is_none_is_refused_and_leaves_nothing(
    tmp_path: Path, authority: Authority, name: str
) -> None:
    before = sorted(authority.directory.iterdir())
    with pytest.raises(ProvisioningError):
        authority.sign_hub(request(tmp_path), name)
    assert [each for each in sorted(authority.directory.iterdir()) if each.name != ".lock"] == [
        each for each in before if each.name != ".lock"
    ]


def test_a_hub_that_is_in_the_list_under_another_name_is_not_signed(
    tmp_path: Path, authority: Authority
) -> None:
    authority.clients_file.write_text("hub the-old-one  rose-house hub-1\n")
    with pytest.raises(ProvisioningError, match="this hub is given twice"):
        authority.sign_hub(request(tmp_path), NAME)
    authority.clients_file.write_text(f"ics {NAME}\n")
    with pytest.raises(ProvisioningError, match="as something else"):
        authority.sign_hub(request(tmp_path), NAME)
    assert authority.certificates() == []


def test_revoking_takes_every_certificate_of_the_name_and_its_rights(
    tmp_path: Path, authority: Authority
) -> None:
    """A hub that was renewed has an older one that has not ended."""
    serials = [
        x509.load_pem_x509_certificate(authority.sign_hub(request(tmp_path), NAME).encode()).serial_number
        for _ in range(2)
    ]
    authority.sign_hub(request(tmp_path, "oak-house.hub-1"), "oak-house.hub-1")
    authority.revoke(NAME)
    revoked = x509.load_pem_x509_crl((authority.directory / "revoked.crl").read_bytes())
    assert {each.serial_number for each in revoked} == set(serials)
    assert NAME not in authority.access()
    assert "oak-house.hub-1" in authority.access()
    assert {each.name: each.revoked for each in authority.certificates()} == {
        NAME: True,
        "oak-house.hub-1": False,
    }


def test_what_publishes_is_run_after_each_change_and_its_failure_is_told(
    tmp_path: Path, authority: Authority
) -> None:
    told: list[str] = []
    authority = Authority(authority.directory, told.append)
    publish = authority.directory / "publish"
    publish.write_text("#!/bin/sh\ngrep -c ^hub clients >> published-hubs\n")
    publish.chmod(0o700)
    authority.sign_hub(request(tmp_path), NAME)
    authority.sign_hub(request(tmp_path), NAME)
    assert (authority.directory / "published-hubs").read_text() == "1\n", "nothing new at the second time"
    publish.write_text("#!/bin/sh\necho no route >&2; exit 3\n")
    authority.revoke(NAME)
    assert "no route; the broker does not know of the last change yet" in told[0]


def test_what_could_not_be_published_is_outstanding_until_it_is(tmp_path: Path, authority: Authority) -> None:
    directory, publish = authority.directory, authority.directory / "publish"
    publish.write_text("#!/bin/sh\n: > tried\nexit 1\n")
    publish.chmod(0o700)
    outstanding = "has not brought the last change to the broker yet"
    ca("client", directory, "ics-desk")
    ca("list", directory, said=outstanding)
    (directory / "tried").unlink()
    ca("page", directory, "hub.rose-house.lan", said="does not know of the last change yet")
    assert (directory / "tried").exists()
    publish.write_text(f"#!/bin/sh -e\n{sys.executable} -m hub ca access {directory} > access\n")
    authority.publish()
    assert "user ics-desk" in (directory / "access").read_text()
    assert authority.is_published()
    assert outstanding not in ca("list", directory)


def test_of_many_at_once_not_each_waits_for_a_broker_that_is_away(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, waiting, told = authority.directory, threading.Semaphore(0), list[str]()
    publish = directory / "publish"
    publish.write_text("#!/bin/sh\necho x >> tried; until [ -e go ]; do sleep 0.02; done; exit 1\n")
    publish.chmod(0o700)

    @contextmanager
    def seen(*arguments: Any, **named: Any) -> Iterator[bool]:
        with locked(*arguments, **named) as ours:
            if not ours:
                waiting.release()
            yield ours

    monkeypatch.setattr("provisioning.publishing.locked", seen)
    with ThreadPoolExecutor(4) as threads:
        for _ in range(4):
            threads.submit(Publishing(directory, told.append).publish)
        for _ in range(3):
            assert waiting.acquire(timeout=20)
        (directory / "go").touch()
    assert (directory / "tried").read_text() == "x\n"
    assert len(told) == 4, "each is told"
    assert not authority.is_published()


def test_publishing_is_not_begun_by_what_it_calls(authority: Authority) -> None:
    publish = authority.directory / "publish"
    publish.write_text("#!/bin/sh\n: > tried\n")
    publish.chmod(0o700)
    with locked(authority.directory, ".publishing"):
        authority.publish()
    assert not (authority.directory / "tried").exists()


def test_the_command_makes_an_authority_and_all_that_it_certifies(tmp_path: Path) -> None:
    directory = tmp_path / "authority"
    ca("begin", directory, said="for nobody else")
    ca("begin", directory, code=1, said="already")
    ca("broker", directory, "mqtt.ics.example", "192.0.2.7", said="good until")
    ca("page", directory, "hub.rose-house.lan", "192.168.1.20")
    ca("client", directory, "ics-desk")
    csr = tmp_path / "hub.csr"
    csr.write_text(request(tmp_path))
    assert "BEGIN CERTIFICATE" in ca("sign", directory, csr, NAME, "--days", "40")
    assert f"user {NAME}" in ca("access", directory)
    listed = ca("list", directory)
    assert "good for 39 days" in listed
    assert f"hub {NAME} rose-house hub-1" in listed
    ca("revoke", directory, NAME)
    assert "revoked" in ca("list", directory)
    ca("revocations", directory)
    for key in directory.glob("*.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600, key
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_each_mistake_has_its_words(tmp_path: Path, authority: Authority) -> None:
    directory = authority.directory
    ca("list", tmp_path / "nowhere", code=1, said="make one with 'carehub ca begin")
    ca("revoke", directory, "nobody", code=1, said="no certificate that could be revoked")
    ca("broker", directory, "../x", code=1, said="is no name of a certificate")
    ca("client", directory, "a b", code=1, said="is no name of a certificate")
    ca("broker", directory, code=2, said="Missing argument")
    authority.client("ics-desk")
    ca("broker", directory, "ics-desk", code=1, said="is a client's name already")
    nothing = tmp_path / "nothing"
    nothing.write_text("nothing")
    ca("sign", directory, nothing, NAME, code=1, said="no certificate request")
    ca("sign", directory, nothing, NAME, "--site", "x", code=2, said="go together")
    authority.clients_file.write_text("hub\n")
    ca("access", directory, code=1, said="clients: line 1")


def test_an_authority_that_nears_its_end_says_so(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert authority.warnings() == []
    monkeypatch.setattr("provisioning.authority.now", lambda: now() + timedelta(days=3600))
    assert [words.partition(":")[0].rpartition("/")[2] for words in authority.warnings()] == [
        "ca.crt",
        "revoked.crl",
    ]


def test_a_staff_page_keeps_its_certificate_while_it_is_good_for_these_names(authority: Authority) -> None:
    names = ["hub.rose-house.lan", "192.168.1.20", "fd00:0::7"]
    first = authority.page(names).read_bytes()
    assert authority.page([*names[:2], "fd00::7"]).read_bytes() == first
    assert authority.page(names[:2]).read_bytes() != first
    short = authority.page(names, days=30).read_bytes()
    assert authority.page(names).read_bytes() != short
    authority.revoke(names[0])
    assert authority.page(names).exists()
    assert not authority.certificates()[0].revoked
