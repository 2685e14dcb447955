"""What a hub's machine is to have, worded as a list of resources: from the site's file and a release,
nothing else.

The order is that in which it can be brought about: packages, keeper, release, what the release links to,
users, what belongs to them, and the units last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from provisioning import plan_machine
from provisioning.errors import ProvisioningError
from provisioning.keeper.apply import RESTART_HUB
from provisioning.keeper.applying_commands import RELOAD
from provisioning.keeper.manifest import Manifest
from provisioning.keeper.places import PAGE_UNIT, UNIT, USER
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
    packed,
)
from provisioning.plan_update import updates
from provisioning.site_file import (
    AUTHORITY_FILE,
    CA_FILE,
    PAGE_CERTIFICATE_FILE,
    PAGE_KEY_FILE,
    PASSWORD_FILE,
    Site,
)

CONFIGURATION = "/etc/carehub/hub.toml"
IN_FORCE = "/opt/carehub/current"
_WANTED = "/etc/systemd/system/multi-user.target.wants"
PACKAGES = (
    "bluez", "dbus", "nftables", "openssh-client", "openssl", "polkitd", "python3",
    "systemd-timesyncd", "tzdata", "udev",
)  # fmt: skip
"""As Debian 12 (Bookworm) and 13 (Trixie) call them; openssh-client has ssh-keygen, which verifies
releases."""
_KEEPER = Path(__file__).parent / "keeper"
# In a checkout beside this package; in a slot, from which a first boot is planned, beside lib.
_UNITS = next(
    each
    for each in (parent / "systemd" / "keeper" for parent in Path(__file__).parents[1:3])
    if each.is_dir()
)
_UDEV = (
    "if [ -e /run/udev/control ]; then udevadm control --reload"
    " && udevadm trigger --subsystem-match=tty --subsystem-match=input"
    " --subsystem-match=gpio --subsystem-match=leds --subsystem-match=hidraw; fi"
)
_SYSCTL = (
    "/usr/lib/systemd/systemd-sysctl /etc/sysctl.d/60-carehub.conf || true"  # a container has no say there
)
_BY_HAND = "/opt/carehub/pyvenv.cfg"
"""Of the virtual environment of a hub that was installed by hand. It goes last: nothing runs from it then."""

_FIRST_FREE_PORT = 1024
_LOW_PORT = """# Written by 'carehub provision': page.port is one that only root may use otherwise.
[Service]
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
AmbientCapabilities=CAP_NET_BIND_SERVICE
"""
_LINKS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("/etc/sysusers.d/carehub.conf", "sysusers.d/carehub.conf", ()),
    (
        "/etc/tmpfiles.d/carehub.conf",
        "tmpfiles.d/carehub.conf",
        ("systemd-tmpfiles --create /etc/tmpfiles.d/carehub.conf",),
    ),
    # Which may have been another's: of a hub that was installed by hand.
    (f"/etc/systemd/system/{UNIT}", UNIT, (RELOAD, RESTART_HUB)),
    (f"/etc/systemd/system/{PAGE_UNIT}", PAGE_UNIT, (RELOAD, RESTART_HUB)),
    ("/etc/udev/rules.d/70-carehub-usb.rules", "udev/70-carehub-usb.rules", (_UDEV,)),
    ("/etc/polkit-1/rules.d/50-carehub-bluetooth.rules", "polkit/50-carehub-bluetooth.rules", ()),
    (
        "/etc/systemd/journald.conf.d/carehub.conf",
        "journald.conf.d/carehub.conf",
        (plan_machine.RESTART_JOURNAL,),
    ),
    (
        "/etc/systemd/timesyncd.conf.d/carehub.conf",
        "timesyncd.conf.d/carehub.conf",
        (plan_machine.RESTART_TIME,),
    ),
    ("/etc/sysctl.d/60-carehub.conf", "sysctl.d/60-carehub.conf", (_SYSCTL,)),
)


@dataclass(frozen=True, slots=True)
class Login:
    """By whom the machine is set up: the login's name, the ports at which its sshd listens, in which files
    that looks for keys (sshd_config(5), AuthorizedKeysFile), and who else has keys from a site's file; what
    PermitRootLogin is without ours; and for which addresses sshd is asked what it does: where the engineer
    is, and the machine's own, which are of its home's network."""

    name: str = "root"
    ports: tuple[int, ...] = (22,)
    harden: bool = True
    key_files: tuple[str, ...] = (".ssh/authorized_keys", ".ssh/authorized_keys2")
    others: tuple[str, ...] = ()
    root_login: str = ""
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PagePair:
    """The staff page's certificate and its key (PEM)."""

    certificate: str
    key: str = field(repr=False)


