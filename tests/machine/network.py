"""The rig's network: one bridge, on which the broker listens and every machine has an address of its own.

Everything of a run that outlives a killed process (namespaces, mounts, control groups, the bridge) has a name
that begins with `NAME`, and is taken away by the next one.
"""

from __future__ import annotations

import ipaddress

from tests.machine.running import insist, quietly, run

NAME = "careport"
BRIDGE = f"{NAME}0"
RIG_ADDRESS = "10.96.0.1"
"""The engineer's laptop and the broker."""
BROKER_NAME = "mqtt.ics.example"
_NET = ipaddress.ip_network("10.96.0.0/24")


def address(number: int) -> str:
    """Of the machine of that number, from 1 on."""
    return str(_NET[9 + number])


def set_up() -> None:
    """The bridge, with the rig's own address."""
    insist("ip", "link", "add", BRIDGE, "type", "bridge")
    insist("ip", "address", "add", f"{RIG_ADDRESS}/{_NET.prefixlen}", "dev", BRIDGE)
    insist("ip", "link", "set", BRIDGE, "up")


def take_down() -> None:
    """The bridge, and what namespaces are left of machines."""
    for line in run("ip", "netns", "list").output.splitlines():
        name = line.split()[0] if line.split() else ""
        if name.startswith(f"{NAME}-"):
            quietly([("ip", "netns", "delete", name)])
    quietly([("ip", "link", "delete", BRIDGE)])


class Plug:
    """A machine's own network namespace, with eth0 in it, and the cable to the bridge."""

    def __init__(self, name: str, number: int) -> None:
        self.namespace = f"{NAME}-{name}"
        self.path = f"/run/netns/{self.namespace}"
        self._cable = f"{NAME}v{number}"
        insist("ip", "netns", "add", self.namespace)
        add = ("ip", "link", "add", self._cable, "type", "veth", "peer", "name", "eth0")
        insist(*add, "netns", self.namespace)
        insist("ip", "link", "set", self._cable, "master", BRIDGE, "up")
        within = ("ip", "-n", self.namespace)
        insist(*within, "address", "add", f"{address(number)}/{_NET.prefixlen}", "dev", "eth0")
        insist(*within, "link", "set", "lo", "up")
        insist(*within, "link", "set", "eth0", "up")
        insist(*within, "route", "add", "default", "via", RIG_ADDRESS)

    def pull(self) -> None:
        """Unplug the cable: the machine sees no carrier."""
        insist("ip", "link", "set", self._cable, "down")

    def push(self) -> None:
        """Plug it in again."""
        insist("ip", "link", "set", self._cable, "up")

    def remove(self) -> None:
        """The namespace, and the cable with it."""
        quietly([("ip", "link", "delete", self._cable), ("ip", "netns", "delete", self.namespace)])
