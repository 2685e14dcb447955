"""A slot put together: see `provisioning.keeper.places` for where it goes."""

from __future__ import annotations

import shutil
from pathlib import Path

from provisioning.bundle.checkout import Checkout
from provisioning.bundle.compiling import Compiler

LAUNCHER = """\
#!/usr/bin/python3 -I
# The command 'carehub' of the release in whose slot this file is.
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from hub.cli import main

main()
"""


def assemble(checkout: Checkout, packages: Path, compiler: Compiler, slot: Path) -> None:
    """Make `slot`: its packages, the hub's own code, compiled, the units, and the command.

    Raises:
        ProvisioningError: the hub's code does not compile.
    """
    own = slot.with_name("own")
    for path in checkout.files():
        to = (slot if path.parts[0] == "systemd" else own) / path
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(checkout.root / path, to)
    compiler.compile(own)
    shutil.copytree(packages, slot / "lib")
    shutil.copytree(own, slot / "lib", dirs_exist_ok=True)
    launcher = slot / "bin/carehub"
    launcher.parent.mkdir()
    launcher.write_text(LAUNCHER)
    launcher.chmod(0o755)
