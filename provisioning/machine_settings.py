"""What a site's file says beside the hub's configuration: `[machine]` and `[authority]`.

Paths are files on the engineer's machine, relative to the site's file; their content is carried to the hub.
"""

from __future__ import annotations

import re
from base64 import b64decode
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from hub.configuration.values import Section, Size

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_SERVER = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?")
_KEY = re.compile(
    r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-ssh-ed25519@openssh\.com"
    r"|sk-ecdsa-sha2-nistp256@openssh\.com) [A-Za-z0-9+/]{40,}={0,3}( [^\n\r]*)?"
)

_LENGTH = 4  # bytes of the length before a string
_LONGEST_NAME = 64  # characters of a name in the authority's certificates

PRIVATE_NETWORKS = (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10",
)  # fmt: skip
"""RFC 1918, RFC 3927, RFC 4193 and link-local: what a home's network is numbered from."""


def _host_name(value: str) -> str:
    if not _HOST.fullmatch(value) or value.isdigit():
        raise ValueError(
            "give letters, digits and hyphens, at most 63, with no hyphen at either end; not digits alone"
        )
    return value


def _page_name(value: str) -> str:
    """As browsers read it: what ends with digits alone is an address, or nothing."""
    if _is_address(value):
        return value
    labels = value.split(".")
    if (
        not all(_HOST.fullmatch(each) for each in labels)
        or labels[-1].isdigit()
        or len(value) > _LONGEST_NAME
    ):
        raise ValueError(
            f'give a host name, at most {_LONGEST_NAME} characters, or a whole address: "hub.rose-house.lan",'
            ' "192.168.1.20"'
        )
    return value


def _is_address(value: str) -> bool:
    try:
        return "%" not in str(ip_address(value))
    except ValueError:
        return False


def _public_key(value: str) -> str:
    if "PRIVATE KEY" in value:
        raise ValueError("that is a private key, which must stay where it is: give the line of its .pub file")
    if not _KEY.fullmatch(value.strip()):
        raise ValueError(
            "give the line of a .pub file of OpenSSH, without options, as 'ssh-ed25519 AAAA... name'"
        )
    kind, key, *_ = value.split()
    if not _is_whole(kind, key):
        raise ValueError("the key is damaged, and would let nobody in: copy the whole line of its .pub file")
    return value.strip()


def _is_whole(kind: str, key: str) -> bool:
    """Whether a key is strings of the lengths that they say, the first of them its kind (RFC 4253, 6.6)."""
    try:
        left, parts = b64decode(key, validate=True), []
    except ValueError:
        return False
    while len(left) >= _LENGTH:
        size = int.from_bytes(left[:_LENGTH])
        if len(left) < _LENGTH + size:
            return False
        parts.append(left[_LENGTH : _LENGTH + size])
        left = left[_LENGTH + size :]
    return not left and len(parts) > 1 and parts[0] == kind.encode()


def _without_scope(value: str) -> str:
    """What stands behind '%' may be any text, a new line too, and would go as it is into the files of nft
    and NetworkManager."""
    if "%" in value:
        raise ValueError("give it without '%' and what follows: a scope is another on each machine")
    return value


def _network(value: str) -> str:
    _without_scope(value)
    try:
        return str(ip_network(value))
    except ValueError as error:
        raise ValueError(
            'give a network or an address, as "192.168.1.0/24", "10.1.2.3" or "fd12::/64"'
        ) from error


def _interface(value: str) -> str:
    _without_scope(value)
    try:
        found: IPv4Interface | IPv6Interface = ip_interface(value)
    except ValueError as error:
        raise ValueError('give an address with its network\'s length, as "192.168.1.20/24"') from error
    if "/" not in value or found.network.num_addresses == 1:
        raise ValueError('give the length of its network too, as "192.168.1.20/24"')
    return str(found)


def _an_address(value: str) -> str:
    _without_scope(value)
    try:
        return str(ip_address(value))
    except ValueError as error:
        raise ValueError('give an address, as "192.168.1.1"') from error


def _time_server(value: str) -> str:
    if not _SERVER.fullmatch(value):
        raise ValueError('give a name or an address, as "ntp.ics.example"')
    return value


def _ssid(value: str) -> str:
    if not 1 <= len(value.encode()) <= 32:
        raise ValueError("give the network's name: 1 to 32 bytes")
    return value


Network = Annotated[str, AfterValidator(_network)]
Address = Annotated[str, AfterValidator(_an_address)]


class Ssh(Section):
    """Who may log in. `authorized_keys` are public keys that let in beside those that the login has already.

    `harden`: no passwords, no forwarding, root by key only.
    """

    authorized_keys: tuple[Annotated[str, AfterValidator(_public_key)], ...] = ()
    harden: bool = True


