"""A site's file: what is taken over, and what is said of a wrong one."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from hub.configuration.file import ConfigError
from hub.configuration.file import load as load_hub
from provisioning.machine_settings import Wired, host_name
from provisioning.site_file import Site, load
from tests.rigs.site import CERTIFICATE, HUB, PUBLIC_KEY, write_site

EXAMPLE = Path(__file__).parents[2] / "provisioning" / "site.example.toml"


def problems(path: Path) -> str:
    with pytest.raises(ConfigError) as raised:
        load(path)
    return str(raised.value)


def test_the_hubs_part_goes_to_the_machine_as_it_is_written_with_its_files_there(tmp_path: Path) -> None:
    site = load(write_site(tmp_path))
    assert site.name == "rose-house.hub-1"
    assert site.host_name == "rose-house-hub-1"
    assert "# Rose House, the box in the office" in site.hub_toml
    assert 'host = "mqtt.ics.example"  # theirs' in site.hub_toml
    assert "authority" not in site.hub_toml
    assert tomllib.loads(site.hub_toml)["broker"] == {
        "host": "mqtt.ics.example",
        "ca_file": "/etc/carehub/ca.crt",
        "certificate_file": "/etc/carehub/identity/current/hub.crt",
        "key_file": "/etc/carehub/identity/current/hub.key",
    }
    (tmp_path / "hub.toml").write_text(site.hub_toml)
    assert load_hub(tmp_path / "hub.toml") == site.config
    assert site.warnings


@pytest.mark.parametrize("broker", ['broker = { host = "h" }', 'broker.host = "h"'])
def test_however_the_tables_are_written_and_wherever_they_stand(tmp_path: Path, broker: str) -> None:
    text = f"""{broker}
site.id = "s"
[machine.ssh]
harden = false
[hub]
id = "h"
[machine]
hostname = "box"
[authority]
external = true
[machine.time]
servers = ["ntp.example"]
[[residents]]
id = "R-1"
"""
    (tmp_path / "ca.pem").write_text(CERTIFICATE)
    text = text.replace('host = "h" }', 'host = "h", ca_file = "ca.pem" }')
    if "ca.pem" not in text:
        text = text.replace('broker.host = "h"', 'broker.host = "h"\nbroker.ca_file = "ca.pem"')
    path = write_site(tmp_path, hub=text, authority="")
    site = load(path)
    assert site.host_name == "box"
    assert site.machine.time.servers == ("ntp.example",)
    there = tomllib.loads(site.hub_toml)
    assert set(there) == {"broker", "site", "hub", "residents"}
    assert there["broker"]["ca_file"] == "/etc/carehub/ca.crt"


def test_every_wrong_key_is_named_at_once_and_the_file_is_the_sites(tmp_path: Path) -> None:
    hub = HUB.replace('id = "hub-1"', 'id = "hub.1"').replace("[broker]", "[broker]\nprot = 8883")
    machine = """
