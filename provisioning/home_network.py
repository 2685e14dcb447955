"""Whether the fixed address of a site's file can be right, as far as the machine's own network tells.

It comes into force at the machine's next start, perhaps weeks later at a power cut: a mistyped one would
leave the home without broker and SSH, and nobody there who knows why. A hub that is at work tells by its
own addresses in which network it is. A machine that is no hub yet is often set up at the office and carried
to the home, so there it is said and not refused; likewise where the address was provisioned before, and
only `test_data` or a release is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface
from typing import Protocol

from provisioning.errors import ProvisioningError
from provisioning.machine_settings import Wired
from provisioning.site_file import Site


class _Seen(Protocol):
    """Of `looking.Seen` what is asked here."""

    @property
    def hub(self) -> str: ...
    @property
    def certified(self) -> bool: ...
    @property
    def connection(self) -> str: ...
    @property
    def addresses(self) -> Sequence[str]: ...
    @property
    def gateways(self) -> Sequence[str]: ...
    @property
    def wired(self) -> str: ...


def unlike_now(site: Site, seen: _Seen, target: str) -> list[str]:
    """In words, what is otherwise today than the site's file says of the wired network.

    Raises:
        ProvisioningError: the machine is a hub at work, and this would be new to it.
    """
    wired = site.machine.network.wired
    if not isinstance(wired, Wired):
        return []
    said = _otherwise(wired, seen)
    if not said:
        return []
    words = f"{target}: {said}; it holds from the machine's next start on"
    new = seen.wired != f"{wired.address},{wired.gateway}"
    if (seen.hub or seen.certified) and new and not wired.unlike_now:
        raise ProvisioningError(
            f"{words}, and the hub would then reach neither its broker nor you: nothing was changed. Put"
            " machine.network.wired right; or, where the home is to be numbered so, or the hub goes to"
            " another one, give it unlike_now = true"
        )
    return [f"{words}. Is it the home's?"]


def one_of_each_network(said: Iterable[str]) -> list[str]:
    """Of the addresses that a machine told, one of each network; what is no address is left out."""
    found: dict[IPv4Network | IPv6Network, str] = {}
    for each in said:
        with suppress(ValueError):
            interface = ip_interface(each.partition("%")[0])
            found.setdefault(interface.network, str(interface.ip))
    return list(found.values())


def _otherwise(wired: Wired, seen: _Seen) -> str:
    network = ip_interface(wired.address).network
    words = seen.connection.split()
    reached = words[2:3] if len(words) == 4 else []  # by SSH, at this address of the machine's own
    addresses = _of_a_network((*seen.addresses, *reached), network)
    gateways = _of_a_network(seen.gateways, network)
    if addresses and not any(ip_address(each) in network for each in (*addresses, *gateways)):
        return (
            f"machine.network.wired is {wired.address}, in {network}, and the machine is not in that network"
            f" today: it has {', '.join(addresses)}"
        )
    inside = [each for each in gateways if ip_address(each) in network]
    if inside and wired.gateway not in inside:
        return f"machine.network.wired has the gateway {wired.gateway}, and today it is {', '.join(inside)}"
    return ""


def _of_a_network(said: Iterable[str], network: IPv4Network | IPv6Network) -> list[str]:
    """Addresses of the same kind, once each. Link-local ones tell of no network, nor loopback ones."""
    found: dict[str, None] = {}
    for each in said:
        try:
            address = ip_address(each.partition("/")[0].partition("%")[0])
        except ValueError:
            continue
        mapped = getattr(address, "ipv4_mapped", None)
        address = mapped or address
        if address.version == network.version and not address.is_link_local and not address.is_loopback:
            found[str(address)] = None
    return list(found)
