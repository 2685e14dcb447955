"""Each scenario has an air of its own, and a bluetoothd that lives."""

from __future__ import annotations

import logging
import signal
from collections.abc import AsyncIterator, Callable

import pytest

from tests.vm.guest.sockets import Sockets
from tests.vm.guest.stage import Stage, bluetoothd, signal_bluetoothd, systemctl

Measured = Callable[..., None]
"""Called with what was measured, by its name: seconds as floats, counts, words."""


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """An empty stage."""
    logging.getLogger("drivers").setLevel(
        logging.DEBUG
    )  # here: pytest reads this file outside the guest, too
    made = Stage()
    try:
        yield made
    finally:
        if bluetoothd():
            signal_bluetoothd(signal.SIGCONT)
        await made.close()
        systemctl("reset-failed", "bluetooth.service")


@pytest.fixture
async def sockets() -> AsyncIterator[Sockets]:
    """Empty sockets."""
    logging.getLogger("drivers").setLevel(logging.DEBUG)
    made = Sockets()
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Measured:
    """Tells the host what was measured."""

    def measure(**what: object) -> None:
        for name, value in what.items():
            record_property(name, round(value, 2) if isinstance(value, float) else value)

    return measure
