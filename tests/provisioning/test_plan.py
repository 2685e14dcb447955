"""What a machine is to have, as a list."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from provisioning.errors import ProvisioningError
from provisioning.keeper.resources import (
    Absent,
    Directory,
    File,
    Identity,
    Link,
    Packages,
    Release,
    Resource,
    Run,
    Unit,
    from_json,
    title,
    to_json,
)
from provisioning.plan import Login, PagePair, before_certificate, desired, with_certificate
from provisioning.plan_machine import firewall
from provisioning.site_file import Site, load
from tests.rigs.site import CERTIFICATE, HUB, PUBLIC_KEY, SIGNERS, manifest, write_site

PROJECT = Path(__file__).parents[2]


def site_of(directory: Path, text: str = "", hub: str = HUB) -> Site:
    return load(write_site(directory, text, hub=hub))


def planned(site: Site, certificate: str = "", bundle: str = "") -> list[Resource]:
    return desired(site, CERTIFICATE, manifest(), "3.11", SIGNERS, certificate, bundle)


def files(resources: list[Resource]) -> dict[str, File]:
    return {each.path: each for each in resources if isinstance(each, File)}


def units(resources: list[Resource]) -> dict[str, str]:
    return {each.name: each.state for each in resources if isinstance(each, Unit)}


def test_everything_comes_after_what_it_needs(tmp_path: Path) -> None:
    resources = planned(site_of(tmp_path))
    at = {title(each): index for index, each in enumerate(resources)}
    order = [
        next(name for name in at if name.startswith("packages")),
        "file /usr/lib/carehub/keeper",
        "file /etc/carehub/release_signers",
        f"release {'5' * 12}",
        "link /etc/sysusers.d/carehub.conf",
        "run systemd-sysusers /etc/sysusers.d/carehub.conf",
        "directory /etc/carehub",
        "file /etc/carehub/ca.crt",
        "identity rose-house.hub-1",
        "file /etc/carehub/hub.toml",
        "unit carehub-firewall.service",
        "unit carehub.service",
        "unit carehub-page.service",
    ]
    assert [at[name] for name in order] == sorted(at[name] for name in order)
    assert len(at) == len(resources), "nothing is in it twice, or one run would undo the other"
    assert isinstance(resources[0], Packages)


def test_what_belongs_to_the_hubs_group_comes_after_the_group(tmp_path: Path) -> None:
    resources = planned(site_of(tmp_path))
    made = next(i for i, each in enumerate(resources) if isinstance(each, Run) and "sysusers" in each.command)
    for each in resources[:made]:
        assert not isinstance(each, File | Directory) or each.group == "root", each


def test_every_link_leads_to_a_file_of_the_project(tmp_path: Path) -> None:
    links = [each for each in planned(site_of(tmp_path)) if isinstance(each, Link)]
    leading = [each.to for each in links if each.to.startswith("/opt/carehub/current/systemd/")]
    assert len(leading) >= 9
    for target in leading:
        assert (PROJECT / target.removeprefix("/opt/carehub/current/")).is_file(), target
    there = {str(each.relative_to(PROJECT)) for each in (PROJECT / "systemd").rglob("*.*") if each.is_file()}
    linked = {each.removeprefix("/opt/carehub/current/") for each in leading}
    assert {each for each in there - linked if "/keeper/" not in each and not each.endswith(".md")} == set()


def test_the_keeper_is_complete_and_outside_of_the_slots(tmp_path: Path) -> None:
    there = files(planned(site_of(tmp_path)))
    modules = {each.name for each in (PROJECT / "provisioning/keeper").glob("*.py")}
    assert modules <= {Path(path).name for path in there if path.startswith("/usr/lib/carehub/lib/")}
    assert there["/usr/lib/carehub/keeper"].mode == "0755"
    assert "/etc/systemd/system/carehub-settle.service" in there
    assert not any(path.startswith("/opt/") for path in there)


def test_secrets_are_secret_and_for_the_hub_alone(tmp_path: Path) -> None:
    (tmp_path / "wifi").write_text("correct horse")
    (tmp_path / "mqtt").write_text("hunter2hunter2")
    text = '[machine.network.wifi]\nssid = "Rose House"\npassword_file = "wifi"\n'
    site = site_of(tmp_path, text, HUB + 'password_file = "mqtt"\n')
    page = PagePair(CERTIFICATE, "-----BEGIN PRIVATE KEY-----")
    there = files(desired(site, CERTIFICATE, manifest(), "3.11", SIGNERS, page=page))
    for path in ("/etc/carehub/hub.toml", "/etc/carehub/broker.password", "/etc/carehub/page.key"):
        assert (there[path].mode, there[path].group, there[path].secret) == ("0640", "carehub", True)
    wifi = there["/etc/NetworkManager/system-connections/carehub-wifi.nmconnection"]
    assert (wifi.mode, wifi.secret) == ("0600", True)
    assert "psk=correct horse\n" in wifi.content
    assert f"ssid={''.join(f'{byte};' for byte in b'Rose House')}\n" in wifi.content
    for path, each in there.items():
        assert each.secret or not any(word in each.content for word in ("correct horse", "hunter2")), path
        assert not any(word in f"{each.check}{each.then}" for word in ("correct horse", "hunter2")), path


def test_the_configuration_is_checked_by_the_release_that_reads_it(tmp_path: Path) -> None:
    there = files(planned(site_of(tmp_path)))["/etc/carehub/hub.toml"]
    assert there.check == "/opt/carehub/current/bin/carehub check-config --config {}"
    assert "try-restart carehub.service" in there.then[0]


def test_a_release_without_that_python_is_said(tmp_path: Path) -> None:
    with pytest.raises(
        ProvisioningError, match=r"nothing for this machine's Python 3\.12, only for 3\.11, 3\.13"
    ):
        desired(site_of(tmp_path), CERTIFICATE, manifest(), "3.12", SIGNERS)


def test_the_list_is_the_same_on_the_other_side(tmp_path: Path) -> None:
    resources = planned(site_of(tmp_path), certificate=CERTIFICATE, bundle="/var/tmp/b")
    assert from_json(to_json(resources)) == resources
    assert Release("5" * 64, "/var/tmp/b") in resources


def test_a_hub_without_certificate_is_not_started_yet(tmp_path: Path) -> None:
    resources = planned(site_of(tmp_path))
    before = units(before_certificate(resources))
    assert "carehub.service" not in before
    assert before.items() <= units(resources).items()
    given = with_certificate(resources, CERTIFICATE)
    assert Identity("rose-house.hub-1", certificate=CERTIFICATE) in given
    assert len(given) == len(resources)


def test_without_tls_there_is_neither_identity_nor_authority(tmp_path: Path) -> None:
    resources = planned(site_of(tmp_path, hub=HUB.replace("[broker]", "[broker]\ntls = false")))
    assert not any(isinstance(each, Identity) for each in resources)
    assert "/etc/carehub/ca.crt" not in files(resources)


def test_no_login_on_the_screen_where_readers_would_type_on_it(tmp_path: Path) -> None:
    reader = '[[sensors]]\naddress = "USB:0C2E:0B61:S1"\ndriver = "wristband_reader"\n'
    assert units(planned(site_of(tmp_path, reader)))["getty@tty1.service"] == "masked"
    assert "getty@tty1.service" not in units(planned(site_of(tmp_path)))
    assert "getty@tty1.service" in units(planned(site_of(tmp_path, "[machine]\nconsole = false\n")))


def test_a_page_that_is_not_wanted_is_stopped(tmp_path: Path) -> None:
    resources = planned(site_of(tmp_path, "[machine.page]\nrun = false\n"))
    assert units(resources)["carehub-page.service"] == "stopped"
    assert "8443" not in files(resources)["/etc/carehub/firewall.nft"].content
    wants = "/etc/systemd/system/multi-user.target.wants/carehub-page.service"
    assert wants in [each.path for each in resources if isinstance(each, Absent)]


@pytest.mark.parametrize(
    ("output", "group"), [('"gpio"\npin = 17', "gpio"), ('"file"\nwrite_to = "/dev/ttyS0"', "dialout")]
)
def test_a_beacon_gets_the_group_that_it_needs(tmp_path: Path, output: str, group: str) -> None:
    hub = f"{HUB}[beacon]\noutput = {output}\n"
    runs = [each.command for each in planned(site_of(tmp_path, hub=hub)) if isinstance(each, Run)]
    assert any(f"usermod -aG {group} carehub" in each for each in runs)
    runs = [each.command for each in planned(site_of(tmp_path)) if isinstance(each, Run)]
    assert not any("usermod" in each for each in runs)


def test_ssh_is_hardened_unless_that_would_lock_the_login_out(tmp_path: Path) -> None:
    site, path = site_of(tmp_path), "/etc/ssh/sshd_config.d/10-carehub.conf"
    assert "PasswordAuthentication no" in files(planned(site))[path].content
    without = desired(site, CERTIFICATE, manifest(), "3.11", SIGNERS, login=Login("pi", harden=False))
    assert path not in files(without)
    absent = [each.path for each in without if isinstance(each, Absent)]
    assert path not in absent, "what an earlier run hardened stays: others would have passwords again"
    left_to_others = planned(site_of(tmp_path, "[machine.ssh]\nharden = false\n"))
    assert path in [each.path for each in left_to_others if isinstance(each, Absent)]


def test_who_has_many_keys_in_an_agent_is_not_locked_out(tmp_path: Path) -> None:
    """sshd counts each key that is offered: fewer than its own six tries would shut engineers out."""
    sshd = files(planned(site_of(tmp_path)))["/etc/ssh/sshd_config.d/10-carehub.conf"].content
    assert "MaxAuthTries" not in sshd


def test_the_firewall_comes_after_what_would_flush_it(tmp_path: Path) -> None:
    unit = files(planned(site_of(tmp_path)))["/etc/systemd/system/carehub-firewall.service"].content
    assert "nftables.service" in unit.partition("After=")[2].partition("\n")[0]


def test_keys_are_for_the_login_and_beside_its_own(tmp_path: Path) -> None:
    site = site_of(tmp_path, f'[machine.ssh]\nauthorized_keys = ["{PUBLIC_KEY}"]\n')
    there = files(desired(site, CERTIFICATE, manifest(), "3.11", SIGNERS, login=Login("pi")))
    assert there["/etc/ssh/carehub_keys/pi"].content == f"{PUBLIC_KEY}\n"
    sshd = there["/etc/ssh/sshd_config.d/10-carehub.conf"].content
    assert "AuthorizedKeysFile .ssh/authorized_keys .ssh/authorized_keys2 /etc/ssh/carehub_keys/%u\n" in sshd
    assert not any("/.ssh/" in path for path in there)


@pytest.mark.parametrize(
    "machine",
    ["", "[machine.ssh]\nharden = true\n[machine.firewall]\nssh_from = ['10.8.0.0/16', 'fd12::/64']\n"],
)
def test_nft_and_sshd_take_what_is_written_for_them(tmp_path: Path, machine: str) -> None:
    site = site_of(tmp_path, machine)
    rules = tmp_path / "rules"
    rules.write_text(firewall(site, (22, 2222)))
    # In a network of its own, so that nothing of this machine is asked or touched.
    checked = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", "/usr/sbin/nft", "--file", rules],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr
    key, conf = tmp_path / "host_key", tmp_path / "sshd.conf"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    sshd = files(planned(site))["/etc/ssh/sshd_config.d/10-carehub.conf"].content
    conf.write_text(f"HostKey {key}\n{sshd}")
    checked = subprocess.run(
        ["/usr/sbin/sshd", "-t", "-f", conf], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_the_firewall_lets_in_what_is_said_and_nothing_else(tmp_path: Path) -> None:
    site = site_of(tmp_path, "[machine.firewall]\nssh_from = ['10.8.0.0/16', 'fd12::/64']\n")
    rules = firewall(site, (22, 2222))
    assert "policy drop" in rules
    assert "ip saddr { 10.8.0.0/16 } tcp dport { 22, 2222 } accept" in rules
    assert "ip6 saddr { fd12::/64 } tcp dport { 22, 2222 } accept" in rules
    assert not re.search(r"^\s*tcp dport", rules, re.MULTILINE), "no port is open to everybody"
    assert re.search(r"ip saddr \{ 10\.0\.0\.0/8, .*\} tcp dport 8443 accept", rules)


def test_a_firewall_that_is_off_is_stopped(tmp_path: Path) -> None:
    resources = planned(site_of(tmp_path, "[machine.firewall]\non = false\n"))
    assert units(resources)["carehub-firewall.service"] == "stopped"
    assert "/etc/carehub/firewall.nft" not in files(resources)


def test_a_password_of_wifi_is_written_so_that_network_manager_reads_it_back(tmp_path: Path) -> None:
    (tmp_path / "wifi").write_text(" back\\slash; = # \n")
    site = site_of(tmp_path, '[machine.network.wifi]\nssid = "R"\npassword_file = "wifi"\n')
    wifi = files(planned(site))["/etc/NetworkManager/system-connections/carehub-wifi.nmconnection"]
    assert "\npsk=\\sback\\\\slash; = # \n" in wifi.content