def desired(
    site: Site,
    ca_pem: str,
    manifest: Manifest,
    python: str,
    signers: str,
    certificate: str = "",
    bundle: str = "",
    *,
    login: Login = Login(),
    page: PagePair | None = None,
    authority_pem: str = "",
    new_key: str = "",
) -> list[Resource]:
    """All that the machine is to have, in order.

    Args:
        ca_pem: who signed the broker's certificate.
        python: the machine's, as "3.11".
        signers: who may sign its releases: OpenSSH's allowed signers.
        certificate: the hub's, once the authority has given it.
        bundle: where the release's bundle is on the machine; empty where it is in force already.
        page: the staff page's certificate, where the site's file names none.
        authority_pem: who signs the hub's, where that is neither who signed the broker's nor named in the
            site's file.
        new_key: why the machine has to make another key, in words; empty where it has not.

    Raises:
        ProvisioningError: the release has nothing for this Python.
    """
    payload = manifest.payloads.get(python)
    if payload is None:
        raise ProvisioningError(
            f"release {manifest.name} has nothing for this machine's Python {python}, only for"
            f" {', '.join(sorted(manifest.payloads)) or 'none'}: make a bundle with --python {python}"
        )
    return [
        Packages(PACKAGES),
        *_keeper(),
        File("/etc/carehub/release_signers", signers),
        Release(payload.sha256, bundle),
        *_links(site),
        Run("systemd-sysusers /etc/sysusers.d/carehub.conf", "! grep -q '^carehub:' /etc/passwd"),
        *_group(site),
        Directory("/etc/carehub", "0750", group=USER),
        Directory("/var/lib/carehub", "0700", USER, USER),
        *plan_machine.settings(site, login),
        *_secrets(
            site, ca_pem, authority_pem or site.carried.authority_ca or ca_pem, certificate, page, new_key
        ),
        File(
            CONFIGURATION,
            site.hub_toml,
            "0640",
            group=USER,
            secret=True,
            check=f"{IN_FORCE}/bin/carehub check-config --config {{}}",
            then=(RESTART_HUB,),
        ),
        # Of an earlier site's file, and of the broker before.
        *(Leftover(path) for path in (CA_FILE, PASSWORD_FILE, PAGE_CERTIFICATE_FILE, PAGE_KEY_FILE)),
        *_no_group(site),
        *plan_machine.units(site),
        *_hub_units(site),
        *updates(site, ca_pem),
        Run(f"cd /opt/carehub && rm -rf bin include lib lib64 share && rm {_BY_HAND}", f"test -e {_BY_HAND}"),
    ]


def _keeper() -> Iterator[Resource]:
    """Outside of the releases; packed, since nobody wants to read it in a difference."""
    yield Directory("/var/lib/carehub-keeper")
    yield Tree(
        "/usr/lib/carehub/modules",
        {f"provisioning/{name}": packed(content) for name, content in keeper_files()},
    )
    yield File("/usr/lib/carehub/keeper", packed((_KEEPER / "launcher.py").read_bytes()), "0755")
    for unit in sorted(_UNITS.glob("carehub-*.*")):
        yield File(f"/etc/systemd/system/{unit.name}", unit.read_text(encoding="utf-8"), then=(RELOAD,))
    # Where it was before it had a directory for each version.
    yield Run("rm -rf /usr/lib/carehub/lib", "test -e /usr/lib/carehub/lib")


def keeper_files() -> list[tuple[str, bytes]]:
    """The keeper's modules, by their names below the package `provisioning`."""
    modules = [(f"keeper/{each.name}", each.read_bytes()) for each in sorted(_KEEPER.glob("*.py"))]
    return [("__init__.py", (_KEEPER.parent / "__init__.py").read_bytes()), *modules]


def _links(site: Site) -> Iterator[Resource]:
    """What systemd and others read of the release in force."""
    yield Link("/usr/local/bin/carehub", f"{IN_FORCE}/bin/carehub")
    for path, name, then in _LINKS:
        yield Link(path, f"{IN_FORCE}/systemd/{name}", then)
    watchdog, then = "/etc/systemd/system.conf.d/carehub.conf", ("systemctl daemon-reexec",)
    if site.machine.watchdog:
        yield Link(watchdog, f"{IN_FORCE}/systemd/system.conf.d/carehub.conf", then)
    else:
        yield Absent(watchdog, then)
    port = f"/etc/systemd/system/{PAGE_UNIT}.d/port.conf"
    if site.config.page.port < _FIRST_FREE_PORT:
        yield File(port, _LOW_PORT, then=(RELOAD, RESTART_HUB))
    else:
        yield Absent(port, (RELOAD,))


