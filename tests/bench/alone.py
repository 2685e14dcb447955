"""What needs no peer: the rate of decoding, and what an idle hub costs."""

from __future__ import annotations

import struct
import tempfile
import time
import timeit
from collections.abc import Callable
from functools import partial
from pathlib import Path

from drivers.catalogue import DRIVERS
from hub.demo.mosquitto import Mosquitto
from tests.bench.process import processor_seconds, resident_megabytes, running
from tests.bench.table import Row
from tests.bench.ward import configuration

_IDLE_SECONDS = 10


def decoding() -> list[Row]:
    """Decodes a second, beside a bare struct.unpack of as many fields with no checks and no objects."""
    samples = {
        "blood_pressure": bytes.fromhex("16" "8000" "5000" "6000" "ea0703010c0000" "4800" "0000"),
        "pulse_oximeter": bytes.fromhex("00" "6100" "4800"),
        "thermometer": bytes.fromhex("04" "720e00fe" "02"),
    }  # fmt: skip
    bare_layout = struct.Struct("<BHHHHBBBBBHH")
    bare_sample = samples["blood_pressure"]
    bare = _per_second(lambda: bare_layout.unpack(bare_sample))
    rows = []
    for name, sample in samples.items():
        decode = next(iter(DRIVERS[name].characteristics.values()))
        rate = _per_second(partial(decode, sample))
        rows.append(
            Row(
                f"decoding: {name}",
                f"{rate:,.0f}/s",
                f"bare struct {bare:,.0f}/s",
                f"1/{bare / rate:.0f}",
                "(300,000/s is the aim of the Bluetooth work)" if name == "blood_pressure" else "",
            )
        )
    return rows


def _per_second(call: Callable[[], object]) -> float:
    number = 20_000
    return number / min(timeit.repeat(call, number=number, repeat=3))


def idle() -> list[Row]:
    """The daemon with its model loaded, its real radio code, its broker connected, and nothing to do."""
    bare_program = (
        "import asyncio, paho.mqtt.client as p\n"
        "c = p.Client(p.CallbackAPIVersion.VERSION2); c.connect('127.0.0.1', {port}); c.loop_start()\n"
        "asyncio.run(asyncio.sleep(3600))"
    )
    with tempfile.TemporaryDirectory(prefix="carehub-bench-") as name:
        directory = Path(name)
        with Mosquitto(directory / "broker") as broker:
            config = configuration(directory, broker.port, radio="bluez", replay=False)
            bare_arguments = ["-c", bare_program.format(port=broker.port)]
            with (
                running(["-m", "hub", "run", "--config", str(config)], directory / "hub.log") as hub,
                running(bare_arguments, directory / "bare.log") as bare,
            ):
                time.sleep(5)
                before = processor_seconds(hub), processor_seconds(bare)
                time.sleep(_IDLE_SECONDS)
                busy = (processor_seconds(hub) - before[0]) / _IDLE_SECONDS
                bare_busy = (processor_seconds(bare) - before[1]) / _IDLE_SECONDS
                memory, bare_memory = resident_megabytes(hub), resident_megabytes(bare)
    beside = "Python with paho, connected:"
    return [
        Row(
            "idle memory, model loaded",
            f"{memory:.0f} MB",
            f"{beside} {bare_memory:.0f} MB",
            f"{memory / bare_memory:.1f} x",
            "80 MB at most",
        ),
        Row(
            f"idle processor over {_IDLE_SECONDS} s",
            f"{busy:.2%} of one core",
            f"{beside} {bare_busy:.2%}",
            "",
        ),
    ]
