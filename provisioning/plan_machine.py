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

# From now on on the card, with what is in memory only so far.
RESTART_JOURNAL = "systemctl restart systemd-journald.service && journalctl --flush"
RESTART_TIME = "systemctl try-restart systemd-timesyncd.service"
_WRITTEN = "# Written by 'carehub provision': change the site's file, not this one.\n"
_CONNECTIONS = "/etc/NetworkManager/system-connections"
_REGULATORY = "/etc/modprobe.d/carehub-wifi.conf"
_HAS_NETWORK_MANAGER = (
    "command -v NetworkManager >/dev/null || { echo 'NetworkManager is not on this machine: [machine.network]"
    " needs it (apt-get install network-manager), or set its network up by hand and leave the table out';"
    " exit 1; }"
)
# What is new holds from the next start on: a change now could cut the very connection that brings it. Hence
# each file is read by itself, since 'reload' would drop the connections whose files are gone.
_READ_CONNECTION = "if systemctl -q is-active NetworkManager; then nmcli connection load {}; fi"
_FIREWALL, _FIREWALL_UNIT = "/etc/carehub/firewall.nft", "carehub-firewall.service"
_SSHD = "/etc/ssh/sshd_config.d/10-carehub.conf"
_KEYS = "/etc/ssh/carehub_keys"
OUR_KEYS = f"{_KEYS}/%u"
_RELOAD_SSHD = "if systemctl -q is-active ssh; then systemctl reload ssh; fi"
_SSHD_MAIN = "/etc/ssh/sshd_config"
_INCLUDED = "'^[[:space:]]*Include[[:space:]]+\"?/etc/ssh/sshd_config\\.d/\\*\\.conf'"
# A file of before Debian 11, kept over its upgrades. Replaced in one step: without it nobody could log in.
_INCLUDE = (
    f"new={_SSHD_MAIN}.carehub-new"
    f" && {{ echo 'Include /etc/ssh/sshd_config.d/*.conf'; cat {_SSHD_MAIN}; }} >$new"
    f" && chmod --reference={_SSHD_MAIN} $new && mkdir -p /run/sshd && sshd -t -f $new && sync $new"
    f" && mv $new {_SSHD_MAIN} && {_RELOAD_SSHD}"
)


def settings(site: Site, login: Login) -> Iterator[Resource]:
    """Files, in no particular order."""
    yield from _host_name(site.host_name)
    yield from _network(site)
    yield from _time_and_log(site)
    yield from _firewall(site, login)
    yield from _ssh(site, login)
    yield from _sudo()
    if site.machine.spare_card:
        yield File("/etc/systemd/system/tmp.mount", f"{_WRITTEN}{_TMP_MOUNT}", then=(RELOAD,))
        # Raspberry Pi OS has a swap file of its own making.
        yield File(_SWAP, f"{_WRITTEN}[Main]\nMechanism=zram\n")
    else:
        yield Absent(_SWAP)


def units(site: Site) -> Iterator[Resource]:
    """The machine's own, before the hub's."""
    # A reader of wristbands is a keyboard: what it types at a login is logged, and may be an NHS number. The
    # other consoles (Alt+F2) have theirs when somebody goes there.
    for name in ("getty@tty1.service", "ctrl-alt-del.target"):
        yield Unit(name, "unmasked" if site.machine.console else "masked")
    # Packages are renewed when an engineer does so, and not in the night on a home's poor network.
    for name in ("apt-daily.timer", "apt-daily-upgrade.timer", "man-db.timer", "dphys-swapfile.service"):
        yield Unit(name, "stopped" if site.machine.spare_card else "restored")
    if site.machine.spare_card:
        yield Unit("tmp.mount", "enabled")
        yield Unit("fstrim.timer", "enabled")
    else:
        yield Unit("tmp.mount", "disabled")
        yield Absent("/etc/systemd/system/tmp.mount", (RELOAD,))
    yield Unit("systemd-timesyncd.service", "running")
    if site.machine.firewall.on:
        yield Unit(_FIREWALL_UNIT, "running")
    else:
        yield Unit(_FIREWALL_UNIT, "absent")
        yield Absent(_FIREWALL)  # after the unit, which needs it to end


def _host_name(name: str) -> Iterator[Resource]:
    yield File("/etc/hostname", f"{name}\n", then=("hostname -F /etc/hostname",))
    # sudo looks its own machine's name up. The file is others' too: one line of it.
    there = f"grep -q '^127\\.0\\.1\\.1[[:space:]]{re.escape(name)}$' /etc/hosts"
    yield Run(
        "touch /etc/hosts && sed -i '/^127\\.0\\.1\\.1[[:space:]]/d' /etc/hosts"
        f" && echo '127.0.1.1 {name}' >>/etc/hosts",
        f"! {there}",
        "name in /etc/hosts",
    )
    # At each boot it would take name and /etc/hosts back, to what the card was written with.
    off = "/etc/cloud/cloud-init.disabled"
    yield Run(f"touch {off}", f"[ -d /etc/cloud ] && [ ! -e {off} ]", "cloud-init is done")


