"""Bytecode, by the very Python that will run it: compiled ahead, since a slot cannot be written by the hub.

Its Python is one of this machine of the same minor version, or Debian's own in a tree; bytecode is the same
on every architecture.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from provisioning.bundle import debian
from provisioning.bundle.commands import run
from provisioning.bundle.target import Target

_ASK = "import importlib.util, sys; print('%d.%d' % sys.version_info[:2], importlib.util.MAGIC_NUMBER.hex())"
# Never checked against the source: what is installed does not change. In one process and with one seed: the
# same sources always become the same bytes.
_COMPILE = ("-m", "compileall", "-q", "-f", "-j", "1", "--invalidation-mode", "unchecked-hash")
_SEED = {"PYTHONHASHSEED": "0"}


@dataclass(frozen=True, slots=True)
class Compiler:
    """`python` runs on this machine, or inside of `tree`. `magic`: see `manifest.Payload`."""

    python: str
    magic: str
    tree: Path | None = None

    def compile(self, directory: Path) -> None:
        """Compile all of a directory. Raises `ProvisioningError`: something does not compile."""
        doing = f"{directory.name} cannot be compiled"
        if self.tree is None:
            run(self.python, *_COMPILE, "-s", directory, directory, doing=doing, environment=_SEED)
            return
        with tempfile.TemporaryDirectory(prefix="carehub-", dir=self.tree / "tmp") as work:
            inside = Path(work) / "lib"
            shutil.copytree(directory, inside)
            name = str(Path("/", inside.relative_to(self.tree)))
            debian.run_inside(self.tree, self.python, *_COMPILE, "-s", name, name, doing=doing, **_SEED)
            shutil.copytree(inside, directory, dirs_exist_ok=True)


def compiler(target: Target, tell: Callable[[str], None]) -> Compiler:
    """A compiler for this target's Python. Raises `ProvisioningError`: there is none, nor can one be had."""
    for candidate in (sys.executable, f"python{target.python}"):
        if shutil.which(candidate) is not None and (magic := _asked(candidate, target.python)):
            return Compiler(candidate, magic)
    tree = debian.tree(target.own, tell)
    version, magic = debian.run_inside(
        tree, "python3", "-c", _ASK, doing="Debian's Python does not run"
    ).split()
    assert version == target.python
    return Compiler("python3", magic, tree)


def _asked(python: str, version: str) -> str:
    """Its magic number, if it is of this version; empty if not, or if it does not run at all."""
    try:
        done = subprocess.run((python, "-I", "-c", _ASK), capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return ""
    words = done.stdout.split()
    return words[1] if done.returncode == 0 and len(words) == 2 and words[0] == version else ""
