"""A site's file: the hub's configuration, `[machine]` and `[authority]`, and the files that it names.

The hub's part is checked as the hub checks it, and goes to the machine as it is written, comments included.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import ValidationError
from tomlkit.exceptions import TOMLKitError

from hub.configuration.file import PLAINTEXT, Config, ConfigError
from hub.configuration.values import wrong
from hub.sensors.fitting import misfit
from provisioning.machine_settings import AuthoritySettings, Beside, Machine, host_name
from provisioning.named_files import TOO_DEEP, file_named, read_toml

CA_FILE, AUTHORITY_FILE = "/etc/carehub/ca.crt", "/etc/carehub/authority.crt"
CERTIFICATE_FILE = "/etc/carehub/identity/current/hub.crt"
KEY_FILE = "/etc/carehub/identity/current/hub.key"
PASSWORD_FILE = "/etc/carehub/broker.password"
PAGE_CERTIFICATE_FILE, PAGE_KEY_FILE = "/etc/carehub/page.crt", "/etc/carehub/page.key"
_OURS = ("machine", "authority")
_LARGEST = 1 << 20
_PAGE = ".page"
_LONGEST_NAME = 64 - len(_PAGE)
"""Characters of the CN of the hub's certificate, so that the page's may have its own with as many as a CN has
(RFC 5280, ub-common-name)."""
_FIXED = {
    ("hub", "data_directory"): "the hub's unit lets it write to /var/lib/carehub alone",
    ("hub", "control_socket"): "the hub's unit makes /run/carehub for it",
    ("broker", "certificate_file"): "the hub's key is made on the hub, and its certificate by [authority]",
    ("broker", "key_file"): "the hub's key is made on the hub, and leaves it never",
}


@dataclass(frozen=True, slots=True)
class Carried:
    """The content of files that go to the hub; empty where there is none. Not shown: some are secret.

    `authority_ca` is the external authority's, where it is not `broker_ca`.
    """

    broker_ca: str = ""
    authority_ca: str = ""
    broker_password: str = field(default="", repr=False)
    wifi_password: str = field(default="", repr=False)
    page_certificate: str = ""
    page_key: str = field(default="", repr=False)
    release_signers: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """A hub as it is to be. `hub_toml` is its configuration as it goes to the machine, and `config` the same
    understood; `warnings` say what is allowed and unsafe."""

    path: Path
    config: Config
    hub_toml: str = field(repr=False)
    machine: Machine
    authority: AuthoritySettings
    carried: Carried
    warnings: tuple[str, ...]

    @property
    def name(self) -> str:
        """The CN of the hub's certificate."""
        return f"{self.config.site.id}.{self.config.hub.id}"

    @property
    def authority_directory(self) -> Path | None:
        """Of the pilot's own authority; None where it is somebody else's."""
        directory = self.authority.directory
        return None if directory is None else file_named(self.path.parent, directory)

    @property
    def release_signers_file(self) -> Path | None:
        """Who may sign releases for it; None where the file does not say."""
        signers = self.authority.release_signers
        return None if signers is None else file_named(self.path.parent, signers)

    @property
    def host_name(self) -> str:
        """What the machine is called."""
        return self.machine.hostname or host_name(self.config.site.id, self.config.hub.id)

    @property
    def page_names(self) -> tuple[str, ...]:
        """Of the page's certificate from the pilot's own authority. Its file is called by the first, which is
        this hub's alone: two homes may well type the same to reach theirs."""
        names = self.machine.page.names
        return (f"{self.name}{_PAGE}", *names, *({self.host_name} - set(names)))