def _network(site: Site) -> Iterator[Resource]:
    network = site.machine.network
    if isinstance(network.wired, Wired):
        yield _connection("carehub-wired", _wired(network.wired), secret=False)
    else:
        yield Absent(f"{_CONNECTIONS}/carehub-wired.nmconnection")
    if network.wifi is not None:
        # Before what is secret, of which no check's words are shown.
        yield File(
            _REGULATORY,
            f"{_WRITTEN}options cfg80211 ieee80211_regdom={network.wifi.country}\n",
            check=_HAS_NETWORK_MANAGER,
            then=(f"if command -v iw >/dev/null; then iw reg set {network.wifi.country} || true; fi",),
        )
        yield _connection("carehub-wifi", _wifi(network.wifi, site.carried.wifi_password), secret=True)
        # A fresh Raspberry Pi OS has its radio off twice over, until somebody says in which country it is;
        # rfkill and NetworkManager keep what is said here over a restart.
        yield Run(
            "nmcli radio wifi on && if command -v rfkill >/dev/null; then rfkill unblock wifi; fi",
            "nmcli radio wifi 2>/dev/null | grep -q disabled",
            "radio of the Wi-Fi",
        )
    else:
        yield Absent(f"{_CONNECTIONS}/carehub-wifi.nmconnection")
        yield Absent(_REGULATORY)


def _connection(name: str, content: str, *, secret: bool) -> File:
    path = f"{_CONNECTIONS}/{name}.nmconnection"
    return File(
        path,
        content,
        "0600",
        secret=secret,
        check=_HAS_NETWORK_MANAGER,
        then=(_READ_CONNECTION.format(path),),
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
        check="/usr/sbin/nft --check --file {}",
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
    lines, held = [], []
    if ssh.authorized_keys:
        # Beside what the login has where sshd looks for keys now, which stays as it is.
        logins = sorted({login.name, *login.others})
        for (
            name
        ) in logins:  # nobody is locked out by another's run, and a key that is struck off is so for all
            yield File(f"{_KEYS}/{name}", "".join(f"{each}\n" for each in ssh.authorized_keys))
        files = [each for each in login.key_files if each not in (OUR_KEYS, "none")]
        lines.append(f"AuthorizedKeysFile {' '.join([*files, OUR_KEYS])}")
        held.append(f"authorizedkeysfile .*{OUR_KEYS}")
        yield Directory(_KEYS)
    elif login.harden:
        yield Directory(_KEYS, only=())
    if ssh.harden and login.harden:
        lines += [
            "PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitEmptyPasswords no",
            "X11Forwarding no", "AllowAgentForwarding no",
            "AllowTcpForwarding no", "LoginGraceTime 30",
        ]  # fmt: skip
        held.append("passwordauthentication no")
        if login.root_login == "yes":  # else it is as strict, or stricter, and ours would overrule that
            lines.append("PermitRootLogin prohibit-password")
        held.append("permitrootlogin [^y]")
    if lines:
        text = "".join(f"{each}\n" for each in lines)
        yield Run(_INCLUDE, f"[ -e {_SSHD_MAIN} ] && ! grep -Eqi {_INCLUDED} {_SSHD_MAIN}", "sshd reads ours")
        yield File(_SSHD, _WRITTEN + text, check="mkdir -p /run/sshd && sshd -t -f {}", then=(_RELOAD_SSHD,))
        yield from _in_force(login, held)
    elif not ssh.harden:
        yield Absent(_SSHD, (_RELOAD_SSHD,))
    # Held back, for a login that has no key here, what an earlier run hardened stays as it is.


def _in_force(login: Login, held: list[str]) -> Iterator[Resource]:
    """Another's file may be read before ours, or have a section about this login, or about the home's
    network: what holds is what sshd says."""
    words = " and ".join(each.partition(" ")[0] for each in held)
    others = " || ".join(f"! echo \"$holds\" | grep -q '^{each}'" for each in held)
    asked = f"sshd -T -C user={login.name},host=localhost,addr="
    addresses = " ".join(dict.fromkeys(("127.0.0.1", *login.addresses)))
    # Of an sshd that cannot be asked, as in an image that has no host keys yet, nothing is known.
    otherwise = f"for a in {addresses}; do holds=$({asked}$a 2>/dev/null) && {{ {others}; }} && echo $a; done"
    yield Run(
        f"echo 'not so: what sshd reads before it, or a section Match, says otherwise of {words}: look at it"
        f" with sudo {asked}'$({otherwise} | head -n 1)', take it away, and provision again'; exit 1",
        f'[ -e {_SSHD} ] && [ -n "$({otherwise})" ]',
        f"sshd does what {_SSHD} says",
    )


def _sudo() -> Iterator[Resource]:
    """sudo logs what it runs as it was typed, and the journal keeps it: a resident's name, a wristband's
    number. So it does with each line that PAM logs of sudo's session, in the field _CMDLINE. The hub's own
    trail notes who did what."""
    yield File(
        "/etc/sudoers.d/carehub",
        f"{_WRITTEN}Defaults!/usr/local/bin/carehub,/opt/carehub/current/bin/carehub,"
        "/opt/carehub/slots/*/bin/carehub"
        " !log_allowed, !log_denied, !syslog, !log_input, !log_output, !pam_session\n",
        "0440",
        check="if command -v visudo >/dev/null; then visudo -cf {}; fi",
    )


_SWAP = "/etc/rpi/swap.conf.d/carehub.conf"
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