[machine]
hostname = "-box"
[machine.ssh]
authorized_keys = ["me"]
[machine.network]
wired = { address = "192.168.1.20", gateway = "192.168.1.1", dns = ["192.168.1.1"] }
wifi = { ssid = "Home", password_file = "nowhere.password" }
[machine.firewall]
ssh_from = ["10.0.0.1/8"]
"""
    words = problems(write_site(tmp_path, machine, hub=hub, authority='[authority]\nsort = "own"\n'))
    assert words.startswith(f"{tmp_path}/rose-house.toml: ")
    for key in (
        "hub.id: ", "broker.prot: no such key", "machine.hostname: ", "machine.ssh.authorized_keys[0]: ",
        "address", "machine.firewall.ssh_from[0]: ", "authority.sort: no such key",
    ):  # fmt: skip
        assert key in words, key


def test_a_file_that_is_named_and_not_there_is_a_wrong_key(tmp_path: Path) -> None:
    machine = '[machine.network.wifi]\nssid = "Home"\npassword_file = "nowhere.password"\n'
    words = problems(write_site(tmp_path, machine))
    assert (
        f"machine.network.wifi.password_file: {tmp_path}/nowhere.password cannot be read: No such file"
        in words
    )


def test_a_file_of_notepads_and_paths_of_the_home_directory_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "sam"))
    (tmp_path / "sam").mkdir()
    (tmp_path / "sam/ics.crt").write_text(CERTIFICATE)
    authority = '[authority]\ndirectory = "~/ca"\nrelease_signers = "release_signers"\n'
    path = write_site(tmp_path, hub=f'{HUB}ca_file = "~/ics.crt"\n', authority=authority)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    site = load(path)
    assert (site.carried.broker_ca, site.authority_directory) == (CERTIFICATE, tmp_path / "sam/ca")


def test_what_is_of_a_resident_is_never_quoted(tmp_path: Path) -> None:
    resident = '[[residents]]\nid = "Ada Lovelace"\nname = ""\nroom = 12\nborn = "Ada, 1931-13-45"\n'
    words = problems(write_site(tmp_path, resident))
    assert "residents[0].id: " in words
    assert "Ada" not in words


def test_an_external_authority_may_be_another_than_the_brokers(tmp_path: Path) -> None:
    (tmp_path / "brokers").write_text(CERTIFICATE)
    (tmp_path / "theirs").write_text(CERTIFICATE * 2)
    hub, both = f'{HUB}ca_file = "brokers"\n', '[authority]\nexternal = true\nca_file = "theirs"\n'
    assert load(write_site(tmp_path, hub=hub, authority=both)).carried.authority_ca == CERTIFICATE * 2
    own = '[authority]\ndirectory = "ca"\nca_file = "theirs"\n'
    assert "leave ca_file out" in problems(write_site(tmp_path, hub=hub, authority=own))


def test_the_pages_certificate_is_called_by_its_hub_alone(tmp_path: Path) -> None:
    page = '[machine.page]\nfrom_authority = true\nnames = ["hub.lan"]\n'
    first = load(write_site(tmp_path, page)).page_names
    assert first == ("rose-house.hub-1.page", "hub.lan", "rose-house-hub-1")
    other = load(write_site(tmp_path, page, hub=HUB.replace("rose", "willow"))).page_names
    assert first[0] != other[0]


@pytest.mark.parametrize(("hub", "refused"), [("h" * 26, False), ("h" * 27, True)])
def test_a_name_that_no_certificate_can_bear_is_refused(tmp_path: Path, hub: str, refused: bool) -> None:
    text = HUB.replace('"rose-house"', f'"{"s" * 32}"').replace('"hub-1"', f'"{hub}"')
    path = write_site(tmp_path, hub=text)
    if refused:
        assert "has 60 of 59 characters" in problems(path)
    else:
        assert len(load(path).page_names[0]) == 64, "the page's certificate has its own name"


def test_who_signs_must_be_said_and_once(tmp_path: Path) -> None:
    assert "authority: missing" in problems(write_site(tmp_path, authority=""))
    both = '[authority]\ndirectory = "ca"\nexternal = true\n'
    assert "give directory = ..." in problems(write_site(tmp_path, authority=both))


def test_an_external_authority_needs_the_brokers_to_be_named(tmp_path: Path) -> None:
    assert "broker.ca_file: missing" in problems(
        write_site(tmp_path, authority="[authority]\nexternal = true\n")
    )


def test_a_private_key_in_the_place_of_a_public_one_is_not_shown(tmp_path: Path) -> None:
    key = "-----BEGIN OPENSSH PRIVATE KEY-----b3BlbnNzaC1rZXktdjEA"
    words = problems(write_site(tmp_path, f'[machine.ssh]\nauthorized_keys = ["{key}"]\n'))
    assert "that is a private key" in words
    assert "b3BlbnNz" not in words


def test_a_damaged_public_key_is_refused_since_it_would_lock_everybody_out(tmp_path: Path) -> None:
    for key in (PUBLIC_KEY.replace("AAAAI", "AAABI"), PUBLIC_KEY.replace("ssh-ed25519", "ssh-rsa")):
        words = problems(write_site(tmp_path, f'[machine.ssh]\nauthorized_keys = ["{key}"]\n'))
        assert "authorized_keys[0]: the key is damaged" in words


def test_the_hubs_own_key_is_not_the_engineers_to_give(tmp_path: Path) -> None:
    hub = HUB + 'certificate_file = "hub.crt"\nkey_file = "hub.key"\n'
    words = problems(write_site(tmp_path, hub=hub))
    assert "broker.key_file: leave it out" in words


def test_what_is_in_the_named_files_is_carried_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "wifi").write_text("correct horse\n")
    (tmp_path / "mqtt").write_text("hunter2hunter2")
    (tmp_path / "page.crt").write_text(CERTIFICATE)
    (tmp_path / "page.key").write_text("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n")
    hub = HUB + 'password_file = "mqtt"\n[page]\ncertificate_file = "page.crt"\nkey_file = "page.key"\n'
    site = load(write_site(tmp_path, '[machine.network.wifi]\nssid = "H"\npassword_file = "wifi"\n', hub=hub))
    assert site.carried.wifi_password == "correct horse"
    assert site.carried.broker_password == "hunter2hunter2"
    there = tomllib.loads(site.hub_toml)
    assert there["broker"]["password_file"] == "/etc/carehub/broker.password"
    assert there["page"] == {
        "certificate_file": "/etc/carehub/page.crt",
        "key_file": "/etc/carehub/page.key",
    }
    for secret in ("correct horse", "hunter2", "PRIVATE KEY"):
        assert secret not in repr(site)


def test_the_page_answers_to_the_names_of_its_certificate(tmp_path: Path) -> None:
    page = '[machine.page]\nfrom_authority = true\nnames = ["hub.rose.lan", "192.168.1.20"]\n'
    assert load(write_site(tmp_path, page)).config.page.names == ("hub.rose.lan",)
    there = load(write_site(tmp_path, page, hub=HUB + '[page]\nnames = ["box"]\n')).config.page
    assert there.names == ("box", "hub.rose.lan")
    assert str(there.certificate_file) == "/etc/carehub/page.crt"


def test_a_wifi_password_that_wpa_does_not_take_is_refused_without_showing_it(tmp_path: Path) -> None:
    (tmp_path / "wifi").write_text("secret\nsecond line")
    words = problems(write_site(tmp_path, '[machine.network.wifi]\nssid = "H"\npassword_file = "wifi"\n'))
    assert "WPA takes 8 to 63" in words
    assert "second line" not in words


def test_what_is_unsafe_is_allowed_and_said(tmp_path: Path) -> None:
    machine = "[machine]\nwatchdog = false\n[machine.ssh]\nharden = false\n[machine.firewall]\non = false\n"
    said = " ".join(load(write_site(tmp_path, machine)).warnings)
    for words in (
        "machine.firewall.on = false",
        "machine.ssh.harden = false",
        "watchdog = false",
        "certificate",
    ):
        assert words in said


def test_without_tls_no_certificate_is_filled_in(tmp_path: Path) -> None:
    site = load(write_site(tmp_path, hub=HUB.replace("[broker]", "[broker]\ntls = false")))
    assert "ca_file" not in site.hub_toml
    assert any("broker.tls = false" in each for each in site.warnings)


def test_a_sensor_of_no_driver_is_a_wrong_key_here_too(tmp_path: Path) -> None:
    sensor = '[[sensors]]\naddress = "C4:F2:17:00:00:01"\ndriver = "blood_presure"\n'
    assert "sensors[0].driver: " in problems(write_site(tmp_path, sensor))


def test_no_toml_and_no_file_are_said(tmp_path: Path) -> None:
    assert "cannot be read" in problems(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[site")
    assert "is not TOML" in problems(tmp_path / "bad.toml")


def test_a_host_name_is_made_of_any_names() -> None:
    assert host_name("Rose_House", "Hub_1") == "rose-house-hub-1"
    assert host_name("a" * 32, "b" * 32) == f"{'a' * 32}-{'b' * 30}"
    assert not host_name("r" * 32, "b" * 30 + "__").endswith("-")


def test_a_fixed_address_needs_a_gateway_that_is_near(tmp_path: Path) -> None:
    wired = 'wired = { address = "192.168.1.20/24", gateway = "192.168.2.1", dns = ["192.168.2.1"] }\n'
    assert "is not in the network" in problems(write_site(tmp_path, f"[machine.network]\n{wired}"))
    wired = wired.replace("192.168.2.1", "192.168.1.1")
    for own in ("192.168.1.0/24", "192.168.1.1/24"):
        taken = wired.replace("192.168.1.20/24", own)
        assert "one is wrong" in problems(write_site(tmp_path, f"[machine.network]\n{taken}"))
    site = load(write_site(tmp_path, f"[machine.network]\n{wired}"))
    assert isinstance(site.machine.network.wired, Wired)


@pytest.mark.parametrize(
    ("address", "gateway", "dns", "words"),
    [
        ("192.168.1.255/24", "192.168.1.1", "192.168.1.1", "192.168.1.255 is the address of"),
        ("192.168.1.20/24", "192.168.1.255", "192.168.1.1", "192.168.1.255 is the address of"),
        ("192.168.1.20/24", "192.168.1.0", "192.168.1.1", "192.168.1.0 is the address of"),
        ("127.0.0.5/8", "127.0.0.1", "127.0.0.1", "no address of a machine"),
        ("192.168.1.20/24", "192.168.1.1", "fd00::1", "dns: give addresses of the same kind"),
        ("fd00::20/64", "fd00::1", "192.168.1.1", "dns: give addresses of the same kind"),
        ("10.0.0.1/31", "10.0.0.0", "10.0.0.0", ""),
        ("fd00::20/64", "fd00::1", "fd00::1", ""),
    ],
)
def test_a_fixed_address_is_one_that_the_machine_can_have(
    tmp_path: Path, address: str, gateway: str, dns: str, words: str
) -> None:
    wired = f'wired = {{ address = "{address}", gateway = "{gateway}", dns = ["{dns}"] }}\n'
    path = write_site(tmp_path, f"[machine.network]\n{wired}")
    if words:
        assert words in problems(path)
    else:
        assert isinstance(load(path).machine.network.wired, Wired)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (
            '[machine.firewall]\nssh_from = ["fe80::%x }\\n\\taccept\\n#/64"]\n',
            "machine.firewall.ssh_from[0]: ",
        ),
        ('[machine.firewall]\npage_from = ["fe80::1%eth0"]\n', "machine.firewall.page_from[0]: "),
        (
            '[machine.network]\nwired = { address = "fd12::20%a/64", gateway = "fd12::1%b",'
            ' dns = ["fd12::1%c\\n[connection]\\nid=evil"] }\n',
            "machine.network.wired",
        ),
    ],
)
def test_what_stands_behind_an_address_comes_into_no_file_of_the_machine(
    tmp_path: Path, text: str, key: str
) -> None:
    said = problems(write_site(tmp_path, text))
    assert key in said
    assert said.count("without '%'") == text.count("%")


@pytest.mark.parametrize("name", ["192.168.1", "hub.1", "a" * 61 + ".lan", "hub:8443", "a..b", "-a.lan", ""])
def test_a_name_of_the_page_that_no_certificate_can_have_is_a_wrong_key(tmp_path: Path, name: str) -> None:
    page = f'[machine.page]\nfrom_authority = true\nnames = ["{name}"]\n'
    assert "machine.page.names[0]: " in problems(write_site(tmp_path, page))
    assert "machine.hostname: " in problems(write_site(tmp_path, '[machine]\nhostname = "1234"\n'))


@pytest.mark.parametrize("named", ["~nobody9/x", "a\\u0000b"])
@pytest.mark.parametrize("key", ["authority.directory", "authority.release_signers", "broker.ca_file"])
def test_a_path_that_leads_nowhere_is_a_wrong_key(tmp_path: Path, key: str, named: str) -> None:
    paths = {"authority.directory": "ca", "authority.release_signers": "release_signers"} | {key: named}
    authority = "[authority]\n" + "".join(
        f'{each.partition(".")[2]} = "{path}"\n' for each, path in paths.items() if "authority" in each
    )
    hub = f'{HUB}ca_file = "{named}"\n' if key == "broker.ca_file" else HUB
    assert f"{key}: " in problems(write_site(tmp_path, hub=hub, authority=authority))


def test_what_is_of_another_kind_or_too_deep_is_said_too(tmp_path: Path) -> None:
    page = '[page]\nnames = 5\n[machine.page]\nfrom_authority = true\nnames = ["hub.lan"]\n'
    assert "page.names: " in problems(write_site(tmp_path, page))
    for depth in (3000, 150):
        deep = f"deep = {'[' * depth}{']' * depth}\n"
        problems(write_site(tmp_path, hub=deep + HUB))


def test_the_example_is_good_as_it_is_and_with_all_that_is_commented_out(tmp_path: Path) -> None:
    text = EXAMPLE.read_text()
    (tmp_path / "release_signers").write_text("release ssh-ed25519 AAAA\n")
    (tmp_path / "site.toml").write_text(text)
    assert load(tmp_path / "site.toml").name == "rose-house.hub-1"
    for name, content in (
        ("ics-ca.crt", CERTIFICATE), ("hub.rose-house.crt", CERTIFICATE), ("hub-1.password", "x" * 20),
        ("wifi.password", "battery staple"), ("hub.rose-house.key", "-----BEGIN PRIVATE KEY-----"),
    ):  # fmt: skip
        (tmp_path / name).write_text(content)
    shown = []
    for line in text.splitlines():
        bare = line.removeprefix("# ")
        key = bare.partition(" = ")[0]
        if line.startswith("# ") and (key.isidentifier() or bare.startswith(("[page]", "[update]"))):
            line = bare
        # Of what goes in two ways, one.
        if line.startswith(("external", 'wired = "dhcp"', "from_authority", "names =", 'ca_file = "hubs')):
            continue
        shown.append(line.replace("ssh-ed25519 AAAA... sam@laptop", PUBLIC_KEY))
    (tmp_path / "whole.toml").write_text("\n".join(shown))
    site: Site = load(tmp_path / "whole.toml")
    assert site.machine.network.wifi is not None
    assert site.machine.ssh.authorized_keys == (PUBLIC_KEY,)
    assert site.machine.firewall.ssh_from == ()
    assert site.carried.page_certificate == CERTIFICATE
