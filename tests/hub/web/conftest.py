"""What the tests of the page share: a page with somebody signed in, and templates that were compiled once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest
from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket

from hub.staff.rights import Role
from tests.rigs.staff_page import Client, StaffPage, staff_page


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[StaffPage]:
    """Over a plain house; a test that needs another makes it."""
    async with staff_page(tmp_path) as page:
        yield page


@pytest.fixture
async def carer(page: StaffPage) -> AsyncIterator[Client]:
    """A carer who is signed in."""
    async with page.signed_in(Role.CARER) as client:
        yield client


@pytest.fixture
async def senior(page: StaffPage) -> AsyncIterator[Client]:
    """A senior carer who is signed in."""
    async with page.signed_in(Role.SENIOR) as client:
        yield client


@pytest.fixture
async def manager(page: StaffPage) -> AsyncIterator[Client]:
    """A manager who is signed in."""
    async with page.signed_in(Role.MANAGER) as client:
        yield client


@pytest.fixture
async def engineer(page: StaffPage) -> AsyncIterator[Client]:
    """A engineer who is signed in."""
    async with page.signed_in(Role.ENGINEER) as client:
        yield client


class _Compiled(BytecodeCache):
    """By what a template says: one that is changed has another key."""

    def __init__(self) -> None:
        self._known: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if (known := self._known.get(bucket.key + bucket.checksum)) is not None:
            bucket.bytecode_from_string(known)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._known[bucket.key + bucket.checksum] = bucket.bytecode_to_string()


@pytest.fixture(scope="session", autouse=True)
def templates_compiled_once() -> Iterator[None]:
    """It takes some fifty milliseconds, and there are hundreds of tests."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("hub.web.app.Environment", partial(Environment, bytecode_cache=_Compiled()))
        yield
