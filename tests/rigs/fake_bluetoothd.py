"""The fake BlueZ as a process of its own, for a bus that starts it; it ends with the bus."""

from __future__ import annotations

import asyncio
import contextlib
import os

from tests.rigs.fake_bluez import FakeBlueZ


async def main() -> None:
    """Serve the bus that started this process."""
    bluez = FakeBlueZ()
    await bluez.start(address=os.environ["DBUS_STARTER_ADDRESS"])
    with contextlib.suppress(EOFError):
        await bluez.until_the_bus_ends()


if __name__ == "__main__":
    asyncio.run(main())
