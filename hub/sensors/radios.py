"""Makes the radio that the configuration names; each is loaded only where it is used."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from hub.configuration.file import Config

if TYPE_CHECKING:
    from drivers.bluetooth.radio import Radio
    from drivers.virtual.sensors import Sent

SENT_LOG = "virtual-sent.jsonl"
"""In the data directory: what the virtual sensors sent and when, for measuring the way to the ICS."""


@asynccontextmanager
async def open_radio(config: Config) -> AsyncIterator[Radio | None]:
    """The radio, for as long as the context lasts; None where it is off."""
    match config.bluetooth.radio:
        case "off":
            yield None
        case "bluez":
            from drivers.bluetooth.bluez import BlueZRadio

            yield BlueZRadio(config.bluetooth.adapter)
        case "virtual":
            from drivers.virtual.ward import VirtualWard

            with (config.hub.data_directory / SENT_LOG).open("a", encoding="utf-8") as sent_log:

                def note(sent: Sent) -> None:
                    line = {
                        "device": sent.address,
                        "payload": sent.payload.hex(),
                        "monotonic": sent.monotonic,
                    }
                    sent_log.write(json.dumps(line) + "\n")
                    sent_log.flush()

                async with VirtualWard.open(config.bluetooth.scenario, on_sent=note) as ward:
                    yield ward.radio
