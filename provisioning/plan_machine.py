"""What is of the machine and not of the hub: name, network, time, firewall, SSH, log, card."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_interface, ip_network
from typing import TYPE_CHECKING

from provisioning.keeper.applying_commands import RELOAD
from provisioning.keeper.resources import Absent, Directory, File, Resource, Run, Unit
from provisioning.machine_settings import Wifi, Wired
from provisioning.site_file import Site

if TYPE_CHECKING:
    from provisioning.plan import Login

RESTART_JOURNAL = "systemctl restart systemd-journald.service"
RESTART_TIME = "systemctl try-restart systemd-timesyncd.service"
_WRITTEN = "# Written by 'carehub provision': change the site's file, not this one.\n"
_CONNECTIONS = "/etc/NetworkManager/system-connections"
_HAS_NETWORK_MANAGER = (
    "command -v NetworkManager >/dev/null || { echo 'NetworkManager is not on this machine: [machine.network]"
    " needs it (apt-get install network-manager), or set its network up by hand and leave the table out';"
    " exit 1; }"
)
# What is new holds from the next start on: a change now could cut the very connection that brings it.
_READ_CONNECTIONS = "if systemctl -q is-active NetworkManager; then nmcli connection reload; fi"
_FIREWALL, _FIREWALL_UNIT = "/etc/carehub/firewall.nft", "carehub-firewall.service"
_SSHD = "/etc/ssh/sshd_config.d/10-carehub.conf"
_KEYS = "/etc/ssh/carehub_keys"


def settings(site: Site, login: Login) -> Iterator[Resource]:
    """Files, in no particular order."""
    yield from _host_name(site.host_name)
    yield from _network(site)
    yield from _time_and_log(site)
    yield from _firewall(site, login)
    yield from _ssh(site, login)
    yield from _sudo()
    if site.machine.spare_card:
        yield from _spared_card()


def units(site: Site) -> Iterator[Resource]:
    """The machine's own, before the hub's."""
    if not (site.machine.console if site.machine.console is not None else not site.has_readers):
        # A reader of wristbands is a keyboard: what it types at a login is logged, and may be an NHS number.
        yield Unit("getty@tty1.service", "masked")
        yield Unit("ctrl-alt-del.target", "masked")
    if site.machine.spare_card:
        # Packages are renewed when an engineer does so, and not in the night on a home's poor network.
        for name in ("apt-daily.timer", "apt-daily-upgrade.timer", "man-db.timer", "dphys-swapfile.service"):
            yield Unit(name, "stopped")
        yield Unit("tmp.mount", "enabled")
    yield Unit("systemd-timesyncd.service", "running")
    yield Unit(_FIREWALL_UNIT, "running" if site.machine.firewall.on else "stopped")


def _host_name(name: str) -> Iterator[Resource]:
    yield File("/etc/hostname", f"{name}\n", then=("hostname -F /etc/hostname",))
    # sudo looks its own machine's name up. The file is others' too: one line of it.
    there = f"grep -q '^127\\.0\\.1\\.1[[:space:]]{re.escape(name)}$' /etc/hosts"
    yield Run(
        "touch /etc/hosts && sed -i '/^127\\.0\\.1\\.1[[:space:]]/d' /etc/hosts"
        f" && echo '127.0.1.1 {name}' >>/etc/hosts",
        f"! {there}",
    )


def _network(site: Site) -> Iterator[Resource]:
    network = site.machine.network
    if isinstance(network.wired, Wired):
        yield _connection("carehub-wired", _wired(network.wired))
    if network.wifi is not None:
        yield _connection("carehub-wifi", _wifi(network.wifi, site.carried.wifi_password))
        # Without a country the radio is off. rfkill keeps what was said over a restart.
        yield File(
            "/etc/modprobe.d/carehub-wifi.conf",
            f"{_WRITTEN}options cfg80211 ieee80211_regdom={network.wifi.country}\n",
            then=("if command -v rfkill >/dev/null; then rfkill unblock wifi; fi",),
        )


def _connection(name: str, content: str) -> File:
    return File(
        f"{_CONNECTIONS}/{name}.nmconnection",
        content,
        "0600",
        secret=True,
        check=_HAS_NETWORK_MANAGER,
        then=(_READ_CONNECTIONS,),
    )


def _wired(wired: Wired) -> str:
    family = ip_interface(wired.address).version
    fixed, other = ("ipv4", "ipv6") if family == 4 else ("ipv6", "ipv4")
    return (
        f"{_WRITTEN}[connection]\nid=carehub-wired\ntype=ethernet\nautoconnect-priority=10\n\n"
        f"[{fixed}]\nmethod=manual\naddress1={wired.address},{wired.gateway}\ndns={';'.join(wired.dns)};\n\n"
        f"[{other}]\nmethod=auto\n"
    )


def _wifi(wifi: Wifi, password: str) -> str:
    """The name as bytes, since it may have any in it; the password as GKeyFile escapes."""
    name = "".join(f"{byte};" for byte in wifi.ssid.encode())
    escaped = password.replace("\\", "\\\\")
    if escaped.startswith(" "):
        escaped = f"\\s{escaped[1:]}"
    return (
        f"{_WRITTEN}[connection]\nid=carehub-wifi\ntype=wifi\nautoconnect-priority=10\n\n"
        f"[wifi]\nmode=infrastructure\nssid={name}\n\n"
        f"[wifi-security]\nkey-mgmt=wpa-psk\npsk={escaped}\n\n[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=auto\n"
    )


def _time_and_log(site: Site) -> Iterator[Resource]:
    """Beside what the release has, and read after it."""
    time, log = "/etc/systemd/timesyncd.conf.d/zz-site.conf", "/etc/systemd/journald.conf.d/zz-site.conf"
    if site.machine.time.servers:
        yield File(
            time, f"{_WRITTEN}[Time]\nNTP={' '.join(site.machine.time.servers)}\n", then=(RESTART_TIME,)
        )
    else:
        yield Absent(time, (RESTART_TIME,))
    if site.machine.journal is not None:
        size = f"{site.machine.journal // 10**6}M"
        yield File(log, f"{_WRITTEN}[Journal]\nSystemMaxUse={size}\n", then=(RESTART_JOURNAL,))
    else:
        yield Absent(log, (RESTART_JOURNAL,))


def _firewall(site: Site, login: Login) -> Iterator[Resource]:
    """A table and a unit of our own: what others have in nftables is left alone."""
    if not site.machine.firewall.on:
        return
    yield File(
        _FIREWALL,
        firewall(site, login.ports),
        check="nft --check --file {}",
        then=(f"systemctl try-reload-or-restart {_FIREWALL_UNIT}",),
    )
    yield File(f"/etc/systemd/system/{_FIREWALL_UNIT}", _FIREWALL_SERVICE, then=(RELOAD,))


_FIREWALL_SERVICE = f"""{_WRITTEN}[Unit]
Description=Firewall of the CarePort Hub
DefaultDependencies=no
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target
# Debian's own begins with "flush ruleset".
After=local-fs.target nftables.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft --file {_FIREWALL}
ExecReload=/usr/sbin/nft --file {_FIREWALL}
ExecStop=/usr/sbin/nft delete table inet carehub

