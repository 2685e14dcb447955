"""What a machine is to have, as a list."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from provisioning.errors import ProvisioningError
from provisioning.keeper.linking import listed
from provisioning.keeper.resources import (
    Absent,
    Directory,
    File,
    Identity,
    Leftover,
    Link,
    Packages,
    Release,
    Resource,
    Run,
    Tree,
    Unit,
    from_json,
    title,
    to_json,
)
from provisioning.plan import PagePair, before_certificate, desired, with_certificate
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
        "leftover /etc/carehub/ca.crt",
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


def test_what_an_update_links_is_what_is_linked_but_for_what_a_site_decides(tmp_path: Path) -> None:
    links = [each for each in planned(site_of(tmp_path)) if isinstance(each, Link)]
    made = {each.path: each.to.partition("current/systemd/")[2] for each in links if "systemd/" in each.to}
    del made["/etc/systemd/system.conf.d/carehub.conf"]
    assert listed(PROJECT) == made
    units = [Path(path).name for path in made if path.startswith("/etc/systemd/system/")]
    assert units, "and by their names they are known as ours"
    assert all(name.startswith("carehub") for name in units)


def test_the_keeper_is_complete_and_outside_of_the_slots(tmp_path: Path) -> None:
    there = files(planned(site_of(tmp_path)))
    modules = {each.name for each in (PROJECT / "provisioning/keeper").glob("*.py")}
    tree = next(each for each in planned(site_of(tmp_path)) if isinstance(each, Tree))
    assert {Path(path).name for path in tree.files} == modules
    assert f'"{tree.path}"' in (PROJECT / "provisioning/keeper/launcher.py").read_text()
    assert there["/usr/lib/carehub/keeper"].mode == "0755"
    for unit in (PROJECT / "systemd/keeper").iterdir():
        assert there[f"/etc/systemd/system/{unit.name}"].content == unit.read_text(), "none is left out"
    assert not any(path.startswith("/opt/") for path in there)


def test_what_was_installed_by_hand_is_removed_last_of_all(tmp_path: Path) -> None:
    last = planned(site_of(tmp_path))[-1]
    assert isinstance(last, Run)
    by_hand = tmp_path / "carehub"
    for name in ("bin/carehub", "lib/python3.11/x.py", "pyvenv.cfg", "slots/a/manifest.json"):
        (by_hand / name).parent.mkdir(parents=True, exist_ok=True)
        (by_hand / name).touch()
    command, test = (each.replace("/opt/carehub", str(by_hand)) for each in (last.command, last.changed_if))
    assert subprocess.run(test, shell=True, check=False).returncode == 0
    subprocess.run(command, shell=True, check=True)
    assert [each.name for each in by_hand.iterdir()] == ["slots"]
    assert subprocess.run(test, shell=True, check=False).returncode != 0


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


def test_a_beacon_that_is_no_more_leaves_no_group_behind(tmp_path: Path) -> None:
    """By programs in the place of the machine's: no test may change whom this one has in its groups."""
    groups, hub_toml, done, kept = (
        tmp_path / name for name in ("groups", "hub.toml", "done", ".hub.toml.of-a")
    )
    for name, text in (
        ("getent", f'grep "^$2:" {groups}'),
        ("gpasswd", f'sed -i "/^$3:/s/$2//" {groups}'),
        ("systemctl", f'echo "$*" >>{done}'),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"

    def taken(text: str, in_force: str) -> list[str]:
        hub_toml.write_text(in_force)
        done.unlink(missing_ok=True)
        for each in planned(site_of(tmp_path, hub=text)):
            if isinstance(each, Run) and each.name.startswith("carehub is not in"):
                words = [
                    part.replace("/etc/carehub/", f"{tmp_path}/") for part in (each.changed_if, each.command)
                ]
                subprocess.run(["sh", "-c", " && ".join(words)], env={"PATH": path}, check=False)
        return sorted(line.partition(":")[0] for line in groups.read_text().splitlines() if "carehub" in line)

    both = "gpio:x:1:pi,carehub\ndialout:x:2:carehub\nbluetooth:x:3:carehub\n"
    groups.write_text(both)
    pin = f'{HUB}[beacon]\noutput = "gpio"\npin = 17\n'
    line = f'{HUB}[beacon]\noutput = "file"\nwrite_to = "/dev/ttyS0"\n'
    assert taken(HUB, line) == ["bluetooth", "dialout"], "as long as the hub.toml in force needs it"
    assert "try-restart carehub.service" in done.read_text()
    groups.write_text(both)
    assert taken(pin, pin) == ["bluetooth", "gpio"]
    assert taken(HUB, HUB) == ["bluetooth"]
    assert taken(HUB, HUB) == ["bluetooth"]
    assert not done.exists(), "a second run changes nothing"
    groups.write_text(both)
    assert taken(HUB, "spoilt [") == ["bluetooth", "dialout", "gpio"], "what cannot be read may need it"
    kept.write_text(pin)
    assert taken(HUB, HUB) == ["bluetooth", "gpio"], "as long as the release before may come back to it"
    at = {title(each): index for index, each in enumerate(planned(site_of(tmp_path)))}
    assert at["file /etc/carehub/hub.toml"] < at["run carehub is not in gpio"]


def test_what_a_sites_file_takes_back_does_not_stay(tmp_path: Path) -> None:
    (tmp_path / "wifi").write_text("correct horse")
    (tmp_path / "mqtt").write_text("hunter2hunter2")
    (tmp_path / "page.crt").write_text(CERTIFICATE)
    (tmp_path / "page.key").write_text("-----BEGIN PRIVATE KEY-----")
    page = '[page]\nport = 443\ncertificate_file = "page.crt"\nkey_file = "page.key"\n'
    machine = f"""
[machine.network]
wired = {{ address = "192.168.1.20/24", gateway = "192.168.1.1", dns = ["192.168.1.1"] }}
wifi = {{ ssid = "R", password_file = "wifi" }}
[machine.time]
servers = ["ntp.example"]
[machine]
journal = "100 MB"
[machine.ssh]
authorized_keys = ["{PUBLIC_KEY}"]
"""
    much = planned(site_of(tmp_path, machine, f'{HUB}password_file = "mqtt"\n{page}'))
    back = "[machine]\nconsole = true\nwatchdog = false\nspare_card = false\n[machine.firewall]\non = false\n"
    little = planned(site_of(tmp_path, back))

    def named(resources: list[Resource]) -> dict[str, Resource]:
        by_hub_toml = [each for each in resources if isinstance(each, Leftover)]
        return {
            getattr(each, "path", "") or getattr(each, "name", ""): each
            for each in [*by_hub_toml, *(each for each in resources if each not in by_hub_toml)]
        }

    brought, said = named(much), named(little)
    # The unit's own file goes with the unit; a directory has none but who is listed; trimming does no harm.
    by_another = {
        "/etc/systemd/system/carehub-firewall.service", "/etc/ssh/carehub_keys/root", "fstrim.timer",
        "radio of the Wi-Fi",
    }  # fmt: skip
    assert {each for each in brought if each not in said} == by_another
    for path in (
        "/etc/NetworkManager/system-connections/carehub-wifi.nmconnection",
        "/etc/modprobe.d/carehub-wifi.conf",
        "/etc/NetworkManager/system-connections/carehub-wired.nmconnection", "/etc/carehub/broker.password",
        "/etc/carehub/page.key", "/etc/systemd/system.conf.d/carehub.conf", "/etc/systemd/system/tmp.mount",
        "/etc/rpi/swap.conf.d/carehub.conf", "/etc/systemd/system/carehub-page.service.d/port.conf",
    ):  # fmt: skip
        assert not isinstance(brought[path], Absent | Leftover), path
        assert isinstance(said[path], Absent | Leftover), path
    assert (units(little)["apt-daily.timer"], units(little)["tmp.mount"]) == ("restored", "disabled")


def test_a_page_at_443_may_listen_there(tmp_path: Path) -> None:
    low = planned(site_of(tmp_path, hub=f"{HUB}[page]\nport = 443\n"))
    drop_in = files(low)["/etc/systemd/system/carehub-page.service.d/port.conf"].content
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE" in drop_in
    assert "tcp dport 443 accept" in files(low)["/etc/carehub/firewall.nft"].content


def test_what_names_the_broker_is_changed_with_hub_toml_and_the_pages_pair_under_its_names(
    tmp_path: Path,
) -> None:
    (tmp_path / "mqtt").write_text("hunter2hunter2")
    site = site_of(tmp_path, hub=HUB + 'password_file = "mqtt"\n')
    page = PagePair(CERTIFICATE, "-----BEGIN PRIVATE KEY-----")
    resources = desired(site, CERTIFICATE, manifest(), "3.11", SIGNERS, page=page)
    there = files(resources)
    named = {path for path, each in there.items() if each.named}
    assert named == {"/etc/carehub/ca.crt", "/etc/carehub/broker.password"}
    for path in named:
        assert f'"{path}"' in there["/etc/carehub/hub.toml"].content, "so that it can be another"
        assert there[path].then == (), "a restart is hub.toml's to owe"
    assert [each.path for each in resources if isinstance(each, Leftover)] == [
        "/etc/carehub/ca.crt", "/etc/carehub/broker.password", "/etc/carehub/page.crt",
        "/etc/carehub/page.key",
    ]  # fmt: skip


def test_who_signs_hubs_is_carried_apart_from_who_signed_the_brokers(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    there = files(desired(site, CERTIFICATE, manifest(), "3.11", SIGNERS, authority_pem="the hubs'"))
    assert there["/etc/carehub/authority.crt"].content == "the hubs'"
    assert there["/etc/carehub/ca.crt"].content == CERTIFICATE
    assert files(planned(site))["/etc/carehub/authority.crt"].content == CERTIFICATE
