"""An image put together: Debian's root and kernel, a release in its slot, the folder for a first boot."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from provisioning.boot_folder import SITE
from provisioning.errors import ProvisioningError
from provisioning.image import disk, folder
from provisioning.image.commands import missing_packages, run
from provisioning.image.initramfs import initramfs
from provisioning.image.root import PYTHONS, cache_directory, cached, kernel_version, mounted
from provisioning.keeper.apply import apply
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.manifest import MANIFEST, Manifest
from provisioning.keeper.places import Places
from provisioning.keeper.resources import File, Identity
from provisioning.keeper.slots import Slots
from provisioning.plan import Login, desired
from provisioning.site_file import Site, load

_HERE = Path(__file__).parent
_UNITS = {
    "local-fs.target.wants": "carehub-grow.service",
    "ssh.service.requires": "carehub-host-keys.service",
    "multi-user.target.wants": "carehub-first-boot.service",
}
# Nothing on a home's poor network in the night, and nothing for a machine with many disks.
_MASKED = (
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer"),
    *("e2scrub_all.timer", "e2scrub_reap.service"),
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an image is made of.

    With a `site` it is that hub's card: the folder carehub/ of its boot partition is made of that. `when` is
    the time of all that is in it, in seconds since 1970; without it that of the release. `anew`: with
    Debian's packages of today, whatever the cache has, which is `cache_directory()` unless another `cache`
    is given.
    """

    bundle: Path
    signers: Path
    release: str = "bookworm"
    site: Site | None = None
    cache: Path | None = None
    when: int | None = None
    anew: bool = False


def build(recipe: Recipe, out: Path, tell: Callable[[str], None]) -> Manifest:
    """Write an image to the file `out`; gives the release that is in it. One of a site has secrets in it, and
    is for its owner alone to read.

    Raises:
        ProvisioningError: the caller is not root, tools are missing, the bundle is refused, or it cannot be
            made.
    """
    if os.geteuid() != 0:
        raise ProvisioningError("an image is made as root: its files belong to many users")
    if missing := missing_packages():
        raise ProvisioningError(f"the image cannot be made: run 'apt-get install {' '.join(missing)}' first")
    if not out.parent.is_dir():
        raise ProvisioningError(f"{out}: there is no directory {out.parent} to write it to")
    when = recipe.when if recipe.when is not None else _time_of(recipe.bundle)
    cache = recipe.cache or cache_directory()
    archives = []
    for kind in ("root", "kernel"):
        tell(f"Debian {recipe.release}'s {kind}: from {cache}, or made now, which takes some minutes")
        archives.append(cached(kind, recipe.release, cache, anew=recipe.anew))
    try:
        with tempfile.TemporaryDirectory(prefix="image-", dir=cache) as name:
            root, boot = Path(name) / "root", Path(name) / "boot"
            root.mkdir(mode=0o755)
            for archive in archives:
                run(
                    "tar",
                    "--extract",
                    "--file",
                    archive,
                    "--numeric-owner",
                    "--keep-directory-symlink",
                    "--directory",
                    root,
                )
            tell("the release, into its slot")
            manifest = _release(recipe, root)
            _furnish(root, when)
            site = recipe.site
            _boot(root, boot, {} if site is None else folder.of(site))
            if site is not None:
                tell("what the site's file says")
                _set_up(root, boot / "carehub" / SITE, manifest, recipe)
                # Once all else is good, since the authority keeps a list of what it has signed.
                _put(boot, folder.pair(site))
            tell(f"the card, into {out}")
            _write(root, boot, out, when, mode=0o644 if site is None else 0o600)
    except OSError as error:
        raise ProvisioningError(f"the image cannot be made: {error}") from error
    return manifest


def _write(root: Path, boot: Path, out: Path, when: int, mode: int) -> None:
    unfinished = out.with_name(f".{out.name}.unfinished")
    try:
        disk.write(root, boot, unfinished, when)
        unfinished.chmod(mode)
        unfinished.rename(out)
    finally:
        unfinished.unlink(missing_ok=True)


def _time_of(bundle: Path) -> int:
    """The release's: what its files have."""
    try:
        with tarfile.open(bundle) as archive:
            return int(archive.getmember(MANIFEST).mtime)
    except (OSError, KeyError, tarfile.TarError) as error:
        raise ProvisioningError(f"{bundle} is no bundle: {error}") from error


