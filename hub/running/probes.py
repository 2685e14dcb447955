"""What proves now and then that a part of the hub gets on which has no loop of its own to turn."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.bluetooth.collector import BluetoothCollector
from drivers.handing_over import HandingOver
from hub.intake.reception import Reception
from hub.running import progress
from hub.running.progress import Progress
from hub.store.errors import NotCommittedError
from hub.store.writer import Writer

if TYPE_CHECKING:
    from drivers.usb.collector import UsbCollector  # a hub without USB does not pay for it

_EVERY_SECONDS = 5.0
_CARD_PATIENCE = 300.0
"""Seconds: more than twice as long as cheap cards are said to stall (30 to 120 s). A restart loses what waits
in memory, and may find the card no better."""


def count_what_comes(
    account: Progress,
    writer: Writer,
    reception: Reception,
    bluetooth: BluetoothCollector | None,
    usb: UsbCollector | None,
) -> None:
    """Have what sensors say accounted for on its way to the card.

    While the card takes nothing all of it waits, and that is no hang; while it stalls, all else may wait too.
    """
    account.count(
        "the card", lambda: writer.in_hand.came_back, lambda: writer.is_stalled, _CARD_PATIENCE, holds_up=True
    )
    account.count(
        "reception",
        lambda: reception.taken,
        lambda: reception.under_way > 0 and not reception.is_held_up,
    )
    if bluetooth is not None:
        _count_queue(account, "Bluetooth, handing over", reception, bluetooth.handing_over)
    if usb is not None:
        _count_queue(account, "USB, handing over", reception, usb.handing_over)


def _count_queue(account: Progress, name: str, reception: Reception, queue: HandingOver) -> None:
    account.count(name, lambda: queue.handed_over, lambda: queue.waiting > 0 and not reception.is_held_up)


async def commit_now_and_then(writer: Writer) -> None:
    """Have the store commit, until cancelled. Of nothing, so that the card is not written for it."""
    while True:
        progress.turn()
        with suppress(NotCommittedError):  # what waits in memory would be lost by a restart
            await writer.write(lambda _transaction: None)
        await asyncio.sleep(_EVERY_SECONDS)


async def ask_now_and_then(socket: Path) -> None:
    """Have the control socket answer, until cancelled. Where there is none, its supervisor sees to it."""
    while True:
        try:
            reader, writer = await asyncio.open_unix_connection(str(socket))
        except (FileNotFoundError, ConnectionRefusedError):
            progress.rest()
        except OSError:
            pass  # no descriptor is left, for one: nothing that connects gets an answer
        else:
            progress.turn()
            try:
                writer.write(json.dumps({"command": "progress"}).encode() + b"\n")
                await reader.readline()
            except (OSError, ValueError):  # it is being made anew; ValueError: a line beyond the limit
                progress.rest()
            finally:
                writer.close()
            progress.turn()
        await asyncio.sleep(_EVERY_SECONDS)
