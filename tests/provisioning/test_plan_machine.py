"""What is of the machine and not of the hub, as a list."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from provisioning.keeper.resources import Absent, Directory, File, Resource, Run, Unit, title
from provisioning.plan import Login, desired
from provisioning.plan_machine import firewall
from provisioning.site_file import Site, load
from tests.rigs.box import Box
from tests.rigs.site import CERTIFICATE, HUB, PUBLIC_KEY, SIGNERS, manifest, write_site

SSHD = "/etc/ssh/sshd_config.d/10-carehub.conf"


def site_of(directory: Path, text: str = "", hub: str = HUB) -> Site:
    return load(write_site(directory, text, hub=hub))


def planned(site: Site) -> list[Resource]:
    return desired(site, CERTIFICATE, manifest(), "3.11", SIGNERS)


def files(resources: list[Resource]) -> dict[str, File]:
    return {each.path: each for each in resources if isinstance(each, File)}


def units(resources: list[Resource]) -> dict[str, str]:
    return {each.name: each.state for each in resources if isinstance(each, Unit)}


def test_no_login_on_the_screen_where_readers_would_type_on_it(tmp_path: Path) -> None:
    assert units(planned(site_of(tmp_path)))["getty@tty1.service"] == "masked", "readers come by command"
    back = units(planned(site_of(tmp_path, "[machine]\nconsole = true\n")))
    assert (back["getty@tty1.service"], back["ctrl-alt-del.target"]) == ("unmasked", "unmasked")


def test_ssh_is_hardened_unless_that_would_lock_the_login_out(tmp_path: Path) -> None:
    site, path = site_of(tmp_path), SSHD
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


def test_every_key_that_lets_in_now_goes_on_letting_in(tmp_path: Path) -> None:
    """sshd may look for keys elsewhere, and what we say of it comes first."""
    site = site_of(tmp_path, f'[machine.ssh]\nauthorized_keys = ["{PUBLIC_KEY}"]\n')
    login = Login("pi", key_files=("/etc/ssh/authorized_keys/%u", "/etc/ssh/carehub_keys/%u"))
    sshd = files(desired(site, CERTIFICATE, manifest(), "3.11", SIGNERS, login=login))[SSHD].content
    assert "AuthorizedKeysFile /etc/ssh/authorized_keys/%u /etc/ssh/carehub_keys/%u\n" in sshd


def test_keys_that_are_struck_off_are_so_for_every_login_and_no_login_is_lost(tmp_path: Path) -> None:
    def given(text: str, login: Login) -> list[Resource]:
        resources = desired(site_of(tmp_path, text), CERTIFICATE, manifest(), "3.11", SIGNERS, login=login)
        return [each for each in resources if "carehub_keys" in getattr(each, "path", "")]

    keys = f'[machine.ssh]\nauthorized_keys = ["{PUBLIC_KEY}"]\n'
    both = given(keys, Login("sam", others=("pi", "sam")))
    directory = Directory("/etc/ssh/carehub_keys")
    assert both == [
        *(File(f"{directory.path}/{name}", f"{PUBLIC_KEY}\n") for name in ("pi", "sam")),
        directory,
    ]
    assert given("", Login("pi", others=("pi",))) == [Directory("/etc/ssh/carehub_keys", only=())]
    assert given("", Login("pi", harden=False)) == [], "they may be all that lets in"


def test_an_sshd_that_does_not_read_ours_is_made_to_and_one_that_overrules_it_is_said(tmp_path: Path) -> None:
    ssh = tmp_path / "ssh"
    (ssh / "sshd_config.d").mkdir(parents=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", ssh / "key"], check=True)
    (ssh / "sshd_config").write_text(f"HostKey {ssh}/key\nPasswordAuthentication yes\n")
    planned_here = [each for each in planned(site_of(tmp_path)) if "sshd" in title(each)]
    reads, holds = (each for each in planned_here if isinstance(each, Run))
    (ours,) = (each for each in planned_here if isinstance(each, File))

    def shell(text: str) -> subprocess.CompletedProcess[str]:
        here = text.replace("/etc/ssh/", f"{ssh}/").replace(
            "sshd -T", f"/usr/sbin/sshd -T -f {ssh}/sshd_config"
        )
        return subprocess.run(["sh", "-c", here], capture_output=True, text=True, check=False)

    def needed(resource: Run) -> bool:
        return shell(resource.changed_if).returncode == 0

    assert not needed(holds), "a dry run says nothing of a file that is not there yet"
    (ssh / "sshd_config.d/10-carehub.conf").write_text(ours.content)
    assert (needed(reads), needed(holds)) == (True, True)
    shell(reads.command)
    assert (needed(reads), needed(holds)) == (False, False)
    assert (ssh / "sshd_config").read_text().endswith("PasswordAuthentication yes\n")
    (ssh / "sshd_config.d/01-other.conf").write_text("PasswordAuthentication yes\n")
    assert needed(holds)
    said = shell(holds.command)
    assert (said.returncode, "take it away" in said.stdout) == (1, True)


def test_an_sshd_that_does_otherwise_for_the_homes_network_alone_is_said(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    login = Login("pi", addresses=("10.8.0.7", "192.168.1.20"))
    resources = desired(site_of(tmp_path), CERTIFICATE, manifest(), "3.11", SIGNERS, login=login)
    ours = files(resources)[SSHD].content
    (holds,) = (each for each in resources if isinstance(each, Run) and "sshd does" in title(each))

    def needed(others: str) -> str:
        conf = tmp_path / "sshd_config"
        conf.write_text(f"HostKey {tmp_path}/key\n{ours}{others}")
        here = "\n".join((holds.changed_if, holds.command)).replace(SSHD, str(conf))
        here = here.replace("$(sshd -T", f"$(/usr/sbin/sshd -T -f {conf}").replace(
            "]\necho", "] || exit 0\necho"
        )
        return subprocess.run(["sh", "-c", here], capture_output=True, text=True, check=False).stdout

    assert needed("PasswordAuthentication yes\n") == "", "ours is read first"
    assert needed("PermitRootLogin no\n") == ""
    for section in ("PasswordAuthentication yes", "PermitRootLogin yes"):
        said = needed(f"Match Address 192.168.0.0/16\n{section}\n")
        assert "sudo sshd -T -C user=pi,host=localhost,addr=192.168.1.20, take it away" in said


def test_that_root_may_not_log_in_at_all_is_not_overruled(tmp_path: Path) -> None:
    def line(root_login: str) -> bool:
        login = Login("pi", root_login=root_login)
        planned_here = desired(site_of(tmp_path), CERTIFICATE, manifest(), "3.11", SIGNERS, login=login)
        return "PermitRootLogin prohibit-password" in files(planned_here)[SSHD].content

    assert [each for each in ("yes", "no", "without-password", "") if line(each)] == ["yes"]


def test_a_dry_run_on_a_machine_without_nft_is_too_early_to_check_its_rules(tmp_path: Path) -> None:
    rules = files(planned(site_of(tmp_path)))["/etc/carehub/firewall.nft"]
    assert Box(tmp_path / "bare").one(rules, dry_run=True).change == "would change"


def test_what_the_log_had_in_memory_comes_to_the_card_with_the_rest(tmp_path: Path) -> None:
    restarts = [
        then
        for each in planned(site_of(tmp_path))
        for then in getattr(each, "then", ())
        if "journald" in then
    ]
    assert restarts
    assert all("journalctl --flush" in each for each in restarts)


def test_cloud_init_does_not_take_the_name_back_at_the_next_start(tmp_path: Path) -> None:
    runs = {title(each): each for each in planned(site_of(tmp_path)) if isinstance(each, Run)}
    there = runs["run cloud-init is done"]

    def here(command: str) -> int:
        return subprocess.run(["sh", "-c", command.replace("/etc/", f"{tmp_path}/")], check=False).returncode

    assert here(there.changed_if) != 0, "a machine without cloud-init"
    (tmp_path / "cloud").mkdir()
    assert here(there.changed_if) == 0
    assert here(there.command) == 0
    assert (tmp_path / "cloud/cloud-init.disabled").exists()
    assert here(there.changed_if) != 0


def test_a_fresh_machines_radio_is_switched_on_in_its_country(tmp_path: Path) -> None:
    (tmp_path / "wifi").write_text("correct horse")
    text = '[machine.network.wifi]\nssid = "R"\npassword_file = "wifi"\ncountry = "IE"\n'
    resources = planned(site_of(tmp_path, text))
    country = files(resources)["/etc/modprobe.d/carehub-wifi.conf"]
    assert "options cfg80211 ieee80211_regdom=IE\n" in country.content
    assert "NetworkManager is not on this machine" in country.check
    assert not country.secret, "of a secret file no check's words are shown"
    assert any(isinstance(each, Run) and each.command.startswith("nmcli radio wifi on") for each in resources)


def test_what_is_left_of_networks_is_not_cut_by_reading_a_new_one(tmp_path: Path) -> None:
    """'nmcli connection reload' ends the connections whose files are gone: perhaps the engineer's."""
    (tmp_path / "wifi").write_text("correct horse")
    text = '[machine.network.wifi]\nssid = "R"\npassword_file = "wifi"\n'
    for each in planned(site_of(tmp_path, text)):
        assert not any("reload" in then for then in getattr(each, "then", ()) if "nmcli" in then)


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
    assert units(resources)["carehub-firewall.service"] == "absent"
    assert "/etc/carehub/firewall.nft" not in files(resources)
    at = {title(each): index for index, each in enumerate(resources)}
    assert at["unit carehub-firewall.service"] < at["absent /etc/carehub/firewall.nft"], "it needs it to end"