def load(path: Path) -> Site:
    """Read and check a site's file, and every file that it names.

    Raises:
        ConfigError: it cannot be read, is no TOML, or keys are wrong; every wrong one is named.
    """
    text, document = read_toml(path)
    problems: list[str] = []
    beside = _beside(document, problems)
    hubs = {key: value for key, value in document.items() if key not in _OURS}
    problems += [
        f"{table}.{key}: leave it out: {why}"
        for (table, key), why in _FIXED.items()
        if key in _table(hubs, table)
    ]
    carried = _carried(path.parent, hubs, beside, problems)
    hub_toml = _for_the_machine(path, text, hubs, carried, beside)
    config = _config(hub_toml, problems)
    if problems or config is None or beside is None or beside.authority is None:
        raise ConfigError(path, problems)
    site = Site(path, config, hub_toml, beside.machine, beside.authority, carried, ())
    if len(site.name) > _LONGEST_NAME:
        words = f"hub.id: the certificate's name would be {site.name}, with site.id before it:"
        raise ConfigError(path, [f"{words} this has {len(site.name)} of {_LONGEST_NAME} characters"])
    return Site(path, config, hub_toml, beside.machine, beside.authority, carried, tuple(_unsafe(site)))


def _beside(document: dict[str, Any], problems: list[str]) -> Beside | None:
    try:
        found = Beside.model_validate({key: document[key] for key in _OURS if key in document})
    except ValidationError as error:
        problems += [
            _wrong_key(problem) if "authorized_keys" in problem["loc"] else wrong(problem)
            for problem in error.errors()
        ]
        return None
    if found.authority is None:
        problems.append("authority: missing: give [authority] with directory = ... or external = true")
    return found


def _wrong_key(problem: object) -> str:
    """Without what was given: it may be a private key."""
    assert isinstance(problem, dict)
    return wrong({**problem, "input": []})


def _config(hub_toml: str, problems: list[str]) -> Config | None:
    try:
        config = Config.model_validate(tomllib.loads(hub_toml))
    except ValidationError as error:
        problems += [wrong(problem) for problem in error.errors()]
        return None
    # As hub.sensors.enrolment refuses them, which would bring the whole hub along.
    for index, sensor in enumerate(config.sensors):
        if (found := misfit(sensor)) is not None:
            problems.append(f"sensors[{index}].{found.key}: {found.words}")
    return config


def _carried(where: Path, hubs: dict[str, Any], beside: Beside | None, problems: list[str]) -> Carried:
    """The content of the files that are named; what cannot be read is a problem."""

    def read(key: str, name: object) -> str:
        if not isinstance(name, str | Path):
            return ""
        try:
            file = file_named(where, name)
        except ValueError as error:
            problems.append(f"{key}: {error}")
            return ""
        try:
            if file.stat().st_size > _LARGEST:
                problems.append(f"{key}: {file} has more than 1 MB: is it the right file?")
                return ""
            content = file.read_text(encoding="utf-8-sig")
        except OSError as error:
            problems.append(f"{key}: {file} cannot be read: {error.strerror}")
            return ""
        except UnicodeDecodeError:
            problems.append(f"{key}: {file} is no text: give a PEM file, or a password as text")
            return ""
        if not content.strip():
            problems.append(f"{key}: {file} is empty")
        return content

    broker, page = _table(hubs, "broker"), _table(hubs, "page")
    wifi = beside.machine.network.wifi if beside else None
    authority = beside.authority if beside else None
    if authority is not None and authority.directory is not None:
        try:
            file_named(where, authority.directory)
        except ValueError as error:
            problems.append(f"authority.directory: {error}")
    carried = Carried(
        broker_ca=read("broker.ca_file", broker.get("ca_file")),
        authority_ca=read("authority.ca_file", authority and authority.ca_file),
        broker_password=read("broker.password_file", broker.get("password_file")),
        wifi_password=read("machine.network.wifi.password_file", wifi and wifi.password_file).rstrip("\r\n"),
        page_certificate=read("page.certificate_file", page.get("certificate_file")),
        page_key=read("page.key_file", page.get("key_file")),
        release_signers=read("authority.release_signers", authority and authority.release_signers),
    )
    problems += _misfits(carried, beside)
    return carried


