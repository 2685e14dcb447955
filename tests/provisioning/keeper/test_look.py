"""What a machine is told to be, before anything is done to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from provisioning.keeper.look import look
from provisioning.keeper.places import Places
from provisioning.keeper.resources import File, Resource
from provisioning.plan import desired
from provisioning.site_file import Site, load
from tests.provisioning.test_provision import wired
from tests.rigs.box import Box
from tests.rigs.site import CERTIFICATE, HUB, manifest, write_site
from tests.rigs.sshd import make_key

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def planned(site: Site) -> list[Resource]:
    return desired(site, CERTIFICATE, manifest(), "3.11", "release ssh-ed25519 AAAA\n")


def test_look_says_what_there_is(tmp_path: Path) -> None:
    box = Box(tmp_path / "box")
    (box.root / "etc/passwd").write_text("pi:x:1:1::/home/pi:/bin/sh\n")
    found = look(Places(box.root), "pi")
    assert (found["keys"], found["systemd"], found["in_force"], found["certified"]) == (0, False, "", False)
    keys = box("/home/pi/.ssh/authorized_keys")
    keys.parent.mkdir(parents=True)
    sams = make_key(tmp_path / "sam").with_suffix(".pub").read_text()
    keys.write_text(f"# mine\n\nssh-ed25519 AAAA damaged\n{sams}")
    box("/run/systemd/system").mkdir(parents=True)
    box("/etc/os-release").write_text('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
    found = look(Places(box.root), "pi")
    assert (found["keys"], found["systemd"]) == (1, True)
    assert found["system"] == "Debian GNU/Linux 12 (bookworm)"
    assert look(Places(box.root), "nobody-here")["keys"] == 0
    assert (found["hub"], found["has_data"], found["machine"]) == ("", False, "")
    box("/etc/machine-id").write_text("4d1f0a\n")
    box("/etc/carehub").mkdir()
    box("/etc/carehub/hub.toml").write_text(HUB)
    box("/var/lib/carehub/hub.db").parent.mkdir(parents=True)
    box("/var/lib/carehub/hub.db").touch()
    found = look(Places(box.root), "pi")
    assert (found["hub"], found["has_data"]) == ("rose-house.hub-1", True)
    assert found["machine"]
    assert "4d1f0a" not in str(found["machine"]), "machine-id(5): not to be told"


def test_the_same_raspberry_pi_is_the_same_machine_with_another_card(tmp_path: Path) -> None:
    seen = []
    for card in ("one", "two"):
        box = Box(tmp_path / card)
        box("/etc/machine-id").write_text(card)
        box("/proc/device-tree").mkdir(parents=True)
        box("/proc/device-tree/serial-number").write_bytes(b"10000000a1b2c3d4\0")
        seen.append(look(Places(box.root), "pi")["machine"])
    assert seen[0] == seen[1] != ""


def test_look_goes_by_what_sshd_itself_makes_of_its_files(tmp_path: Path) -> None:
    box = Box(tmp_path / "box")
    (box.root / "etc/passwd").write_text("pi:x:1:1::/home/pi:/bin/sh\n")
    box("/etc/ssh/keys").mkdir(parents=True)
    sams = make_key(tmp_path / "sam").with_suffix(".pub").read_text()
    for path, keys in (("/etc/ssh/keys/pi", sams * 2), ("/home/pi/.ssh/authorized_keys", sams)):
        box(path).parent.mkdir(parents=True, exist_ok=True)
        box(path).write_text(keys)
    (box.root / "etc/ssh/sshd_config").write_text(
        f"HostKey {tmp_path}/sam\nPort 22\nPort 2222\n"
        f"AuthorizedKeysFile {box.root}/nowhere /etc/ssh/keys/%u\n"
    )
    found = look(Places(box.root), "pi")
    assert (found["ports"], found["keys"]) == ((22, 2222), 2)
    assert found["key_files"] == (f"{box.root}/nowhere", "/etc/ssh/keys/%u")
    assert found["key_logins"] == []
    box("/etc/ssh/carehub_keys").mkdir()
    box("/etc/ssh/carehub_keys/pi").write_text(sams)
    assert look(Places(box.root), "sam")["key_logins"] == ["pi"]


def test_what_sshd_is_told_of_one_login_alone_is_not_taken_for_everybodys(tmp_path: Path) -> None:
    box = Box(tmp_path / "box")
    box("/etc/ssh").mkdir(parents=True)
    make_key(tmp_path / "key")
    text = f"HostKey {tmp_path}/key\nMatch User pi\n  AuthorizedKeysFile /etc/ssh/pi.keys\n"
    box("/etc/ssh/sshd_config").write_text(text)
    found = look(Places(box.root), "pi")
    assert found["key_files"] == (".ssh/authorized_keys", ".ssh/authorized_keys2"), (
        "or sam's would count no more"
    )


def test_look_tells_what_sshd_says_of_root_without_ours(tmp_path: Path) -> None:
    box = Box(tmp_path / "box")
    box("/etc/ssh/sshd_config.d").mkdir(parents=True)
    make_key(tmp_path / "key")
    config, ours = box("/etc/ssh/sshd_config"), box("/etc/ssh/sshd_config.d/10-carehub.conf")
    begins = f"HostKey {tmp_path}/key\nInclude {box.root}/etc/ssh/sshd_config.d/*.conf\n"
    for said, found in (("yes", "yes"), ("no", "no"), ("prohibit-password", "without-password")):
        config.write_text(f"{begins}PermitRootLogin {said}\n")
        ours.unlink(missing_ok=True)
        assert look(Places(box.root), "pi")["root_login"] == found
        ours.write_text("PermitRootLogin prohibit-password\n")
        assert look(Places(box.root), "pi")["root_login"] == found, "or the next run would take ours away"
    box("/etc/ssh/sshd_config.d/20-other.conf").write_text("PermitRootLogin no\n")
    assert look(Places(box.root), "pi")["root_login"] == "no"


def test_keys_are_counted_where_sshd_looks_for_whoever_comes_from_there(tmp_path: Path) -> None:
    box = Box(tmp_path / "box")
    (box.root / "etc/passwd").write_text("pi:x:1:1::/home/pi:/bin/sh\n")
    box("/home/pi/.ssh").mkdir(parents=True)
    box("/home/pi/.ssh/authorized_keys").write_text(
        make_key(tmp_path / "sam").with_suffix(".pub").read_text()
    )
    box("/etc/ssh").mkdir()
    box("/etc/ssh/sshd_config").write_text(
        f"HostKey {tmp_path}/sam\nMatch Address 192.168.0.0/16\nAuthorizedKeysFile none\n"
    )
    assert [look(Places(box.root), "pi", each)["keys"] for each in ("10.8.0.7", "192.168.1.7")] == [1, 0]


def test_look_tells_the_machines_addresses_and_what_its_ethernet_is_to_have(tmp_path: Path) -> None:
    box = Box(tmp_path / "box")
    found = look(Places(box.root), "pi")
    asked = subprocess.run(
        ("ip", "-o", "address", "show", "up", "scope", "global"), capture_output=True, check=True
    )
    assert found["addresses"] == tuple(line.split()[3] for line in asked.stdout.decode().splitlines())
    assert found["wired"] == ""
    profile = box("/etc/NetworkManager/system-connections/carehub-wired.nmconnection")
    profile.parent.mkdir(parents=True)
    site = load(write_site(tmp_path, wired()))
    written = {each.path: each for each in planned(site) if isinstance(each, File)}
    profile.write_text(written[f"/{profile.relative_to(box.root)}"].content)
    assert look(Places(box.root), "pi")["wired"] == "192.168.1.20/24,192.168.1.1"
