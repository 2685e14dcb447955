"""What the tests of the page share: templates that were compiled once, since each page compiles its own."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket


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
