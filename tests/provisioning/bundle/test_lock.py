"""A release has the packages of the lock, in its versions and with its hashes."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from provisioning.bundle.checkout import ROOT
from provisioning.bundle.lock import NATIVE, read_lock, the_pin
from provisioning.bundle.target import PYTHONS, Target
from provisioning.errors import ProvisioningError

LOCK = """\
numpy==1.26.4 ; python_full_version < '3.12' \\
    --hash=sha256:{a}
    # via carehub (pyproject.toml)
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:{b} \\
    --hash=sha256:{c}
    # via carehub (pyproject.toml)
winrt-windows==4!10.0.2 ; sys_platform == 'win32' \\
    --hash=sha256:{a}
""".format(a="a" * 64, b="b" * 64, c="c" * 64)


def test_each_version_has_its_own_hashes(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text(LOCK)
    lock = read_lock(tmp_path / "lock")
    assert set(lock) == {("numpy", "1.26.4"), ("numpy", "2.5.5"), ("winrt-windows", "4!10.0.2")}
    assert str(lock["numpy", "1.26.4"]) == f"numpy==1.26.4 --hash=sha256:{'a' * 64}"
    assert lock["numpy", "2.5.5"].hashes == ("b" * 64, "c" * 64)


def test_a_lock_without_hashes_makes_no_release(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text(LOCK.replace(f" \\\n    --hash=sha256:{'a' * 64}\n    #", "\n    #"))
    with pytest.raises(ProvisioningError, match=r"has not a hash for each package: .*make lock"):
        read_lock(tmp_path / "lock")


def test_what_is_built_from_source_is_in_the_lock_once() -> None:
    lock = read_lock(ROOT / "requirements.lock")
    for name in (*NATIVE, "setuptools"):
        assert len([key for key in lock if key[0] == name]) == 1
        assert the_pin(lock, name).hashes
    with pytest.raises(ProvisioningError, match="has no nonsense"):
        the_pin(lock, "nonsense")


def test_the_pythons_of_releases_are_among_those_of_the_project() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        requires = tomllib.load(file)["project"]["requires-python"]
    assert requires == ">=3.11,<3.14"
    assert set(PYTHONS) <= {"3.11", "3.12", "3.13"}
    assert Target("aarch64", "3.11").platform == "aarch64-manylinux_2_36"
