"""A database to be damaged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.rigs.damaging import DELIVERED, full_house


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub's database with everything in it; its page size is 1024 bytes, and it has no log."""
    return full_house(tmp_path_factory.mktemp("home"))


@pytest.fixture
def delivered(home: Path) -> set[int]:
    """The messages that the broker had before: their rows may still be on pages that are free."""
    return set(json.loads((home.parent.parent / DELIVERED).read_text()))


@pytest.fixture
def path(home: Path, tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return Path(shutil.copy(home, tmp_path / "data" / "carehub.db"))
