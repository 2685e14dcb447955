"""Setting a hub up: what is refused before anything is done, and whose signature goes where.

The whole of it, on machines with a real systemd, is in tests/machine.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from provisioning.authority import Authority
from provisioning.bundle import Bundle
from provisioning.errors import ProvisioningError
from provisioning.keeper.apply import apply
from provisioning.keeper.places import Places
from provisioning.keeper.resources import File, Identity, Outcome, Resource, Unit
from provisioning.provision import Seen, _applied, _is_in, _known_as, _Work, provision
from provisioning.remote import Reach, Remote
from provisioning.site_file import Site, load
from tests.rigs.box import Box
from tests.rigs.hub_process import carehub_here
from tests.rigs.site import CERTIFICATE, HUB, manifest, write_site
from tests.rigs.sshd import Sshd, free_port, running_sshd

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as sshd:
        yield sshd


@pytest.fixture
def site(tmp_path: Path) -> Site:
    Authority(tmp_path / "ca").begin()
    return load(write_site(tmp_path))


def bundle(architecture: str) -> Bundle:
    made = replace(manifest(), architecture=architecture)
    return Bundle(Path("release.bundle"), made, "release", (PYTHON,), "a" * 64)


def test_a_machine_that_can_be_no_hub_is_refused_and_nothing_is_left_on_it(machine: Sshd, site: Site) -> None:
    told: list[str] = []
    before = set(Path("/var/tmp").glob("carehub-provisioning.*"))  # of a run that was cut off
    for architecture, words in (
        ("riscv64", "make a bundle with --architecture"),
        (platform.machine(), "systemd"),
    ):
        if words == "systemd" and Path("/run/systemd/system").is_dir():
            continue  # a developer's machine, which could be one
        with pytest.raises(ProvisioningError, match=words):
            provision(machine.target, site, bundle(architecture), tell=told.append, reach=machine.reach())
    assert told == []
    assert not set(Path("/var/tmp").glob("carehub-provisioning.*")) - before


def test_a_machine_is_looked_at_before_anything_is_done(machine: Sshd, site: Site) -> None:
    with Remote(machine.target, machine.reach()) as remote:
        work = _Work(remote, site, bundle("riscv64"), dry_run=True, tell=lambda _: None)
        seen = work.seen
        assert Path(seen.directory, "provisioning/keeper/apply.py").is_file()
        assert (seen.python, seen.architecture, seen.port) == (PYTHON, platform.machine(), machine.port)
        assert (seen.from_address, seen.login) == ("127.0.0.1", machine.target.partition("@")[0])
        work.ask()
        assert not Path(seen.directory).exists(), "with the last question"
        work.end()
        other = _Work(remote, site, bundle("riscv64"), dry_run=True, tell=lambda _: None)
        other.end()
        assert not Path(other.seen.directory).exists()


def test_a_keeper_that_breaks_down_half_way_is_no_machine_that_has_all(
    machine: Sshd, site: Site, tmp_path: Path
) -> None:
    """The real keeper, in a dry run on this machine; the base64 of the second file is none."""
    first, last = File(f"{tmp_path}/first", "x"), File(f"{tmp_path}/last", "x")
    work = worker(site, directory=str(Path(__file__).parents[2]))
    work.dry_run = True
    with Remote(machine.target, machine.reach()) as work._remote:
        with pytest.raises(ProvisioningError, match=r"ended with 1 before .*\(binascii\.Error: "):
            _Work.apply(work, [first, File(f"{tmp_path}/second", "base64:\x00A"), last])
        assert work.told[0].startswith(f"  would change: file {first.path}")
        refused = File(str(tmp_path), "x")  # there is a directory
        assert [each.change for each in _Work.apply(work, [refused, last])] == ["failed", "would change"]


def test_a_report_without_its_last_line_is_no_machine_that_has_all(site: Site, tmp_path: Path) -> None:
    """No keeper and no ssh leave one out and end well: hence one that does is stood in here."""

    class Short(Remote):
        def lines(self, command: str, stdin: bytes, **how: Any) -> Iterator[str]:
            yield Outcome("file /first", "changed").to_json()

    work = worker(site)
    work._remote = Short("pi@hub")
    with pytest.raises(ProvisioningError, match="told of 1 of 2 things only"):
        _Work.apply(work, [File("/first", "x"), File("/last", "x")])


def test_who_would_lock_themselves_out_by_the_firewall_is_stopped(site: Site, tmp_path: Path) -> None:
    firewall = "[machine.firewall]\nssh_from = ['10.8.0.0/16']\n"
    strict = load(write_site(tmp_path, firewall))
    with pytest.raises(ProvisioningError, match=r"leaves out 192\.168\.1\.7, from which you are logged in"):
        worker(strict, connection="192.168.1.7 50000 192.168.1.20 22").check()
    worker(strict, connection="10.8.3.4 50000 192.168.1.20 22").check()
    worker(site, connection="192.168.1.7 50000 192.168.1.20 22").check()


def test_another_release_does_not_take_the_place_of_the_one_to_go_back_to(site: Site) -> None:
    another = worker(site, on_probation=True, in_force="1.1 (two)", sha256="6" * 64)
    with pytest.raises(
        ProvisioningError, match=r"1\.1 \(two\) is watched over .*1\.2\.0.* nothing was changed"
    ):
        another.bring(None)
    another.dry_run = True
    assert another.bring(None) == ""
    assert worker(site, on_probation=True, sha256="5" * 64).bring(None) == "", "the same one again"


def test_an_address_is_in_a_network_of_its_own_kind_alone() -> None:
    assert _is_in("fd12::5", ["10.0.0.0/8", "fd12::/64"])
    assert not _is_in("fd13::5", ["0.0.0.0/0", "fd12::/64"])
    assert not _is_in("", ["0.0.0.0/0"])


def test_ssh_is_hardened_only_where_a_key_is_left(site: Site) -> None:
    assert not worker(site, keys=0).login().harden
    assert worker(site, keys=1).login().harden
    login = worker(site, connection="a 1 b 2222").login()
    assert (login.name, login.ports) == ("pi", (22, 2222))
    login = worker(site, ports=[2200, 22], key_files=["/etc/keys/%u"]).login()
    assert (login.ports, login.key_files) == ((22, 2200), ("/etc/keys/%u",)), "all that it listens at"


SEEN = Seen(
    directory="/var/tmp/x", login="pi", connection="192.168.1.7 50000 192.168.1.20 22",
    architecture="riscv64", python="3.11", system="Debian", systemd=True, machine="m1", hub="",
    has_data=False, in_force="", on_probation=False, certified=False, sha256="", keys=1,
    key_files=[".ssh/authorized_keys"], key_logins=[], ports=[22],
    root_login="without-password", addresses=["192.168.1.20/24"], gateways=["192.168.1.1"], wired="",
)  # fmt: skip


class Here(_Work):
    """A machine whose files are below a directory, without a connection to it."""

    def __init__(self, site: Site, box: Box | None, **seen: Any) -> None:
        self._site, self._box, self._bundle = site, box, bundle("riscv64")
        self._remote = Remote("pi@hub")
        self.dry_run, self.replaces, self.revoked, self.told = False, "", False, list[str]()
        self.tell = self.told.append
        self.seen = replace(SEEN, **seen)
        self.lists: list[Sequence[Resource]] = []
        self.cut_before = 0

    def apply(self, resources: Sequence[Resource]) -> list[Outcome]:
        assert self._box is not None
        self.lists.append(resources)
        if len(self.lists) == self.cut_before:
            raise ProvisioningError("cut off")
        # Of a machine without a systemd, what is no unit.
        kept = [each for each in resources if not isinstance(each, Unit)]
        return list(apply(kept, Places(self._box.root), dry_run=False, live=True))


def wired(more: str = "", gateway: str = "192.168.1.1") -> str:
    return (
        f'[machine.network]\nwired = {{ address = "192.168.1.20/24", gateway = "{gateway}",'
        f' dns = ["192.168.1.1"]{more} }}\n'
    )


IN_ANOTHER: dict[str, Any] = {
    "connection": "10.8.0.7 50000 192.168.0.20 22", "gateways": ["192.168.0.1", "fe80::1"],
    "addresses": ["192.168.0.20/24", "10.8.0.5/32", "fd00::2/64"],
}  # fmt: skip


@pytest.mark.parametrize("dry_run", [True, False])
def test_an_address_of_another_network_is_refused_before_anything_is_done(
    machine: Sshd, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dry_run: bool
) -> None:
    site = load(write_site(tmp_path, wired()))
    work = worker(site, None, hub=site.name, **IN_ANOTHER)
    work._left = False
    monkeypatch.setattr("provisioning.provision._Work", lambda *_: work)
    with pytest.raises(ProvisioningError, match="is not in that network today"):
        provision(machine.target, site, bundle("riscv64"), reach=machine.reach(), dry_run=dry_run)
    assert work.lists == []


def worker(site: Site, box: Box | None = None, **seen: Any) -> Here:
    return Here(site, box, **seen)


def identity(site: Site, ca_pem: str, *, anew: str = "") -> list[Resource]:
    units = [Unit("carehub.service", "running"), Unit("carehub-page.service", "running")]
    return [File("/etc/carehub/ca.crt", ca_pem), Identity(site.name, anew=anew), *units]


def test_a_request_is_signed_and_the_hub_started_only_then(site: Site, tmp_path: Path) -> None:
    authority, box = Authority(tmp_path / "ca"), Box(tmp_path / "box")
    work = worker(site, box)
    outcomes, to_do = _applied(site, authority, identity(site, authority.ca_pem), "", work)
    assert to_do == []
    assert box("/etc/carehub/identity/current/hub.crt").read_text().startswith("-----BEGIN CERTIFICATE")
    assert [any(isinstance(each, Unit) for each in found) for found in work.lists] == [False, True]
    assert [each.change for each in outcomes] == ["changed", "changed"]
    assert "hub rose-house.hub-1  rose-house  hub-1" in authority.clients_file.read_text().replace(
        "hub  ", "hub "
    )
    key = box("/etc/carehub/identity/current/hub.key").read_text().splitlines()[1]
    sent = "".join(each.read_text() for each in (tmp_path / "ca").rglob("*") if each.is_file())
    assert key not in sent, "the key stays where it was made"
    again = worker(site, box, certified=True)
    outcomes, _ = _applied(site, authority, identity(site, authority.ca_pem), "", again)
    assert [each.change for each in outcomes] == ["none", "none"]
    assert len(again.lists) == 1, "one round where nothing is to be signed"


def test_another_home_s_hub_is_not_made_this_one_by_a_wrong_address(site: Site) -> None:
    willow: dict[str, Any] = {"hub": "willow-court.hub-1"}
    with pytest.raises(
        ProvisioningError, match=r"is willow-court\.hub-1 today, .* makes it rose-house\.hub-1"
    ):
        worker(site, **willow).check_who(None, ["rose-house.hub-1"])
    worker(site, **willow).check_who(None, ["willow-court.hub-1"])
    with pytest.raises(ProvisioningError, match=r"taken for this one's residents'. Remove it first"):
        worker(site, has_data=True, **willow).check_who(None, ["willow-court.hub-1"])
    worker(site, has_data=True, hub="rose-house.hub-2").check_who(None, ["rose-house.hub-2"])
    worker(site, has_data=True, hub="rose-house.hub-1").check_who(None, [])


def set_up(site: Site, authority: Authority, work: Here, *instead_of: str) -> list[Outcome]:
    work.check_who(authority, instead_of)
    resources = identity(site, authority.ca_pem, anew=work.new_key)
    return _applied(site, authority, resources, "", work)[0]


def is_good(certificate: Path, authority: Authority) -> bool:
    verified = subprocess.run(
        ("openssl", "verify", "-crl_check", "-CAfile", authority.directory / "ca.crt",
         "-CRLfile", authority.directory / "revoked.crl", certificate),
        capture_output=True, check=False,
    )  # fmt: skip
    return verified.returncode == 0


def test_a_card_in_another_machine_gets_a_key_of_its_own_and_the_old_one_s_is_revoked(
    site: Site, tmp_path: Path
) -> None:
    authority, box, known = Authority(tmp_path / "ca"), Box(tmp_path / "box"), {"certified": True}
    set_up(site, authority, worker(site, box, machine="m1"))
    current = box("/etc/carehub/identity/current")
    old = tmp_path / "old"
    shutil.copytree(current, old)
    moved = worker(site, box, machine="m2", **known)
    # The line is cut when the old one's is revoked, and the new one not there yet.
    moved.cut_before = 2
    with pytest.raises(ProvisioningError, match="cut off"):
        set_up(site, authority, moved, site.name)
    assert not is_good(old / "hub.crt", authority)
    assert current.joinpath("hub.key").read_bytes() == old.joinpath("hub.key").read_bytes()
    again = worker(site, box, machine="m2", **known)
    set_up(site, authority, again)
    assert is_good(current / "hub.crt", authority)
    assert current.joinpath("hub.key").read_bytes() != old.joinpath("hub.key").read_bytes()
    set_up(site, authority, worker(site, box, machine="m2", **known))


def test_a_hub_that_was_revoked_is_certified_again_by_a_new_key_where_that_is_meant(
    site: Site, tmp_path: Path
) -> None:
    authority, box, known = Authority(tmp_path / "ca"), Box(tmp_path / "box"), {"certified": True}
    set_up(site, authority, worker(site, box, machine="m1"))
    current = box("/etc/carehub/identity/current")
    key = (current / "hub.key").read_bytes()
    authority.revoke(site.name)
    with pytest.raises(ProvisioningError, match=rf"has revoked {site.name}.*--instead-of {site.name}"):
        set_up(site, authority, worker(site, box, machine="m1", **known))
    outcomes = set_up(site, authority, worker(site, box, machine="m1", **known), site.name)
    assert "the authority has revoked the one it has: made a key" in " ".join(
        each.detail for each in outcomes
    )
    assert is_good(current / "hub.crt", authority)
    assert (current / "hub.key").read_bytes() != key
    assert f"user {site.name}" in authority.access()
    again = set_up(site, authority, worker(site, box, machine="m1", **known))
    assert {each.change for each in again} == {"none"}, "once"


def test_of_two_machines_that_are_set_up_at_once_by_one_name_the_second_is_refused(
    site: Site, tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "ca")
    first, second = (worker(site, Box(tmp_path / number), machine=number) for number in ("m1", "m2"))
    for work in (first, second):
        work.check_who(authority, ())
    resources = identity(site, authority.ca_pem)
    _applied(site, authority, resources, "", first)
    with pytest.raises(
        ProvisioningError, match="was certified for another machine while this one was set up"
    ):
        _applied(site, authority, resources, "", second)
    assert len((authority.directory / "index").read_text().splitlines()) == 1
    assert is_good(tmp_path / "m1/etc/carehub/identity/current/hub.crt", authority)


def test_what_was_applied_is_told_though_the_hub_cannot_be_asked(site: Site) -> None:
    work = worker(site)
    work._remote = Remote("pi@127.0.0.1", Reach(free_port()))
    (finding,) = work.ask()
    assert (finding.part, finding.verdict) == ("doctor", "fail")
    assert "cannot be asked: pi@127.0.0.1: " in finding.words


def test_a_copied_site_file_does_not_make_two_hubs_of_one_name(site: Site, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")

    def made(number: str, *instead_of: str) -> Path:
        box = Box(tmp_path / f"box-{number}")
        set_up(site, authority, worker(site, box, machine=number), *instead_of)
        return box("/etc/carehub/identity/current/hub.crt")

    first = made("m1")
    assert is_good(first, authority)
    made("m1")
    with pytest.raises(ProvisioningError, match=r"was certified for another machine on 20\d\d-.*a copy"):
        made("m2")
    assert not (tmp_path / "box-m2/etc/carehub").exists()
    second = made("m2", "rose-house.hub-1")
    assert (is_good(first, authority), is_good(second, authority)) == (False, True)
    worker(site, machine="m2").check_who(authority, ())


def test_by_what_a_machine_is_reached_from_now_on_is_said(tmp_path: Path) -> None:
    wired = 'wired = { address = "192.168.1.20/24", gateway = "192.168.1.1", dns = ["192.168.1.1"] }\n'
    site = load(write_site(tmp_path, f"[machine.network]\n{wired}"))
    profile = "file /etc/NetworkManager/system-connections/carehub-wired.nmconnection"
    said = _known_as(
        site, "pi@raspberrypi", [Outcome("file /etc/hostname", "changed"), Outcome(profile, "changed")]
    )
    assert "rose-house-hub-1.local" in said[0]
    assert "its address is 192.168.1.20" in said[1]
    assert _known_as(site, "pi@raspberrypi", [Outcome("file /etc/hostname", "none")]) == []


def test_an_external_authority_gets_a_file_and_gives_one(tmp_path: Path) -> None:
    theirs, box = Authority(tmp_path / "theirs"), Box(tmp_path / "box")
    theirs.begin()
    (tmp_path / "ca.pem").write_text(theirs.ca_pem)
    external = "[authority]\nexternal = true\n"
    site = load(write_site(tmp_path, hub=HUB + 'ca_file = "ca.pem"\n', authority=external))
    resources = identity(site, site.carried.broker_ca)
    outcomes, to_do = _applied(site, None, resources, "", worker(site, box))
    request = tmp_path / "rose-house.hub-1.csr"
    assert str(request) in to_do[0]
    assert "--certificate FILE" in to_do[0]
    given = theirs.sign_hub(request.read_text(), site.name)
    resources = [
        replace(each, certificate=given) if isinstance(each, Identity) else each for each in resources
    ]
    outcomes, to_do = _applied(site, None, resources, given, worker(site, box))
    assert (outcomes[1].change, to_do) == ("changed", [])
    assert box("/etc/carehub/identity/current/hub.crt").exists()


def test_without_signers_nothing_is_begun(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(CERTIFICATE)
    text = '[authority]\ndirectory = "ca"\n'
    site = load(write_site(tmp_path, authority=text))
    with pytest.raises(ProvisioningError, match="whose releases may this hub take"):
        provision("pi@hub", site, bundle("aarch64"))
    ended = carehub_here("provision", "pi@hub", "--site", site.path, "--bundle", tmp_path / "none")
    assert ended.code == 2
    assert "--signers" in ended.errors


def test_the_command_says_what_is_wrong_with_the_file_and_with_the_bundle(tmp_path: Path) -> None:
    path = write_site(tmp_path)
    ended = carehub_here("provision", "pi@hub", "--site", tmp_path / "no.toml", "--bundle", tmp_path / "none")
    assert ended.code == 3
    assert "no.toml: 1 problem(s)" in ended.errors
    ended = carehub_here("provision", "pi@hub", "--site", path, "--bundle", tmp_path / "none")
    assert ended.code == 1
    assert ended.errors.startswith("carehub: ")
