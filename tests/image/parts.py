"""The parts: each gives lines, measured beside aim."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep, time

from provisioning.image.build import Recipe, build
from provisioning.image.root import PYTHONS, cache_directory, cached
from provisioning.keeper.places import Places
from provisioning.keeper.slots import Slots
from provisioning.site_file import load
from tests.image.card import Card
from tests.image.guest import PI, VIRT, Guest, Kind
from tests.image.made import CACHE, Desk
from tests.rigs.rung import Line

_RELEASE = "bookworm"
_BUILT_SECONDS = 300.0
_PATIENCE_SECONDS = 900.0
"""Patience, no aim: a busy machine emulates ten times as slowly as a Pi runs."""

_IMPORTS = (
    *(
        "numpy",
        "dbus_fast",
        "evdev",
        "systemd.daemon",
        "pydantic_core",
        "argon2",
    ),
    *(
        "bleak",
        "paho.mqtt.client",
        "starlette",
        "uvicorn",
        "jinja2",
        "tomlkit",
        "provisioning.plan",
        "hub.daemon",
    ),
)
_LOADS = """
import importlib, sys
sys.path.insert(0, "/opt/carehub/current/lib")
for name in sys.argv[1:]:
    module = importlib.import_module(name)
    assert module.__spec__.cached is None or "/opt/carehub" in module.__file__, module.__file__