[Install]
WantedBy=sysinit.target
"""


def firewall(site: Site, ssh_ports: tuple[int, ...]) -> str:
    """The rules, as nft reads them: they replace what was there of ours, in one step.

    Nothing is said of what goes out: the broker's address may change, names must be resolved and the time
    asked, and a rule that is not up to date would silence alerts, which is worse than what it could
    prevent.
    """
    settings = site.machine.firewall
    ports = ", ".join(str(port) for port in sorted(set(ssh_ports)))
    lines = [f"{rule}tcp dport {{ {ports} }} accept" for rule in _from(settings.ssh_from)]
    if site.machine.page.run:
        port = site.config.page.port
        lines += [f"{rule}tcp dport {port} accept" for rule in _from(settings.page_from)]
    opened = "\n".join(f"\t\t{line}" for line in lines)
    return f"""{_WRITTEN}table inet carehub
delete table inet carehub
table inet carehub {{
\tchain inbound {{
\t\ttype filter hook input priority filter; policy drop;
\t\tct state established,related accept
\t\tct state invalid drop
\t\tiif "lo" accept
\t\t# RFC 4890: without these IPv6 does not work, and neither does the discovery of a path's size.
\t\ticmp type {{ destination-unreachable, time-exceeded, parameter-problem }} accept
\t\ticmpv6 type {{ destination-unreachable, packet-too-big, time-exceeded, parameter-problem }} accept
\t\ticmpv6 type {{ nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert }} ip6 hoplimit 255 accept
\t\ticmpv6 type {{ mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report }} accept
\t\tmeta l4proto {{ icmp, icmpv6 }} limit rate 20/second accept
\t\t# DHCP's answers, and mDNS
\t\tudp sport 67 udp dport 68 accept
\t\tip6 saddr fe80::/10 udp sport 547 udp dport 546 accept
\t\tip daddr 224.0.0.251 udp dport 5353 accept
\t\tip6 daddr ff02::fb udp dport 5353 accept
{opened}
\t}}
\tchain forwarded {{
\t\ttype filter hook forward priority filter; policy drop;
\t}}
}}
"""


def _from(networks: tuple[str, ...]) -> list[str]:
    """The beginning of a rule for each family that is in it; of anywhere one without."""
    if not networks:
        return [""]
    found = []
    for version, family in ((4, "ip"), (6, "ip6")):
        of_it = [each for each in networks if ip_network(each).version == version]
        if of_it:
            found.append(f"{family} saddr {{ {', '.join(of_it)} }} ")
    return found


def _ssh(site: Site, login: Login) -> Iterator[Resource]:
    """First come, first served: in sshd's configuration the first value of a key holds, so ours is read
    early."""
    ssh = site.machine.ssh
    lines = []
    if ssh.authorized_keys:
        # Beside what the login has in its own directory, which stays as it is.
        yield Directory(_KEYS)
        yield File(f"{_KEYS}/{login.name}", "".join(f"{each}\n" for each in ssh.authorized_keys))
        lines.append(f"AuthorizedKeysFile .ssh/authorized_keys .ssh/authorized_keys2 {_KEYS}/%u")
    if ssh.harden and login.harden:
        lines += [
            "PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitEmptyPasswords no",
            "PermitRootLogin prohibit-password", "X11Forwarding no", "AllowAgentForwarding no",
            "AllowTcpForwarding no", "LoginGraceTime 30",
        ]  # fmt: skip
    reload = ("if systemctl -q is-active ssh; then systemctl reload ssh; fi",)
    if lines:
        text = "".join(f"{each}\n" for each in lines)
        yield File(_SSHD, _WRITTEN + text, check="mkdir -p /run/sshd && sshd -t -f {}", then=reload)
    elif not ssh.harden:
        yield Absent(_SSHD, reload)
    # Held back, for a login that has no key here, what an earlier run hardened stays as it is.


def _sudo() -> Iterator[Resource]:
    """sudo logs what it runs as it was typed, and the journal keeps it: a resident's name, a wristband's
    number. The hub's own trail notes who did what."""
    yield File(
        "/etc/sudoers.d/carehub",
        f"{_WRITTEN}Defaults!/usr/local/bin/carehub,/opt/carehub/current/bin/carehub !log_allowed, !syslog\n",
        "0440",
        check="visudo -cf {}",
    )


_TMP_MOUNT = """[Unit]
Description=/tmp in memory
Conflicts=umount.target
Before=local-fs.target umount.target
After=swap.target

[Mount]
What=tmpfs
Where=/tmp
Type=tmpfs
Options=mode=1777,strictatime,nosuid,nodev,size=25%,nr_inodes=100k

[Install]
WantedBy=local-fs.target
"""


def _spared_card() -> Iterator[Resource]:
    """What is only for the moment is in memory. Raspberry Pi OS has a swap file of its own making."""
    yield File(
        "/etc/systemd/system/tmp.mount",
        f"{_WRITTEN}{_TMP_MOUNT}",
        then=(RELOAD,),
    )
    yield File("/etc/rpi/swap.conf.d/carehub.conf", f"{_WRITTEN}[Main]\nMechanism=zram\n")
