"""The same content always becomes the same bytes, and nothing of who packed it gets in."""

from __future__ import annotations

import gzip
import os
import tarfile
from dataclasses import asdict
from pathlib import Path

import pytest

from provisioning.bundle.packing import pack_slot
from provisioning.errors import ProvisioningError
from tests.rigs.bundles import WHEN, Seal, make_bundle, make_seal, make_slot


@pytest.fixture(scope="module")
def seal(tmp_path_factory: pytest.TempPathFactory) -> Seal:
    return make_seal(tmp_path_factory.mktemp("seal"))


def test_a_release_that_is_made_twice_is_the_same_to_the_last_byte(seal: Seal, tmp_path: Path) -> None:
    first, second = (make_bundle(tmp_path / name, seal) for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


def test_neither_time_nor_owner_nor_order_of_making_nor_mode_of_the_files_is_packed(tmp_path: Path) -> None:
    names = ["bin/carehub", "lib/a/b.py", "lib/a.py", "lib/z.py"]
    for directory, order in (("one", names), ("two", names[::-1])):
        make_slot(tmp_path / directory, {name: name for name in order})
    for number, path in enumerate(sorted((tmp_path / "two").rglob("*"))):
        os.utime(path, (number, number))
        path.chmod(path.stat().st_mode & 0o700)
        if os.geteuid() == 0:
            os.chown(path, 1000 + number, 1000)
    packed = [pack_slot(tmp_path / name, tmp_path / f"{name}.gz", WHEN, "") for name in ("one", "two")]
    assert packed[0].sha256 == packed[1].sha256
    with tarfile.open(tmp_path / "two.gz") as tar:
        members = tar.getmembers()
    paths = [Path(member.name) for member in members]
    assert paths == sorted(paths)
    assert {(member.uid, member.gid, member.uname, member.mtime) for member in members} == {(0, 0, "", WHEN)}
    assert {member.mode for member in members if member.isfile()} == {0o644, 0o755}


def test_the_size_is_what_it_takes_unpacked(tmp_path: Path) -> None:
    payload = pack_slot(
        make_slot(tmp_path / "slot", {"lib/zeros": "0" * 1_000_000}), tmp_path / "p", WHEN, ""
    )
    assert (tmp_path / "p").stat().st_size < 10_000
    assert payload.size == len(gzip.decompress((tmp_path / "p").read_bytes())) > 1_000_000
    assert asdict(payload)["file"] == "p"


def test_a_link_is_named_and_not_packed(tmp_path: Path) -> None:
    slot = make_slot(tmp_path / "slot")
    (slot / "lib/link").symlink_to("hub")
    with pytest.raises(ProvisioningError, match="lib/link is neither file nor directory"):
        pack_slot(slot, tmp_path / "p", WHEN, "")