from hub.assessment.deterioration import DeteriorationModel
from hub.assessment.rhythm import RhythmModel
DeteriorationModel.configured(None), RhythmModel.configured(None)
print(sys.version_info[:2], "golden vectors met")
"""


@dataclass(frozen=True, slots=True)
class Given:
    """What every part works with."""

    bundle: Path
    signers: Path


def of_the_bundle(given: Given) -> Iterator[Line]:
    """The release, imported and run as ARM code on Debian's own Pythons."""
    for release, python in PYTHONS.items():
        directory = CACHE / f"root-{release}"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        try:
            if release == _RELEASE:
                _run(
                    "tar", "--extract", "--file", cached("root", release, cache_directory()), "-C", directory
                )
            else:
                # What systemd and apt bring on each Pi, and nothing else.
                _run(
                    *("mmdebstrap", "--quiet", "--mode=root", "--architectures=arm64", "--variant=extract"),
                    *("--format=directory", "--include=apt,base-files,coreutils,dash,python3,libsystemd0"),
                    *(release, directory),
                )
            (directory / "proc").mkdir(exist_ok=True)
            _run("mount", "--types", "proc", "proc", directory / "proc")
            try:
                yield from _imported(given, directory, f"aarch64, {release}'s Python {python}")
            finally:
                _run("umount", "--lazy", directory / "proc")
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def _imported(given: Given, root: Path, what: str) -> Iterator[Line]:
    places = Places(root)
    places.etc.mkdir(parents=True)
    shutil.copy(given.signers, places.signers)
    slots = Slots(places)
    slots.switch(slots.install(given.bundle))
    carehub = "/opt/carehub/current/bin/carehub"
    example = places.etc / "hub.toml"
    shutil.copy(Path(__file__).parents[2] / "provisioning/hub.example.toml", example)
    for name, command in (
        ("runs", (carehub, "--version")),
        ("imports, golden vectors of both models", ("/usr/bin/python3", "-I", "-c", _LOADS, *_IMPORTS)),
        ("check-config", (carehub, "check-config", "--config", "/etc/carehub/hub.toml")),
    ):
        ended = subprocess.run(
            ("/usr/sbin/chroot", root, *command), capture_output=True, text=True, check=False, timeout=600,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        said = (ended.stdout if ended.returncode == 0 else ended.stderr).strip().splitlines()
        yield Line(
            f"{what}: {name}",
            said[-1] if said else f"ended with {ended.returncode}",
            "works",
            ended.returncode == 0,
        )


def of_the_image(given: Given) -> Iterator[Line]:
    """Built twice from the cache, and looked through."""
    for kind in ("root", "kernel"):
        began = monotonic()
        cached(kind, _RELEASE, cache_directory())
        yield Line(f"Debian's {kind}, where it was not cached", f"{monotonic() - began:.0f} s", "", None)
    recipe, out = Recipe(given.bundle, given.signers), CACHE / "hub.img"
    began = monotonic()
    build(recipe, out, lambda words: print(f"  {words}", flush=True))
    seconds = monotonic() - began
    yield Line(
        "image built from a cached root",
        f"{seconds:.0f} s",
        "<= 5 min",
        seconds <= _BUILT_SECONDS,
        of_time=True,
    )
    first = _hash(out)
    build(recipe, out, lambda _words: None)
    same = _hash(out) == first
    yield Line("built again: the same bytes", first[:16], "the same", same)
    yield Line(
        "size", f"{out.stat().st_size / 1e6:.0f} MB, {out.stat().st_blocks * 512 / 1e6:.0f} written", "", None
    )
    for what, wrong in _looked_through(Card(out)):
        yield Line(what, wrong or "yes", "yes", not wrong)


def _looked_through(card: Card) -> Iterator[tuple[str, str]]:
    """What is promised of an image, and what is wrong with it."""
    passwords = [
        line.split(":")[0]
        for line in card.text("/etc/shadow").splitlines()
        if line.split(":")[1][:1] not in "*!"
    ]
    yield "nobody has a password", ", ".join(passwords)
    yield (
        "no SSH host key",
        ", ".join(name for name in card.names("/etc/ssh") if "host" in name and "key" in name),
    )
    yield "no machine-id", card.text("/etc/machine-id").strip()
    keys = card.names("/root/.ssh")
    yield "no login but by keys that a site gives", ", ".join(keys)
    root, boot = (line.split() for line in card.text("/etc/fstab").splitlines() if line.startswith("UUID="))
    wrong = [each for each in ("noatime", "errors=remount-ro") if each not in root[3].split(",")]
    wrong += [each for each in ("ro", "nofail") if each not in boot[3].split(",")]
    yield "the card is spared: noatime, the boot partition read-only", ", ".join(wrong)
    yield "no swap", "swap" if "swap" in card.text("/etc/fstab") else ""
    yield "the boot partition waits for a site", ", ".join(set(card.boot_names("/carehub")) ^ {"README.txt"})
    missing = {"start4.elf", "bootcode.bin", "vmlinuz", "initrd.img", "config.txt", "cmdline.txt"} - set(
        card.boot_names("/")
    )
    yield "firmware, kernel and settings of a Pi", ", ".join(missing)


def on_virt(given: Given) -> Iterator[Line]:
    """The card's own kernel on QEMU's own machine, with a site on the boot partition: until `status`."""
    yield from _booted(given, VIRT, to_the_end=True)


def on_a_pi(given: Given) -> Iterator[Line]:
    """The same on the Raspberry Pi 3 that QEMU plays, from its SD card, the network on its USB."""
    yield from _booted(given, PI, to_the_end=False)


def _booted(given: Given, kind: Kind, *, to_the_end: bool) -> Iterator[Line]:
    directory = CACHE / kind.name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    desk = Desk(directory)
    image = directory / "hub.img"
    recipe = Recipe(given.bundle, given.signers, site=load(desk.site), when=int(time()))
    build(recipe, image, lambda _words: None)
    mode = image.stat().st_mode & 0o777
    yield Line("a card with a hub's key in it is its maker's alone", f"{mode:04o}", "0600", mode == 0o600)
    what = f"power on to `status` = online over mutual TLS, {kind.name}"
    guest = Guest(kind, image, directory / "guest")
    with desk, guest:
        began = monotonic()
        while not desk.online.wait(1) and guest.runs() and monotonic() - began < _PATIENCE_SECONDS:
            pass
        seconds = monotonic() - began
        online = desk.online.is_set()
        missed = "not within" if guest.runs() else "QEMU ended by itself after"
        yield Line(
            what,
            f"{seconds:.0f} s" if online else f"{missed} {seconds:.0f} s: see {directory}",
            "arrives",
            online,
        )
        if online and to_the_end:
            # `status` is told by a hub that was started on the way; the page comes after it.
            while (
                "is set up" not in guest.console and guest.runs() and monotonic() - began < _PATIENCE_SECONDS
            ):
                sleep(1)
            off = guest.switch_off(120)
            yield Line("switched off by its button", "yes" if off else "no", "yes", off)
            for name, wrong in _after_a_first_boot(guest.card, image):
                yield Line(name, wrong or "yes", "yes", not wrong)
    if online:
        guest.remove()
        image.unlink()


def _after_a_first_boot(card: Card, image: Path) -> Iterator[tuple[str, str]]:
    left = set(card.boot_names("/carehub")) - {"README.txt", "status.txt"}
    yield "the folder on the boot partition is emptied", ", ".join(left)
    secret = Card(image).boot_text("/carehub/hub.key").splitlines()[1].encode()
    assert Card(image).boot_holds(secret), "this shows nothing"
    yield "and its key was overwritten there", "it is there still" if card.boot_holds(secret) else ""
    status = card.boot_text("/carehub/status.txt")
    yield "and says what was done", "" if "is set up" in status else status
    yield (
        "a machine-id and a host key of its own",
        ""
        if (
            len(card.text("/etc/machine-id").strip()) == 32
            and "ssh_host_ed25519_key" in card.names("/etc/ssh")
        )
        else "no",
    )
    before, after = Card(image).partitions()[1][1], card.partitions()[1][1]
    yield "the root has taken all of the card", "" if after > before else f"{after} bytes"
    yield "its key is the hub's alone", "" if "hub.key" in card.names("/etc/carehub/identity/1") else "no key"


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _run(*command: str | Path) -> None:
    subprocess.run([str(each) for each in command], check=True, timeout=900, stdin=subprocess.DEVNULL)
