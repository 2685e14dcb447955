"""Serial sensors on the kernel's own USB: plugged in, pulled out, and told apart."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
from collections.abc import Iterable
from time import monotonic

import pytest

from drivers import nonin_serial
from drivers.usb.collector import EnrolledUsb
from drivers.virtual.nonin import VirtualNonin
from hub.readings import RawPayload, Vital
from tests.rigs.plugging import LINES
from tests.vm.guest.scenarios.conftest import Measured
from tests.vm.guest.sockets import Sockets, adapter, collecting, opened_by, reset
from tests.vm.guest.stage import aim, descriptors, until

_COLLECTING_WITHIN = 2.0  # seconds: the aim
_CYCLES = 30
_OPENINGS = 12

OXIMETER = nonin_serial.DRIVER
ONE, OTHER = adapter("A9XK2P7Q"), adapter("B3TT81QZ")


def saturations(payloads: Iterable[RawPayload]) -> set[object]:
    """What they say of the oxygen saturation, in percent."""
    return {
        measurement.value
        for raw in payloads
        for measurement in OXIMETER.read(raw).measurements
        if measurement.vital is Vital.OXYGEN_SATURATION
    }


def open_lines() -> list[str]:
    """The serial lines that this process has open."""
    return [line for line in opened_by(os.getpid()) if line.startswith("/dev/ttyUSB")]


async def test_plugged_in_it_is_recognised_and_collected_from(sockets: Sockets, measured: Measured) -> None:
    line = sockets.line(1)
    took = []
    async with collecting((ONE, OXIMETER)) as hub:
        line.play(VirtualNonin(), hub.is_open(ONE))
        for number in range(4):  # the first time the kernel loads the adapter's driver
            began = monotonic()
            plugged = await sockets.plug(line, "1", "A9XK2P7Q")
            opened = await hub.opened(ONE)
            await until(lambda: hub.status(ONE).frames > 0, 20)
            heard = monotonic() - began
            await hub.another_payload(ONE)
            delivered = monotonic() - began
            if number == 0:
                measured(first_time_opened=opened, first_packet=heard, first_second_delivered=delivered)
            else:
                took.append((opened, heard, delivered))
            sockets.pull(plugged)
            await hub.gone(ONE)
    opened, heard, delivered = (max(each) for each in zip(*took, strict=True))
    measured(worst_of_3_opened=opened, packet=heard, second_delivered=delivered)
    measured(aim=aim(_COLLECTING_WITHIN, heard))
    assert saturations(hub.received) == {97}


@pytest.mark.parametrize("pulled_out", [True, False], ids=["pulled_out", "control"])
async def test_pulled_out_in_mid_frame(sockets: Sockets, measured: Measured, pulled_out: bool) -> None:
    """Frames that are lines: no pause and no checksum ends them. The control: in one link the two are one."""
    line = sockets.line(1)
    async with collecting((ONE, LINES)) as hub:
        plugged = await sockets.plug(line, "1", "A9XK2P7Q")
        await hub.opened(ONE)
        node = hub.status(ONE).node
        line.say(b"97 72 is half")
        await until(lambda: hub.status(ONE).last_heard is not None, 5)
        if pulled_out:
            began = monotonic()
            sockets.pull(plugged)
            await until(lambda: not hub.status(ONE).connected, 5)
            measured(until_closed=monotonic() - began)
            await hub.gone(ONE)
            assert hub.status(ONE).trouble is None
            assert open_lines() == []
            await sockets.plug(line, "1", "A9XK2P7Q")
            measured(until_open_again=await hub.opened(ONE))
            assert hub.status(ONE).node == node, "the old one was let go"
        line.say(b" a frame\n98 70\n")
        await until(lambda: len(hub.received) == 2, 5)
    first = b" a frame" if pulled_out else b"97 72 is half a frame"
    assert [raw.payload for raw in hub.received] == [first, b"98 70"]


async def test_two_of_a_kind_are_told_apart_in_whatever_sockets_they_are(
    sockets: Sockets, measured: Measured
) -> None:
    lines = {ONE: sockets.line(1), OTHER: sockets.line(2)}
    async with collecting((ONE, OXIMETER), (OTHER, OXIMETER)) as hub:
        for address, saturation in ((ONE, 97), (OTHER, 91)):
            lines[address].play(VirtualNonin(saturation=saturation), hub.is_open(address))
        nodes = []
        for ports in (("1", "2"), ("2", "1"), ("3", "1")):
            first, second = (ONE, OTHER) if ports[0] == "1" else (OTHER, ONE)  # who becomes ttyUSB0
            port_of = dict(zip((ONE, OTHER), ports, strict=True))
            plugged = []
            for address in (first, second):
                plugged.append(await sockets.plug(lines[address], port_of[address], address.serial))
                await hub.opened(address)
            nodes.append(hub.status(ONE).node)
            for address in (ONE, OTHER):
                await hub.another_payload(address)
            for name in plugged:
                sockets.pull(name)
            await hub.gone(ONE)
            await hub.gone(OTHER)
    measured(the_one_was=", ".join(map(str, nodes)))
    assert len(set(nodes)) == 2
    assert saturations(hub.payloads(ONE)) == {97}
    assert saturations(hub.payloads(OTHER)) == {91}


async def test_two_that_say_the_same_serial_number(sockets: Sockets, measured: Measured) -> None:
    """Neither is taken for the one; by their sockets they are told apart."""
    lines = sockets.line(1), sockets.line(2)
    async with collecting((ONE, OXIMETER)) as hub:
        await sockets.plug(lines[0], "1", "A9XK2P7Q")
        lines[0].play(VirtualNonin(saturation=97), hub.is_open(ONE))
        await hub.another_payload(ONE)
        began = monotonic()
        await sockets.plug(lines[1], "2", "A9XK2P7Q")
        await until(lambda: not hub.status(ONE).connected, 20)
        measured(until_neither_was_open=monotonic() - began, said=hub.status(ONE).trouble)
        await until(lambda: open_lines() == [], 5)
        before = len(hub.received)
        await asyncio.sleep(1.5)
        assert len(hub.received) <= before + 1  # what had come
        seen = hub.collector.sightings()
        addresses = [each.device.by_port for each in seen]
        assert [each.address for each in seen] == [str(each) for each in addresses]
        for line, address, saturation in zip(lines, addresses, (95, 91), strict=True):
            hub.collector.enrol(EnrolledUsb(address, OXIMETER))
            line.play(VirtualNonin(saturation=saturation), hub.is_open(address))
        await hub.collector.forget(str(ONE))
        for address in addresses:
            await hub.another_payload(address)
        measured(sockets=", ".join(map(str, addresses)))
    assert saturations(hub.payloads(ONE)) == {97}
    assert [saturations(hub.payloads(each)) for each in addresses] == [{95}, {91}]


async def test_a_socket_is_reset(sockets: Sockets, measured: Measured) -> None:
    """As after a sleep, or a disturbance: the kernel takes the device away and brings it back."""
    line = sockets.line(1)
    async with collecting((ONE, OXIMETER)) as hub:
        line.play(VirtualNonin(), hub.is_open(ONE))
        await sockets.plug(line, "1", "A9XK2P7Q")
        await hub.another_payload(ONE)
        seen = await hub.sighting()
        began = monotonic()
        await asyncio.to_thread(reset, seen)
        await until(lambda: hub.collector.sightings() not in ((), (seen,)), 20)
        await hub.opened(ONE)
        await hub.another_payload(ONE)
        measured(back_after=monotonic() - began, was=seen.device.node, became=hub.status(ONE).node)
    assert saturations(hub.received) == {97}


async def test_a_hub_is_pulled_out_with_all_that_is_in_it(sockets: Sockets, measured: Measured) -> None:
    lines = {ONE: sockets.line(1), OTHER: sockets.line(2)}
    async with collecting((ONE, OXIMETER), (OTHER, OXIMETER)) as hub:
        for address, line in lines.items():
            line.play(VirtualNonin(), hub.is_open(address))
        for _ in range(2):
            pulled = sockets.plug_hub("4")
            await asyncio.sleep(1)  # QEMU takes no device for a socket that is not there yet
            for number, (address, line) in enumerate(lines.items(), 1):
                await sockets.plug(line, f"4.{number}", address.serial)
            for address in lines:
                await hub.another_payload(address)
            measured(sockets=", ".join(each.by_port for each in hub.collector.sightings()))
            sockets.pull(pulled)
            for address in lines:
                await hub.gone(address)
            assert open_lines() == []


async def test_pulled_out_while_it_is_opened(
    sockets: Sockets, measured: Measured, caplog: pytest.LogCaptureFixture
) -> None:
    """Each time a little later after udev has told of it."""
    line = sockets.line(1)
    opened = 0
    async with collecting((ONE, OXIMETER)) as hub:
        for number in range(_OPENINGS):
            plugged = await sockets.plug(line, "1", "A9XK2P7Q")
            while not hub.collector.sightings():
                await asyncio.sleep(0)
            await asyncio.sleep(0.004 * number)
            opened += hub.status(ONE).connected
            sockets.pull(plugged)
            await hub.gone(ONE)
        await until(lambda: open_lines() == [], 5)
        line.play(VirtualNonin(), hub.is_open(ONE))
        await sockets.plug(line, "1", "A9XK2P7Q")
        measured(times=_OPENINGS, was_open_by_then=opened, collecting_after=await hub.another_payload(ONE))
        assert hub.status(ONE).trouble is None
    assert opened < _OPENINGS
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR] == []


async def test_descriptors_and_memory_are_flat_over_dozens_of_cycles(
    sockets: Sockets, measured: Measured
) -> None:
    line = sockets.line(1)
    counts = []
    began = monotonic()
    async with collecting((ONE, OXIMETER), longest=240) as hub:
        logging.disable()  # pytest keeps every line
        try:
            for _ in range(_CYCLES):
                plugged = await sockets.plug(line, "1", "A9XK2P7Q")
                await hub.opened(ONE)
                line.say(b"\x01\x81\x40")  # the beginning of a frame
                sockets.pull(plugged)
                await hub.gone(ONE)
                await until(lambda: open_lines() == [], 5)
                gc.collect()
                counts.append((descriptors(), sys.getallocatedblocks()))
        finally:
            logging.disable(logging.NOTSET)
    measured(cycles=_CYCLES, seconds_each=(monotonic() - began) / _CYCLES)
    settled = counts[9:]  # what is made once is made by then
    measured(descriptors=f"{settled[0][0]} to {settled[-1][0]}")
    blocks = (settled[-1][1] - settled[0][1]) / (len(settled) - 1)
    measured(blocks_of_memory_a_cycle=blocks)
    assert settled[-1][0] <= settled[0][0]
    assert blocks < 10
