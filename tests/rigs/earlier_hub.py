"""The hub of an earlier schema, kept: its own code, which works with a database that a later one wrote.

What is kept are the modules of that release that `tests/rigs/lived_in.py` needs. In a checkout of a release
whose schema is new:

    python -m tests.rigs.earlier_hub               # makes tests/hub/store/earlier/schema-N.tar.xz
"""

from __future__ import annotations

import importlib
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
KEPT = _ROOT / "tests/hub/store/earlier"
_DAY = "tests.rigs.lived_in"


def kept(schema: int) -> Path:
    """Where the hub of that schema is."""
    return KEPT / f"schema-{schema}.tar.xz"


class EarlierHub:
    """A hub of an earlier schema, unpacked into a directory."""

    def __init__(self, schema: int, into: Path) -> None:
        with tarfile.open(kept(schema)) as tar:
            for member in tar:
                file = into / member.name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(tar.extractfile(member).read())  # type: ignore[union-attr]  # all are files
        self._code = into

    def a_day(self, directory: Path) -> dict[str, Any]:
        """See `lived_in.a_day`. Raises CalledProcessError: it could not."""
        done = subprocess.run(
            (sys.executable, "-m", _DAY, directory),
            cwd=self._code, env={"PYTHONPATH": str(self._code)}, capture_output=True, check=True, text=True,
        )  # fmt: skip
        found: dict[str, Any] = json.loads(done.stdout)
        assert found.pop("by") == str(self._code), "it is its own code that worked"
        return found


def keep() -> Path:
    """Keep the hub of this checkout."""
    importlib.import_module(_DAY)
    schema = importlib.import_module("hub.store.database").SCHEMA_VERSION
    # Migrations are loaded where they are needed.
    importlib.import_module("hub.store.migrations")
    own = {Path(file) for each in sys.modules.values() if (file := getattr(each, "__file__", None))}
    names = sorted(
        str(each.relative_to(_ROOT))
        for each in own | {_ROOT / "tests/rigs/lived_in.py"}
        if any(each.is_relative_to(_ROOT / part) for part in ("hub", "drivers", "models", "tests"))
    )
    KEPT.mkdir(parents=True, exist_ok=True)
    with tarfile.open(kept(schema), "w:xz", preset=9) as tar:
        for name in names:
            content = (_ROOT / name).read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return kept(schema)


if __name__ == "__main__":
    print(keep())
