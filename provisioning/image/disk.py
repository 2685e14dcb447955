"""The card: a partition of FAT that the Pi's firmware reads, and one of ext4; reproducible, byte for byte."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from provisioning.errors import ProvisioningError
from provisioning.image.commands import run

ROOT_UUID = "6b1f3f5e-0b5c-4a6e-9d0c-c4a7e9047b01"
BOOT_ID = "CA4E9047"
BOOT_UUID = f"{BOOT_ID[:4]}-{BOOT_ID[4:]}"

_SECTOR, _MEBIBYTE = 512, 1 << 20
_SIGNATURE = 0xCA4E9047
_BOOT_START, _BOOT_SIZE = 4 * _MEBIBYTE, 160 * _MEBIBYTE
_ROOT_START = _BOOT_START + _BOOT_SIZE
_FAT32_LBA, _LINUX = 0x0C, 0x83
# A classic table: the Pi 3 starts from no other.
_ENTRY = struct.Struct("<B3sB3sII")
_TABLE_AT, _SIGNATURE_AT = 446, 440


def write(root: Path, boot: Path, out: Path, when: int) -> None:
    """Write the card, for its owner alone to read. Nothing in it is younger than `when` (seconds since 1970),
    so that making it twice gives the same bytes. What is below `root` and `boot` gets these times too.

    Raises:
        ProvisioningError: it does not fit, or cannot be written.
    """
    for directory in (root, boot):
        _age(directory, when)
    used = _size(root)
    room = _aligned(used + used // 4 + 160 * _MEBIBYTE)
    out.unlink(missing_ok=True)
    out.touch(mode=0o600)
    with out.open("wb") as card:
        card.truncate(_ROOT_START + room)
        card.write(_table(room))
    # What the tools take for now.
    environment = {"SOURCE_DATE_EPOCH": str(when), "E2FSPROGS_FAKE_TIME": str(when), "TZ": "UTC"}
    # Invariant, which is the time of the label; the number comes after that, since it would be changed too.
    run(
        *("mkfs.vfat", "--invariant", "-F", "32", "-s", "2", "-i", BOOT_ID, "-n", "CAREHUB"),
        *(f"--offset={_BOOT_START // _SECTOR}", out, str(_BOOT_SIZE // 1024)),
        environment=environment,
    )
    run(
        "mcopy",
        "-spm",
        "-i",
        f"{out}@@{_BOOT_START}",
        *sorted(boot.iterdir()),
        "::/",
        environment=environment,
    )
    run(
        *("mke2fs", "-q", "-F", "-t", "ext4", "-L", "carehub", "-U", ROOT_UUID, "-m", "2", "-d", root),
        *(
            "-E",
            f"offset={_ROOT_START},hash_seed={ROOT_UUID},lazy_itable_init=0,lazy_journal_init=0,nodiscard",
        ),
        *(out, f"{room // 1024}k"),
        environment=environment,
    )
    _forget_changes(root, out, when)


def _table(room: int) -> bytes:
    anywhere = b"\xfe\xff\xff"  # in cylinders, heads and sectors: beyond what they can say
    parts = ((0x80, _FAT32_LBA, _BOOT_START, _BOOT_SIZE), (0, _LINUX, _ROOT_START, room))
    entries = b"".join(
        _ENTRY.pack(active, anywhere, kind, anywhere, start // _SECTOR, size // _SECTOR)
        for active, kind, start, size in parts
    )
    sector = bytearray(_SECTOR)
    sector[_SIGNATURE_AT : _SIGNATURE_AT + 4] = _SIGNATURE.to_bytes(4, "little")
    sector[_TABLE_AT : _TABLE_AT + len(entries)] = entries
    sector[510:] = b"\x55\xaa"
    return bytes(sector)


def _forget_changes(root: Path, out: Path, when: int) -> None:
    """When each file was changed and read, mke2fs takes from the files of the building machine, where nobody
    can set it."""
    lines = []
    for path in (root, *sorted(root.rglob("*"))):
        name = f"/{path.relative_to(root)}" if path != root else "/"
        if '"' in name or "\n" in name:
            raise ProvisioningError(f"the image cannot be made: {name!r} is no name for a file of it")
        lines += [f'set_inode_field "{name}" {each} @{when}' for each in ("ctime", "atime")]
    said = run(
        "debugfs", "-w", f"{out}?offset={_ROOT_START}", "-f", "/dev/stdin", stdin="\n".join(lines) + "\n",
        environment={"E2FSPROGS_FAKE_TIME": str(when), "DEBUGFS_PAGER": "cat"},
    )  # fmt: skip
    if wrong := [line for line in said.splitlines() if not line.startswith("debugfs")]:
        raise ProvisioningError(f"the image cannot be made: debugfs: {wrong[0]}")


def _age(directory: Path, when: int) -> None:
    for path in (directory, *directory.rglob("*")):
        if path.lstat().st_mtime > when:
            os.utime(path, (when, when), follow_symlinks=False)


def _size(directory: Path) -> int:
    """In blocks of the file system, and a block's worth of names and an inode for each."""
    return sum(-(-path.lstat().st_size // 4096) * 4096 + 512 for path in directory.rglob("*"))


def _aligned(size: int) -> int:
    return -(-size // (4 * _MEBIBYTE)) * 4 * _MEBIBYTE