def test_a_password_of_wifi_is_written_so_that_network_manager_reads_it_back(tmp_path: Path) -> None:
    (tmp_path / "wifi").write_text(" back\\slash; = # \n")
    site = site_of(tmp_path, '[machine.network.wifi]\nssid = "R"\npassword_file = "wifi"\n')
    wifi = files(planned(site))["/etc/NetworkManager/system-connections/carehub-wifi.nmconnection"]
    assert "\npsk=\\sback\\\\slash; = # \n" in wifi.content


def test_sudo_and_what_pam_says_of_it_keep_nothing_of_what_is_typed_to_carehub(tmp_path: Path) -> None:
    rule = files(planned(site_of(tmp_path)))["/etc/sudoers.d/carehub"]
    assert rule.mode == "0440"
    assert "visudo -cf {}" in rule.check
    line = rule.content.splitlines()[-1]
    named, _, options = line.removeprefix("Defaults!").partition(" ")
    assert set(named.split(",")) == {
        "/usr/local/bin/carehub",
        "/opt/carehub/current/bin/carehub",
        "/opt/carehub/slots/*/bin/carehub",
    }
    # pam_session: each line of PAM has the whole command as its _CMDLINE in the journal.
    assert {"!syslog", "!log_allowed", "!log_denied", "!pam_session"} <= set(options.split(", "))
