"""The directory lib/ of a slot without the hub itself: all packages for one target, compiled."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from provisioning.bundle.commands import run
from provisioning.bundle.compiling import Compiler
from provisioning.bundle.lock import Pin, pins_for, uv
from provisioning.bundle.native import wheels
from provisioning.bundle.target import Target, cache

_LEFT_OUT = (
    "bin",  # commands of packages
    "**/tests",  # numpy's alone are 5 MB
    "numpy/f2py",  # for those who write modules in Fortran
    "numpy/distutils",
    "ai_edge_litert/libLiteRtWebGpuAccelerator.so",  # 17 MB; a Pi runs the model on its processor
    "ai_edge_litert/tools",
    "**/include",  # for those who compile against a package
    "**/*.pyi",
    "**/*.pxd",
    "**/*.a",
    # What an installation notes of itself, with its time and place.
    *(f"*.dist-info/{name}" for name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")),
    "*.dist-info/uv_*.json",
    "**/.lock",
)


def packages(
    root: Path, target: Target, extras: Iterable[str], compiler: Compiler, tell: Callable[[str], None]
) -> Path:
    """All that the hub of this checkout needs on this target: a directory to copy, made unless it was before.

    Raises:
        ProvisioningError: it cannot be put together here.
    """
    pins = pins_for(root, target, extras)
    built = wheels(root, target, tell)
    place = cache() / "packages" / _ingredients(pins, built, target, compiler)
    if not place.is_dir():
        tell(f"Putting {len(pins) + len(built)} packages together for {target.name}")
        place.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=place.parent))
        try:
            _install(pins, built, target, unfinished)
            prune(unfinished)
            compiler.compile(unfinished)
            unfinished.chmod(0o755)
            unfinished.rename(place)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return place


def _ingredients(pins: Iterable[Pin], built: Iterable[Path], target: Target, compiler: Compiler) -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for ingredient in (target.platform, target.python, compiler.magic, *map(str, pins)):
        digest.update(ingredient.encode() + b"\0")
    for wheel in built:
        digest.update(hashlib.sha256(wheel.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _install(pins: Iterable[Pin], built: Iterable[Path], target: Target, into: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="carehub-") as directory:
        requirements = Path(directory) / "requirements.txt"
        requirements.write_text("".join(f"{pin}\n" for pin in pins))
        into_target: tuple[str | Path, ...] = (
            *(uv(), "pip", "install", "--quiet", "--python", sys.executable, "--target", into, "--no-deps"),
            *("--link-mode", "copy", "--python-version", target.python, "--python-platform", target.platform),
            *("--only-binary", ":all:"),
        )
        doing = f"the packages for {target.name} cannot be put together"
        # Not where a pyproject.toml is: uv takes constraints from it, and wants their hashes.
        here = requirements.parent
        run(*into_target, "--require-hashes", "--requirement", requirements, doing=doing, directory=here)
        run(*into_target, *built, doing=doing, directory=here)


def prune(directory: Path) -> None:
    """Leave out what no hub needs: tests, what is for compilers and type checkers, notes."""
    for pattern in _LEFT_OUT:
        for path in list(directory.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    for name, _folders, _files in os.walk(directory, topdown=False):
        if not any(Path(name).iterdir()):
            Path(name).rmdir()