def _misfits(carried: Carried, beside: Beside | None) -> list[str]:
    found: list[str] = []
    for key, content in (
        ("broker.ca_file", carried.broker_ca),
        ("authority.ca_file", carried.authority_ca),
        ("page.certificate_file", carried.page_certificate),
    ):
        if content.strip() and "-----BEGIN CERTIFICATE-----" not in content:
            found.append(f"{key}: has no certificate in it (PEM)")
    if carried.page_key.strip() and "PRIVATE KEY-----" not in carried.page_key:
        found.append("page.key_file: has no private key in it (PEM)")
    password = carried.wifi_password
    if password and not (
        (8 <= len(password) <= 63 and password.isascii() and password.isprintable())
        or (len(password) == 64 and all(letter in "0123456789abcdefABCDEF" for letter in password))
    ):
        found.append("machine.network.wifi.password_file: WPA takes 8 to 63 plain characters, on one line")
    if beside is None:
        return found
    if beside.machine.page.from_authority:
        if carried.page_certificate:
            found.append("machine.page.from_authority: [page] has a certificate_file already: leave one out")
        if beside.authority is not None and beside.authority.external:
            found.append(
                "machine.page.from_authority: needs authority.directory: an external one signs no page here"
            )
    if beside.authority is not None and beside.authority.external and not carried.broker_ca:
        found.append(
            "broker.ca_file: missing: with an external authority give the one that signed the broker's"
        )
    return found


def _table(document: dict[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _for_the_machine(
    path: Path, text: str, hubs: dict[str, Any], carried: Carried, beside: Beside | None
) -> str:
    """The hub's part as it is written, with the files where they are on the machine."""
    try:
        document = tomlkit.parse(text)
        for table in _OURS:
            document.pop(table, None)
        broker, page = document.get("broker"), document.get("page")
        tls = _table(hubs, "broker").get("tls", True) is not False
        if isinstance(broker, dict):
            if tls:
                broker.update(
                    {"ca_file": CA_FILE, "certificate_file": CERTIFICATE_FILE, "key_file": KEY_FILE}
                )
            if "password_file" in broker:
                broker["password_file"] = PASSWORD_FILE
        if carried.page_certificate or (beside is not None and beside.machine.page.from_authority):
            if not isinstance(page, dict):
                document["page"] = page = tomlkit.table()
            page.update({"certificate_file": PAGE_CERTIFICATE_FILE, "key_file": PAGE_KEY_FILE})
            # It answers to the names that are in its certificate.
            names = _table(hubs, "page").get("names", [])
            if isinstance(names, list):
                more = [each for each in _page_names(beside) if each not in names]
                if more:
                    page["names"] = [*names, *more]
        return tomlkit.dumps(document)
    except TOMLKitError as error:
        raise ConfigError(path, [f"is not TOML: {error}"]) from error
    except RecursionError as error:
        raise ConfigError(path, [TOO_DEEP]) from error


def _page_names(beside: Beside | None) -> list[str]:
    """The host names of the page's certificate from the authority; by an address it answers anyhow."""
    found = []
    for name in beside.machine.page.names if beside is not None else ():
        try:
            ip_address(name)
        except ValueError:
            found.append(name)
    return found


def _unsafe(site: Site) -> list[str]:
    config, machine = site.config, site.machine
    found: list[str] = []
    if config.broker.readable_on_the_way:
        found.append(PLAINTEXT)
    if not machine.firewall.on:
        found.append(
            "machine.firewall.on = false: whatever listens here can be reached from the home's network"
        )
    if not machine.ssh.harden:
        found.append("machine.ssh.harden = false: who guesses a password is in, and reads residents' health")
    if machine.page.run and not site.carried.page_certificate and not machine.page.from_authority:
        found.append(
            "the staff page has no certificate of its own, and browsers refuse the broker's: give [page]"
            " certificate_file and key_file, or [machine.page] from_authority = true with names"
        )
    if machine.console:
        found.append(
            "machine.console = true: what a reader of wristbands types at the login on the screen is logged"
        )
    if not machine.watchdog:
        found.append("machine.watchdog = false: a machine that hangs stays so until somebody pulls its plug")
    if not site.carried.release_signers:
        found.append("authority.release_signers is not given: name the file with --signers")
    if config.site.test_data:
        found.append(
            "site.test_data = true: all that this hub sends is marked as test data, and is not acted upon"
        )
    return found
