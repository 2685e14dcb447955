"""A reader's session: what was scanned is told by when it was typed, however late the hub reads it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from drivers.usb.bus import Key
from drivers.usb.session import ReaderSession
from drivers.virtual.typing_keys import keys_of
from drivers.virtual.usb import VirtualUsb
from tests.rigs.plugging import QUICK, reader

A_KEY = 0.18  # seconds from key to key as the hub reads them: no reader is so slow


class Late:
    """A keyboard whose keys are read late: each was typed `apart` seconds after the one before."""

    def __init__(self, text: str, apart: float | None) -> None:
        self._text = text
        self._apart = apart
        self.ended = asyncio.Event()

    async def keys(self) -> AsyncIterator[Key | None]:
        began = asyncio.get_running_loop().time()
        for number, key in enumerate(keys_of(self._text)):
            await asyncio.sleep(A_KEY if key.down else 0)
            yield key if self._apart is None else replace_at(key, began + number * self._apart)
        self.ended.set()
        await asyncio.Event().wait()


def replace_at(key: Key, at: float) -> Key:
    return key._replace(at=at)


class Ports(VirtualUsb):
    """Sockets with that keyboard in one."""

    def __init__(self, keyboard: Late) -> None:
        super().__init__()
        self._late = keyboard

    @asynccontextmanager
    async def keyboard(self, device: object) -> AsyncIterator[Late]:
        yield self._late


@pytest.mark.parametrize(
    ("apart", "scans"),
    [(0.01, ["1234"]), (0.3, [None]), (None, [None])],
    ids=["typed fast and read slowly", "typed slowly", "nobody knows when it was typed"],
)
async def test_a_scan_is_judged_by_when_it_was_typed(
    apart: float | None, scans: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Enter is read 0.9 s after what was typed, and on a busy machine later than a pause is long.
    monkeypatch.setattr("drivers.usb.session._TO_BE_READ", 10.0)
    keyboard, told = Late("1234\n", apart), list[str | None]()
    session = ReaderSession(
        reader().address,
        Ports(keyboard),
        scanned=lambda _address, code: told.append(code),
        unheard=lambda _address: None,
        patience=QUICK,
    )
    listening = asyncio.create_task(session.run(reader()))
    await keyboard.ended.wait()
    await asyncio.sleep(0)
    listening.cancel()
    await asyncio.wait((listening,))
    assert told == scans
