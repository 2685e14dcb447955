"""How a machine is reached: how its sshd lets a login in, and which addresses it has."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

_SECONDS = 20
_KEY_FILES = (".ssh/authorized_keys", ".ssh/authorized_keys2")
"""Where sshd looks, if nothing else is said (sshd_config(5))."""
_OURS = "/etc/ssh/carehub_keys/"
_OUR_FILE = "10-carehub.conf"
_INCLUDES = re.compile(r"^(\s*Include\s+\"?)\S*sshd_config\.d/", re.MULTILINE | re.IGNORECASE)
_WIRED = "etc/NetworkManager/system-connections/carehub-wired.nmconnection"
_HERE = "127.0.0.1"
_NOBODY = "nobody"
"""Of whom no section Match speaks: what holds for all is not to be taken from one login's."""


@dataclass(frozen=True, slots=True)
class WaysIn:
    """How sshd lets a login in: in which files it looks for everybody's keys; how many good ones that login
    has, without what provisioning gave it; to which logins that gave some; all ports; and what
    PermitRootLogin is by itself, without what provisioning says of it ("" where sshd cannot be asked)."""

    key_files: tuple[str, ...]
    keys: int
    key_logins: tuple[str, ...]
    ports: tuple[int, ...]
    root_login: str


@dataclass(frozen=True, slots=True)
class Network:
    """The machine's addresses with their networks' lengths, without loopback and link-local ones; its ways
    out; and the fixed address that provisioning gave its Ethernet, "ADDRESS,GATEWAY", or nothing."""

    addresses: tuple[str, ...]
    gateways: tuple[str, ...]
    wired: str


def ways_in(root: Path, login: str, address: str = "") -> WaysIn:
    """As sshd itself understands its files, whichever they are, for a login that comes from that address
    (from the machine itself, where it is not known)."""
    main = root / "etc/ssh/sshd_config"
    # It says nothing without this, and where it has not been started yet it is not there.
    with suppress(OSError):
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    said = _sshd(main, login, _HERE)
    there = _sshd(main, login, address) if address else said
    ports = re.findall(r"^port (\d+)$", said, re.MULTILINE)
    everybodys = _key_files(_sshd(main, _NOBODY, _HERE))
    return WaysIn(
        everybodys, _keys(root, login, _key_files(there)), _key_logins(root), tuple(map(int, ports)),
        _root_login(root, main),
    )  # fmt: skip


def network(root: Path) -> Network:
    """As it is now, whatever is to hold from the next start on."""
    addresses = [
        str(ip_interface(f"{each['local']}/{each['prefixlen']}"))
        for link in _json("ip", "-j", "address", "show", "up")
        for each in link.get("addr_info", ())
        if each.get("scope") == "global"
    ]
    gateways = [
        str(each["gateway"])
        for family in ("-4", "-6")
        for each in _json("ip", family, "-j", "route", "show", "default")
        if "gateway" in each
    ]
    with suppress(OSError):
        text = (root / _WIRED).read_text(encoding="utf-8", errors="replace")
        if found := re.search(r"^address1=(\S+)$", text, re.MULTILINE):
            return Network(tuple(addresses), tuple(gateways), found[1])
    return Network(tuple(addresses), tuple(gateways), "")


def _json(*command: str) -> Iterator[dict[str, Any]]:
    with suppress(ValueError):
        for each in json.loads(_said(command) or "[]"):
            if isinstance(each, dict):
                yield each


def _sshd(main: Path, login: str, address: str) -> str:
    return _said(
        ("/usr/sbin/sshd", "-T", "-f", str(main), "-C", f"user={login},host=localhost,addr={address}")
    )


def _key_files(said: str) -> tuple[str, ...]:
    files = re.search(r"^authorizedkeysfile (.+)$", said, re.MULTILINE)
    return tuple(files[1].split()) if files else _KEY_FILES


def _root_login(root: Path, main: Path) -> str:
    """Asked of the same files without ours: what ours says is not to be taken for what others say."""
    try:
        text = main.read_text(encoding="utf-8", errors="replace")
        others = sorted((root / "etc/ssh/sshd_config.d").glob("*.conf"))
        with tempfile.TemporaryDirectory(prefix="carehub-") as directory:
            for each in others:
                if each.name != _OUR_FILE:
                    Path(directory, each.name).symlink_to(each)
            alone = Path(directory, "sshd_config")
            alone.write_text(_INCLUDES.sub(lambda found: f"{found[1]}{directory}/", text), encoding="utf-8")
            said = _sshd(alone, "root", _HERE)
    except OSError:
        return ""
    found = re.search(r"^permitrootlogin (\S+)$", said, re.MULTILINE)
    return found[1] if found else ""


def _keys(root: Path, login: str, files: tuple[str, ...]) -> int:
    """Those that are good, as ssh-keygen reads them."""
    try:
        table = (root / "etc/passwd").read_text(encoding="utf-8", errors="replace").splitlines()
        home = next(fields[5] for each in table if (fields := each.split(":"))[0] == login)
    except (OSError, StopIteration, IndexError):
        return 0
    found = 0
    for name in files:
        if name == "none" or name.startswith(_OURS):
            continue
        for sign, meant in (("%u", login), ("%h", home), ("%%", "%")):
            name = name.replace(sign, meant)
        path = root / (name if name.startswith("/") else f"{home}/{name}").lstrip("/")
        if path.is_file():
            found += len(_said(("ssh-keygen", "-l", "-f", str(path))).splitlines())
    return found


def _key_logins(root: Path) -> tuple[str, ...]:
    try:
        there = (root / _OURS.lstrip("/")).iterdir()
        return tuple(sorted(each.name for each in there if each.name[0] != "."))
    except OSError:
        return ()


def _said(command: tuple[str, ...]) -> str:
    """What a program says; nothing where it is not there, or refuses."""
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            check=False, timeout=_SECONDS,
        )  # fmt: skip
        return done.stdout if done.returncode == 0 else ""
    return ""