class Wired(Section):
    """A fixed address on Ethernet, in the place of what the home's router gives. `unlike_now`: a hub that is
    at work is not in that network today, or has another gateway there, and that is meant."""

    address: Annotated[str, AfterValidator(_interface)]
    gateway: Address
    dns: Annotated[tuple[Address, ...], Field(min_length=1)]
    unlike_now: bool = False

    @model_validator(mode="after")
    def _can_be_in_one_network(self) -> Self:
        interface, gateway = ip_interface(self.address), ip_address(self.gateway)
        network = interface.network
        if gateway not in network:
            raise ValueError(
                f"the gateway {self.gateway} is not in the network of {self.address}: one is wrong"
            )
        if interface.ip in (network.network_address, gateway):
            raise ValueError(f"{self.address} is the network's own address or the gateway's: one is wrong")
        # In a network of two addresses both are of machines (RFC 3021).
        if network.version == 4 and network.num_addresses > 2:
            for each in (interface.ip, gateway):
                if each in (network.network_address, network.broadcast_address):
                    raise ValueError(
                        f"{each} is the address of {network} itself or of all in it, of no machine"
                    )
        if network.is_loopback or network.is_multicast:
            raise ValueError(f"{self.address} is no address of a machine in a network: one of the home's is")
        if any(ip_address(each).version != network.version for each in self.dns):
            raise ValueError(f"dns: give addresses of the same kind as {self.address}")
        return self


class Wifi(Section):
    """A Wi-Fi network. The password is in a file of the engineer's, so that the site's file can be shown."""

    ssid: Annotated[str, AfterValidator(_ssid)]
    password_file: Path
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "GB"


class NetworkSettings(Section):
    """How the machine reaches the home's network."""

    wired: Literal["dhcp"] | Wired = "dhcp"
    wifi: Wifi | None = None


class Time(Section):
    """Time servers; without any Debian's."""

    servers: tuple[Annotated[str, AfterValidator(_time_server)], ...] = ()


class Firewall(Section):
    """What may come in: SSH from `ssh_from` (from anywhere, where that is empty), the page from `page_from`
    (for nobody, machine.page.run = false)."""

    on: bool = True
    ssh_from: tuple[Network, ...] = ()
    page_from: Annotated[tuple[Network, ...], Field(min_length=1)] = PRIVATE_NETWORKS


class MachinePage(Section):
    """Whether the staff page runs. `from_authority`: its certificate comes from the pilot's own authority,
    for these `names` and addresses; otherwise from [page]'s certificate_file and key_file."""

    run: bool = True
    from_authority: bool = False
    names: tuple[Annotated[str, AfterValidator(_page_name)], ...] = ()

    @model_validator(mode="after")
    def _names_are_for_a_certificate(self) -> Self:
        if self.from_authority != bool(self.names):
            raise ValueError(
                "from_authority = true and names go together: give what the home types to reach the page"
            )
        return self


class Machine(Section):
    """What is of the machine and not of the hub.

    `console` has a login wait on the screen; without it there is one behind Alt+F2, and what a wristband's
    reader types goes nowhere. `journal` is how much of the card the log may take.
    """

    hostname: Annotated[str, AfterValidator(_host_name)] | None = None
    ssh: Ssh = Ssh()
    network: NetworkSettings = NetworkSettings()
    time: Time = Time()
    firewall: Firewall = Firewall()
    page: MachinePage = MachinePage()
    console: bool = False
    watchdog: bool = True
    journal: Annotated[Size, Field(ge=16 * 10**6)] | None = None
    spare_card: bool = True


class AuthoritySettings(Section):
    """Who signs the hub's certificate: the pilot's own authority in `directory` ('carehub ca'), or somebody
    else (`external`), by files; `ca_file` is then theirs, where another one signed the broker's certificate.
    `release_signers` says whose releases this hub takes (ssh-keygen(1), ALLOWED SIGNERS)."""

    directory: Path | None = None
    external: bool = False
    ca_file: Path | None = None
    release_signers: Path | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.directory is not None) == self.external:
            raise ValueError(
                "give directory = ... (made with 'carehub ca begin') or external = true, one of them"
            )
        if self.ca_file is not None and not self.external:
            raise ValueError("leave ca_file out: the authority in directory has its own")
        return self


class Beside(Section):
    """The two tables of a site's file that are not the hub's."""

    machine: Machine = Machine()
    authority: AuthoritySettings | None = None


def host_name(site: str, hub: str) -> str:
    """SITE-HUB, as a host name may be written."""
    return re.sub(r"[^a-z0-9-]", "-", f"{site}-{hub}".lower()).strip("-")[:63].rstrip("-")
