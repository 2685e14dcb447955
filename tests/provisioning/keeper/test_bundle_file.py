"""The keeper believes nothing of a bundle that nobody signed who may; nothing of it leaves its slot."""

from __future__ import annotations

import os
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from provisioning.keeper import manifest
from provisioning.keeper.bundle_file import opened
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.manifest import MANIFEST, NAMESPACE, SIGNATURE
from tests.rigs.bundles import (
    SLOT,
    Seal,
    hostile_bundle,
    make_bundle,
    make_seal,
    members_of,
    pack_members,
    tar_gz,
)


@pytest.fixture(scope="module")
def seal(tmp_path_factory: pytest.TempPathFactory) -> Seal:
    return make_seal(tmp_path_factory.mktemp("seal"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, seal: Seal) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundle"), seal)


def unpack(bundle: Path, seal: Seal, into: Path, python: str = "3.11") -> Path:
    with opened(bundle, seal.signers) as content:
        content.unpack(python, into)
    return into


def refused(bundle: Path, seal: Seal, directory: Path, words: str, python: str = "3.11") -> None:
    """It is refused with these words, and nothing of it is left on the disk."""
    place = directory / "machine" / "slots"
    place.mkdir(parents=True)
    with pytest.raises(KeeperError, match=words):
        unpack(bundle, seal, place / "a", python)
    assert list(place.iterdir()) == []
    assert [each.name for each in place.parent.iterdir()] == ["slots"]


def changed(bundle: Path, out: Path, **members: bytes) -> Path:
    """The same bundle with some of its files (by the last part of their names) exchanged."""
    there = members_of(bundle)
    for name in there:
        there[name] = members.get(name.replace(".", "_"), there[name])
    return pack_members(out, there)


def test_a_slot_is_what_was_packed_with_the_manifest_in_it(bundle: Path, seal: Seal, tmp_path: Path) -> None:
    slot = unpack(bundle, seal, tmp_path / "slots" / "a")
    for name, text in SLOT.items():
        assert (slot / name).read_text() == text
    assert (slot / MANIFEST).read_bytes() == members_of(bundle)[MANIFEST]
    assert manifest.from_json((slot / MANIFEST).read_text()).version == "0.1.0"


def test_modes_are_two_whatever_the_mask_of_who_unpacks(bundle: Path, seal: Seal, tmp_path: Path) -> None:
    with opened(bundle, seal.signers) as content:
        command = (
            "import os, sys; os.umask(0o077); from pathlib import Path;"
            "from provisioning.keeper.bundle_file import opened;\n"
            f"with opened(Path({str(bundle)!r}), Path({str(seal.signers)!r})) as content:"
            f" content.unpack('3.13', Path({str(tmp_path / 'a')!r}))"
        )
        subprocess.run(("/usr/bin/env", "python3", "-c", command), check=True)
        assert "3.13" in content.manifest.payloads
    modes = {str(path.relative_to(tmp_path)): path.stat().st_mode & 0o7777 for path in tmp_path.rglob("*")}
    assert modes["a"] == modes["a/bin"] == modes["a/bin/carehub"] == 0o755
    assert modes["a/manifest.json"] == modes["a/systemd/carehub.service"] == 0o644


def test_unpacked_again_it_is_refused_where_something_is(bundle: Path, seal: Seal, tmp_path: Path) -> None:
    unpack(bundle, seal, tmp_path / "a")
    with pytest.raises(KeeperError, match="has something in it"):
        unpack(bundle, seal, tmp_path / "a", "3.13")


def test_what_an_interrupted_unpacking_left_is_no_hindrance(bundle: Path, seal: Seal, tmp_path: Path) -> None:
    (tmp_path / "a.unfinished" / "lib").mkdir(parents=True)
    assert (unpack(bundle, seal, tmp_path / "a") / "bin/carehub").is_file()
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_who_signed_it_is_told(bundle: Path, seal: Seal) -> None:
    fingerprint = subprocess.run(
        ("ssh-keygen", "-l", "-f", seal.key.with_suffix(".pub")), capture_output=True, text=True, check=True
    ).stdout.split()[1]
    with opened(bundle, seal.signers) as content:
        assert content.signed_by.startswith('Good "carehub-release" signature for release with ED25519 key')
        assert fingerprint in content.signed_by


def test_a_bundle_that_is_not_signed(bundle: Path, seal: Seal, tmp_path: Path) -> None:
    members = members_of(bundle)
    del members[SIGNATURE]
    refused(pack_members(tmp_path / "b", members), seal, tmp_path, "not signed")


def test_a_bundle_signed_by_another(seal: Seal, tmp_path: Path) -> None:
    other = make_seal(tmp_path / "other")
    refused(make_bundle(tmp_path / "made", other), seal, tmp_path, "not signed by anyone who may")


def test_a_signature_of_the_right_key_for_something_else(bundle: Path, seal: Seal, tmp_path: Path) -> None:
    text = tmp_path / MANIFEST
    text.write_bytes(members_of(bundle)[MANIFEST])
    subprocess.run(
        ("ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", seal.key, text),
        check=True,
        capture_output=True,
    )
    for_files = (tmp_path / SIGNATURE).read_bytes()
    refused(changed(bundle, tmp_path / "b", manifest_json_sig=for_files), seal, tmp_path, "not signed by")


def test_a_key_that_may_sign_other_things_only(bundle: Path, seal: Seal, tmp_path: Path) -> None:
    signers = tmp_path / "signers"
    signers.write_text(seal.signers.read_text().replace(NAMESPACE, "git"))
    refused(bundle, Seal(seal.key, signers), tmp_path, "not signed by")


@pytest.mark.parametrize("signature", [b"", b"-----BEGIN SSH SIGNATURE-----\nAAAA\n", b"\xff" * 500])
def test_a_signature_that_is_none(bundle: Path, seal: Seal, tmp_path: Path, signature: bytes) -> None:
    refused(changed(bundle, tmp_path / "b", manifest_json_sig=signature), seal, tmp_path, "not signed by")


def test_a_machine_that_trusts_nobody(bundle: Path, seal: Seal, tmp_path: Path) -> None:
    refused(bundle, Seal(seal.key, tmp_path / "absent"), tmp_path, "nobody is known who may sign")


def test_a_manifest_that_was_changed(bundle: Path, seal: Seal, tmp_path: Path) -> None:
    text = members_of(bundle)[MANIFEST].replace(b'"0.1.0"', b'"9.9.9"')
    refused(changed(bundle, tmp_path / "b", manifest_json=text), seal, tmp_path, "not signed by")


def test_an_unsigned_manifest_is_not_even_parsed(bundle: Path, seal: Seal, tmp_path: Path) -> None:
    refused(changed(bundle, tmp_path / "b", manifest_json=b"[" * 60_000), seal, tmp_path, "not signed by")


def test_a_payload_that_was_changed(bundle: Path, seal: Seal, tmp_path: Path) -> None:
    payload = bytearray(members_of(bundle)["python3.11.tar.gz"])
    payload[len(payload) // 2] ^= 1
    other = changed(bundle, tmp_path / "b", python3_11_tar_gz=bytes(payload))
    refused(other, seal, tmp_path, "not what was signed")


def test_the_payload_of_another_release(bundle: Path, seal: Seal, tmp_path: Path) -> None:
    other = make_bundle(tmp_path / "made", seal, files={"bin/carehub": "another\n"}, build="7654321")
    payload = members_of(other)["python3.11.tar.gz"]
    mixed = changed(bundle, tmp_path / "b", python3_11_tar_gz=payload)
    refused(mixed, seal, tmp_path, "not what was signed")


def test_a_payload_that_was_cut_short(bundle: Path, seal: Seal, tmp_path: Path) -> None:
    payload = members_of(bundle)["python3.11.tar.gz"]
    refused(
        changed(bundle, tmp_path / "b", python3_11_tar_gz=payload[:-9]), seal, tmp_path, "not what was sign"
    )


@pytest.mark.parametrize(
    ("left", "words"), [(0, "made without"), (100, "truncated header"), (600, "not what was signed")]
)
def test_a_file_that_was_cut_short(bundle: Path, seal: Seal, tmp_path: Path, left: int, words: str) -> None:
    with tarfile.open(bundle) as tar:
        payload = tar.getmember("python3.11.tar.gz").offset
    (tmp_path / "b").write_bytes(bundle.read_bytes()[: payload + left])
    refused(tmp_path / "b", seal, tmp_path, words)


@pytest.mark.parametrize("content", [b"", b"\0" * 2048, b"no tar at all" * 100, b"\xff" * 512])
def test_a_file_that_is_no_bundle(seal: Seal, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b").write_bytes(content)
    refused(tmp_path / "b", seal, tmp_path, "no bundle of a release")


def test_no_file_at_all(seal: Seal, tmp_path: Path) -> None:
    refused(tmp_path / "absent", seal, tmp_path, "cannot be read: No such file")


def test_a_pipe_in_place_of_a_bundle_is_not_waited_at(seal: Seal, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with os.fdopen(os.open(tmp_path / "pipe", os.O_RDWR), "wb", 0) as writes:
        writes.write(bytes(range(256)) * 2)  # whoever reads it does not hang here
        refused(tmp_path / "pipe", seal, tmp_path, "is no file")


def test_a_second_manifest_behind_the_signed_one(bundle: Path, seal: Seal, tmp_path: Path) -> None:
    with tarfile.open(bundle) as tar:
        end = tar.getmember("python3.11.tar.gz").offset
    content = bundle.read_bytes()
    (tmp_path / "b").write_bytes(content[:end] + content)
    refused(tmp_path / "b", seal, tmp_path, "'manifest.json' has no place")


def test_a_link_in_place_of_the_signature(bundle: Path, seal: Seal, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "b", "w") as tar:
        link = tarfile.TarInfo(SIGNATURE)
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/shadow"
        tar.addfile(link)
    refused(tmp_path / "b", seal, tmp_path, "has no place")


def test_more_files_than_a_bundle_has(bundle: Path, seal: Seal, tmp_path: Path) -> None:
    many = pack_members(tmp_path / "b", {**members_of(bundle), **{f"more-{n}": b"" for n in range(30)}})
    refused(many, seal, tmp_path, "'more-16' has no place")


def test_a_huge_manifest_is_not_read(seal: Seal, tmp_path: Path) -> None:
    header = tarfile.TarInfo(MANIFEST)
    header.size = 7 << 30
    with (tmp_path / "b").open("wb") as file:
        file.write(header.tobuf(tarfile.USTAR_FORMAT))
        file.truncate(512 + header.size)
        file.seek(0, 2)
        signature = tarfile.TarInfo(SIGNATURE)
        file.write(signature.tobuf(tarfile.USTAR_FORMAT))
    refused(tmp_path / "b", seal, tmp_path, "its manifest.json has 7516192768 bytes")


def test_a_release_without_this_python(bundle: Path, seal: Seal, tmp_path: Path) -> None:
    refused(bundle, seal, tmp_path, "for Python 3.11, 3.13, and not for 3.12", "3.12")


def test_a_file_without_the_payload_of_this_python(bundle: Path, seal: Seal, tmp_path: Path) -> None:
    members = members_of(bundle)
    del members["python3.11.tar.gz"]
    slim = pack_members(tmp_path / "b", members)
    refused(slim, seal, tmp_path, "was made without what is for Python 3.11")
    assert (unpack(slim, seal, tmp_path / "a", "3.13") / "bin/carehub").is_file()


def test_a_release_for_another_architecture(seal: Seal, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "made", seal, architecture="riscv64")
    refused(bundle, seal, tmp_path, "is for riscv64, and this machine is")
    with opened(bundle, seal.signers) as content:  # an image for it may be made here
        content.unpack("3.11", tmp_path / "a", architecture="riscv64")


def test_a_later_format_says_what_to_do(bundle: Path, seal: Seal, tmp_path: Path) -> None:
    text = members_of(bundle)[MANIFEST].replace(b'"format": 1', b'"format": 2')
    (tmp_path / MANIFEST).write_bytes(text)
    subprocess.run(
        ("ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", seal.key, tmp_path / MANIFEST),
        check=True,
        capture_output=True,
    )
    later = changed(
        bundle, tmp_path / "b", manifest_json=text, manifest_json_sig=(tmp_path / SIGNATURE).read_bytes()
    )
    refused(later, seal, tmp_path, "provision the hub anew")


def of_type(name: str, kind: bytes, linked_to: str = "") -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type, header.linkname = kind, linked_to
    return header


@pytest.mark.parametrize("name", ["../evil", "lib/../../evil", "/tmp/evil", "..", "lib/..", "/"])
def test_a_name_that_leaves_the_slot(seal: Seal, tmp_path: Path, name: str) -> None:
    hostile = hostile_bundle(tmp_path, seal, tar_gz([(name, b"evil")]))
    refused(hostile, seal, tmp_path, "not inside of it")


@pytest.mark.parametrize(
    "member",
    [
        of_type("link", tarfile.SYMTYPE, "/etc"),
        of_type("link", tarfile.SYMTYPE, "bin"),
        of_type("link", tarfile.LNKTYPE, "/etc/passwd"),
        of_type("link", tarfile.LNKTYPE, "bin/carehub"),
        of_type("sda", tarfile.BLKTYPE),
        of_type("null", tarfile.CHRTYPE),
        of_type("pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda member: f"{member.type.decode()} {member.linkname}",
)
def test_what_is_neither_file_nor_directory(seal: Seal, tmp_path: Path, member: tarfile.TarInfo) -> None:
    payload = tar_gz(
        [of_type("bin", tarfile.DIRTYPE), ("bin/carehub", b""), member, (f"{member.name}/x", b"")]
    )
    refused(hostile_bundle(tmp_path, seal, payload), seal, tmp_path, "neither file nor directory")


def test_a_file_in_place_of_one_that_is_there(seal: Seal, tmp_path: Path) -> None:
    payload = tar_gz([("carehub", b"good"), ("carehub", b"evil")])
    refused(hostile_bundle(tmp_path, seal, payload), seal, tmp_path, "cannot be unpacked")


def test_a_payload_that_brings_a_manifest_of_its_own(seal: Seal, tmp_path: Path) -> None:
    payload = tar_gz([(MANIFEST, b"{}")])
    refused(hostile_bundle(tmp_path, seal, payload), seal, tmp_path, "cannot be unpacked")


def test_modes_that_nothing_of_a_slot_has(seal: Seal, tmp_path: Path) -> None:
    root_for_all = tarfile.TarInfo("root")
    root_for_all.mode, root_for_all.uid = 0o6777, 65534
    slot = unpack(hostile_bundle(tmp_path, seal, tar_gz([root_for_all])), seal, tmp_path / "a")
    assert (slot / "root").stat().st_mode & 0o7777 == 0o755


def test_a_bomb(seal: Seal, tmp_path: Path) -> None:
    payload = tar_gz([("zeros", bytes(40_000_000))])
    assert len(payload) < 50_000
    refused(
        hostile_bundle(tmp_path, seal, payload, size=1_000_000), seal, tmp_path, "more than its manifest says"
    )


def test_a_file_of_holes(seal: Seal, tmp_path: Path) -> None:
    holes = tarfile.TarInfo("holes")
    holes.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.name": "holes",
        "GNU.sparse.size": str(1 << 40),
        "GNU.sparse.map": "0,0",
    }
    refused(hostile_bundle(tmp_path, seal, tar_gz([holes])), seal, tmp_path, "neither file nor directory")


def test_a_payload_that_is_no_archive(seal: Seal, tmp_path: Path) -> None:
    refused(hostile_bundle(tmp_path, seal, b"\x1f\x8b" + b"x" * 100), seal, tmp_path, "cannot be unpacked")
    refused(
        hostile_bundle(tmp_path, seal, tar_gz([("a", b"b")])[:-20]),
        seal,
        tmp_path / "2",
        "cannot be unpacked",
    )


def test_no_room_is_said_before_anything_is_written(bundle: Path, seal: Seal, tmp_path: Path) -> None:
    refused(
        hostile_bundle(tmp_path, seal, tar_gz([]), size=1 << 60), seal, tmp_path, "no room for the release"
    )


def test_a_copy_is_checked_too(bundle: Path, seal: Seal, tmp_path: Path) -> None:
    payload = members_of(bundle)["python3.11.tar.gz"]
    other = changed(bundle, tmp_path / "b", python3_11_tar_gz=payload[:-1] + b"\1")
    with (
        opened(other, seal.signers) as content,
        (tmp_path / "out").open("wb") as out,
        pytest.raises(KeeperError, match="not what was signed"),
    ):
        content.copy("3.11", out)


def test_a_payload_far_larger_than_its_manifest_says_is_not_read(seal: Seal, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "made", seal, pythons=["3.11"])
    members = members_of(bundle)
    del members["python3.11.tar.gz"]
    large = tmp_path / "b"
    pack_members(large, members)
    head = large.read_bytes().rstrip(b"\0")
    head += bytes(-len(head) % 512)
    header = tarfile.TarInfo("python3.11.tar.gz")
    header.size = 7 << 30
    with large.open("wb") as file:
        file.write(head + header.tobuf(tarfile.USTAR_FORMAT))
        file.truncate(len(head) + 512 + header.size)
    refused(large, seal, tmp_path, "not what was signed: it has 7516192768 bytes")


def test_what_a_manifest_says_is_what_it_was_made_of(bundle: Path, seal: Seal) -> None:
    with opened(bundle, seal.signers) as content:
        assert content.has("3.11")
        assert not content.has("3.12")
        again = replace(content.manifest)
        assert again.to_json().encode() == content.manifest_text
