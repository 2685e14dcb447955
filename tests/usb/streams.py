"""Eight oximeters that stream at once: no frame lost, and what it costs the processor."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from drivers.nonin_serial import DRIVER
from drivers.usb.bus import Change, Keyboard, UsbDevice, UsbError
from drivers.usb.collector import EnrolledUsb, UsbCollector
from hub.readings import Origin
from tests.rigs.plugging import adapter
from tests.rigs.rung import Line, Run
from tests.usb.hub import UsbHub, usb_hub

_STREAMS = 8


class _Terminals:
    """A bus on which some pseudo-terminals are plugged in for ever."""

    origin = Origin.SENSOR

    def __init__(self, devices: list[UsbDevice]) -> None:
        self._devices = devices

    async def changes(self) -> AsyncGenerator[Change | None, None]:
        for device in self._devices:
            yield Change(device, present=True)
        yield None
        await asyncio.Event().wait()

    def keyboard(self, device: UsbDevice) -> AbstractAsyncContextManager[Keyboard]:
        raise UsbError(f"{device.node} is no keyboard")


@asynccontextmanager
async def _players() -> AsyncIterator[tuple[asyncio.subprocess.Process, list[str]]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.usb.players", str(_STREAMS),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield process, json.loads(await process.stdout.readline())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def streams(run: Run) -> list[Line]:
    """Play for a while, and compare what was sent with what was heard."""
    seconds = run.of(120, 3)
    async with _players() as (process, nodes):
        devices = [
            adapter(f"OXIMETER{number}X", f"platform-usb-0:1.{number}", node=node)
            for number, node in enumerate(nodes, 1)
        ]
        async with usb_hub(
            run.directory, _Terminals(devices), [EnrolledUsb(device.address, DRIVER) for device in devices]
        ) as hub:
            await hub.until(lambda: all(each.connected for each in hub.collector.status().sensors))
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(b"\n")
            await process.stdin.drain()
            began, began_processor = time.monotonic(), time.process_time()
            await asyncio.sleep(seconds)
            share = (time.process_time() - began_processor) / (time.monotonic() - began)
            process.stdin.write(b"\n")
            await process.stdin.drain()
            sent: list[int] = json.loads(await process.stdout.readline())
            await hub.until(lambda: sum(_heard(hub.collector)) >= sum(sent), patience=2.0)
            heard = _heard(hub.collector)
            passed_over = sum(each.passed_over for each in hub.collector.status().sensors)
            idle = await _idle(hub, devices, run.of(20, 1))
    lost = sum(max(0, each - came) for each, came in zip(sent, heard, strict=True))
    per_second = sum(sent) / seconds
    return [
        Line(
            f"frames lost of 8 streams in {seconds} s",
            f"{lost} of {sum(sent)} ({per_second:.0f}/s), {passed_over} bytes passed over",
            "0",
            lost == 0,
        ),
        Line(
            "processor, from the lines to the card",
            f"{share:.1%} of a core (without them {idle:.1%})",
            "< 10 %",
            share < 0.10,
            of_time=True,
        ),
    ]


def _heard(collector: UsbCollector) -> list[int]:
    return [each.frames for each in collector.status().sensors]


async def _idle(hub: UsbHub, devices: list[UsbDevice], seconds: int) -> float:
    for device in devices:
        await hub.collector.forget(str(device.address))
    began, began_processor = time.monotonic(), time.process_time()
    await asyncio.sleep(seconds)
    return (time.process_time() - began_processor) / (time.monotonic() - began)
