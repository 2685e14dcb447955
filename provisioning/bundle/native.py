"""The packages that come as source only, built for a target by its own compiler."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from provisioning.bundle import debian
from provisioning.bundle.commands import run
from provisioning.bundle.lock import NATIVE, Pin, read_lock, the_pin, uv
from provisioning.bundle.target import Target, cache

# As pip has it done (PEP 517); Debian's pip would want a network's certificates for nothing.
_BUILD = """\
import os, sys
from setuptools.build_meta import __legacy__ as setuptools

os.chdir(sys.argv[1])
setuptools.build_wheel(sys.argv[2])
"""


def wheels(root: Path, target: Target, tell: Callable[[str], None]) -> list[Path]:
    """A wheel of each of `NATIVE` for this target, built unless it was before.

    Raises:
        ProvisioningError: one cannot be built here.
    """
    lock = read_lock(root / "requirements.lock")
    return [_wheel(the_pin(lock, name), the_pin(lock, "setuptools"), target, tell) for name in NATIVE]


def _wheel(pin: Pin, setuptools: Pin, target: Target, tell: Callable[[str], None]) -> Path:
    kept = (
        cache() / "wheels" / target.architecture / target.python / f"{pin.name}-{pin.version}-{pin.hashes[0]}"
    )
    if not kept.is_dir():
        tree = debian.tree(target, tell)
        emulated = "" if target == target.own else ", emulated: a minute"
        tell(f"Building {pin.name} {pin.version} for {target.name}{emulated}")
        with tempfile.TemporaryDirectory(prefix="carehub-", dir=tree / "tmp") as directory:
            work = Path(directory)
            _fetch_source(pin, work / "source")
            _install_setuptools(setuptools, work / "setuptools")
            _build(pin, tree, work)
            kept.parent.mkdir(parents=True, exist_ok=True)
            unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=kept.parent))
            shutil.copytree(work / "wheels", unfinished, dirs_exist_ok=True)
            unfinished.chmod(0o755)
            unfinished.rename(kept)
    return next(kept.glob("*.whl"))


def _fetch_source(pin: Pin, into: Path) -> None:
    """By pip, which holds it to the lock's hash; it reads from the source what it is, with the setuptools of
    this environment."""
    requirements = into.with_suffix(".txt")
    requirements.write_text(f"{pin}\n")
    run(
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
        *("--no-build-isolation", "--no-binary", ":all:", "--require-hashes", "--requirement", requirements),
        *("--dest", into),
        doing=f"the source of {pin.name} cannot be fetched",
    )


def _install_setuptools(pin: Pin, into: Path) -> None:
    """The lock's: Debian's is older than what builds evdev may be."""
    requirements = into.with_suffix(".txt")
    requirements.write_text(f"{pin}\n")
    run(
        *(uv(), "pip", "install", "--quiet", "--python", sys.executable, "--target", into, "--no-deps"),
        *("--only-binary", ":all:", "--require-hashes", "--requirement", requirements),
        doing=f"{pin.name} cannot be fetched",
        directory=into.parent,  # not where a pyproject.toml is: see packages.py
    )


def _build(pin: Pin, tree: Path, work: Path) -> None:
    (packed,) = (work / "source").iterdir()
    run("tar", "--extract", "--file", packed, "--directory", work, doing=f"{packed.name} cannot be unpacked")
    (source,) = (each.parent for each in work.glob("*/setup.py"))
    inside = Path("/", work.relative_to(tree))
    # Without debug information: it names the directory of this build, and no two builds would be alike.
    debian.run_inside(
        tree,
        *("python3", "-c", _BUILD, str(inside / source.name), str(inside / "wheels")),
        doing=f"{pin.name} cannot be built",
        PYTHONPATH=str(inside / "setuptools"),
        CFLAGS="-g0",
    )