def _beacon_group(site: Site) -> str:
    """Of which group the hub's user must be for its beacon; empty where of none."""
    beacon = site.config.beacon
    if beacon.output == "gpio":
        return "gpio"
    on_line = beacon.write_to is not None and beacon.write_to.is_relative_to("/dev")
    return "dialout" if beacon.output == "file" and on_line else ""


def _group(site: Site) -> Iterator[Resource]:
    """What a beacon on a pin or a serial line of the machine needs."""
    if group := _beacon_group(site):
        yield Run(
            f"getent group {group} >/dev/null ||"
            f" {{ echo 'there is no group {group} here: [beacon] cannot work'; exit 1; }};"
            f" id -nG {USER} | grep -qw {group} || {{ usermod -aG {group} {USER} && {RESTART_HUB}; }}",
            f"! id -nG {USER} | grep -qw {group}",
        )


def _no_group(site: Site) -> Iterator[Resource]:
    """What an earlier beacon needed. Only once the hub.toml in force needs it no more: where the new one was
    refused, or taken back with its release, a lamp would stay dark. So would one of the hub.toml that is
    kept with the other slot."""
    for group, output in (("gpio", "gpio"), ("dialout", "file")):
        if group != _beacon_group(site):
            uses = (
                "import glob, sys, tomllib; output, now, kept = sys.argv[1:];"
                " found = [tomllib.load(open(p, 'rb')).get('beacon', {}) for p in (now, *glob.glob(kept))];"
                " sys.exit(any(b.get('output') == output"
                + (" and str(b.get('write_to', '')).startswith('/dev/')" if output == "file" else "")
                + " for b in found))"
            )
            yield Run(
                f"gpasswd -d {USER} {group} >/dev/null && {RESTART_HUB}",
                f"getent group {group} | cut -d: -f4 | tr , '\n' | grep -qx {USER}"
                f' && python3 -IS -c "{uses}" {output} {CONFIGURATION}'
                f" '/etc/carehub/.hub.toml.of-*'",
                f"{USER} is not in {group}",
            )


def _secrets(
    site: Site, ca_pem: str, authority_pem: str, certificate: str, page: PagePair | None, new_key: str
) -> Iterator[Resource]:
    """What identifies the hub and its broker to each other, and the page to browsers."""
    broker, carried = site.config.broker, site.carried
    if broker.tls:
        yield File(CA_FILE, ca_pem, named=True)
        yield File(AUTHORITY_FILE, authority_pem)
        yield Identity(site.name, certificate=certificate, anew=new_key)
    if carried.broker_password:
        yield File(PASSWORD_FILE, carried.broker_password, "0640", group=USER, secret=True, named=True)
    if page is None and carried.page_certificate:
        page = PagePair(carried.page_certificate, carried.page_key)
    if page is not None:
        # Under the same names: the page takes a renewed pair up by itself.
        yield File(PAGE_CERTIFICATE_FILE, page.certificate)
        yield File(PAGE_KEY_FILE, page.key, "0640", group=USER, secret=True)


def _hub_units(site: Site) -> Iterator[Resource]:
    """The keeper's before the hub's: it settles what an update has left, at each boot."""
    yield Unit("carehub-settle.service", "enabled")
    yield Unit("carehub-renew.timer", "running")
    if site.config.bluetooth.radio == "bluez":
        yield Unit("bluetooth.service", "running")
    # Not left to 'systemctl enable': that of Bookworm makes the link to the slot that is in force just now.
    yield Link(f"{_WANTED}/{UNIT}", f"../{UNIT}", (RELOAD,))
    if site.machine.page.run:
        yield Link(f"{_WANTED}/{PAGE_UNIT}", f"../{PAGE_UNIT}", (RELOAD,))
    else:
        yield Absent(f"{_WANTED}/{PAGE_UNIT}", (RELOAD,))
    yield Unit(UNIT, "running")
    yield Unit(PAGE_UNIT, "running" if site.machine.page.run else "stopped")


def before_certificate(resources: Sequence[Resource]) -> list[Resource]:
    """The same list without starting the hub, which has no certificate yet."""
    return [each for each in resources if not (isinstance(each, Unit) and each.name in (UNIT, PAGE_UNIT))]


def with_certificate(resources: Sequence[Resource], certificate: str) -> list[Resource]:
    """The same list with the hub's certificate, for the second time: it is short where nothing else is
    open."""
    return [
        Identity(each.name, each.renew_days, certificate) if isinstance(each, Identity) else each
        for each in resources
    ]