def _release(recipe: Recipe, root: Path) -> Manifest:
    places = Places(root)
    places.etc.mkdir(mode=0o750, parents=True)
    try:
        shutil.copyfile(recipe.signers, places.signers)
        slots = Slots(places)
        slots.switch(slots.install(recipe.bundle))
        found = slots.in_force()
    except KeeperError as error:
        raise ProvisioningError(str(error)) from error
    assert found is not None  # switched to
    if PYTHONS[recipe.release] not in found.payloads:
        raise ProvisioningError(f"{recipe.bundle} has nothing for Python {PYTHONS[recipe.release]}")
    return found


def _set_up(root: Path, site_file: Path, manifest: Manifest, recipe: Recipe) -> None:
    """All that needs no running machine, so that the first boot has only the certificate to bring about."""
    places, site = Places(root), load(site_file)
    signers = site.carried.release_signers or recipe.signers.read_text(encoding="utf-8")
    ca_pem, python = site.carried.broker_ca, PYTHONS[recipe.release]
    resources = desired(site, ca_pem, manifest, python, signers, login=Login("root"))
    # A key is made on the hub, or carried to it; never in an image. And emulated programs have no firewall,
    # and no host key, to check a file with: the hub checks what it is told to change.
    offline = [
        dataclasses.replace(each, check="") if isinstance(each, File) else each
        for each in resources
        if not isinstance(each, Identity)
    ]
    with mounted(root):
        outcomes = list(apply(offline, places, dry_run=False, live=False))
    if failed := [each for each in outcomes if each.change == "failed"]:
        raise ProvisioningError(
            "the image cannot be made: " + "; ".join(f"{each.title}: {each.detail}" for each in failed)
        )


def _furnish(root: Path, when: int) -> None:
    """What is of the image alone. All of the hub's comes at the first boot, from the site's file."""
    _copy(_HERE / "overlay", root)
    system = root / "etc/systemd/system"
    first_boot = _UNITS["multi-user.target.wants"]
    shutil.copyfile(Places(root).current / "systemd/keeper" / first_boot, system / first_boot)
    for wants, unit in _UNITS.items():
        (system / wants).mkdir(exist_ok=True)
        (system / wants / unit).symlink_to(f"../{unit}")
    for unit in _MASKED:
        (system / unit).unlink(missing_ok=True)
        (system / unit).symlink_to("/dev/null")
    command = root / "usr/local/bin/carehub"
    command.symlink_to("/opt/carehub/current/bin/carehub")
    (root / "etc/hostname").write_text("carehub\n")
    (root / "etc/hosts").write_text(
        "127.0.0.1\tlocalhost\n127.0.1.1\tcarehub\n::1\tlocalhost ip6-localhost\n"
    )
    (root / "etc/machine-id").write_text("")  # made at the first boot
    # systemd begins no earlier than here, on a machine without a clock (systemd-timesyncd(8), clock-epoch).
    epoch = root / "usr/lib/clock-epoch"
    epoch.touch()
    os.utime(epoch, (when, when))


def _boot(root: Path, boot: Path, files: Mapping[str, bytes]) -> None:
    """The boot partition; its mount point in the root stays empty."""
    version = kernel_version(root)
    _copy(_HERE / "boot", boot)
    for each in sorted((root / "usr/lib/raspi-firmware").iterdir()):
        shutil.copyfile(each, boot / each.name)
    for each in sorted((root / f"usr/lib/linux-image-{version}/broadcom").glob("bcm2[78]*-rpi-*.dtb")):
        shutil.copyfile(each, boot / each.name)
    shutil.move(root / f"boot/vmlinuz-{version}", boot / "vmlinuz")
    (boot / "initrd.img").write_bytes(initramfs(root, version))
    _put(boot, files)
    for part in ("usr/lib/raspi-firmware", f"usr/lib/linux-image-{version}"):
        shutil.rmtree(root / part)  # on the boot partition
    (root / "usr/bin/busybox").unlink()
    (root / "boot/firmware").mkdir()


def _put(boot: Path, files: Mapping[str, bytes]) -> None:
    for name, content in sorted(files.items()):
        (boot / "carehub" / name).write_bytes(content)


def _copy(tree: Path, into: Path) -> None:
    """Files of the project, as root's and with the card's identifiers."""
    for path in sorted(tree.rglob("*")):
        to = into / path.relative_to(tree)
        if path.is_dir():
            to.mkdir(mode=0o755, parents=True, exist_ok=True)
            continue
        text = (
            path.read_text(encoding="utf-8")
            .replace("@ROOT@", disk.ROOT_UUID)
            .replace("@BOOT@", disk.BOOT_UUID)
        )
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(text, encoding="utf-8")
        to.chmod(0o755 if os.access(path, os.X_OK) else 0o644)
