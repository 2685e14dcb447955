"""The programme's own authority, and its server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioning.authority import Authority
from tests.rigs.claiming import serving


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """One that was just begun."""
    authority = Authority(tmp_path / "authority")
    authority.begin()
    return authority


@pytest.fixture
def address(authority: Authority) -> Iterator[str]:
    """Where its `carehub ca serve` is."""
    with serving(authority) as address:
        yield address
