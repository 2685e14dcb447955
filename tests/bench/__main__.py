"""`python -m tests.bench`: prints the table. Timings are for reading, never asserted.

Every figure stands beside one measured in the same run on the same machine: quote the ratios.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import tempfile
import time
import timeit
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from time import monotonic

from tabulate import tabulate

from drivers.catalogue import DRIVERS
from hub.demo.mosquitto import Mosquitto
from tests.bench.process import processor_seconds, resident_megabytes, running
from tests.bench.ward import Payload, configuration, payloads
from tests.bench.wire import Ear, bare_round_trip, subscribed

_RATE = 200.0
_BLOCK = 2000  # readings in one block: ten seconds
_IDLE_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    what: str
    figure: str
    beside: str
    ratio: str
    aim: str = ""

    def cells(self) -> tuple[str, ...]:
        return self.what, self.figure, self.beside, self.ratio, self.aim


def percentile(seconds: Sequence[float], share: float) -> float:
    """In milliseconds, by the nearest rank."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


def latency() -> list[Row]:
    """A sensor's last byte (written to the replay socket) to the subscriber, at 200 readings a second."""
    bare: list[float] = []
    readings: list[float] = []
    alerts: list[float] = []
    with tempfile.TemporaryDirectory(prefix="carehub-bench-") as name:
        directory = Path(name)
        with Mosquitto(directory / "broker", ["set_tcp_nodelay true"]) as broker:
            config = configuration(directory, broker.port, radio="off")
            with running(["-m", "hub", "run", "--config", str(config)], directory / "hub.log") as pid:
                replay = _connected(directory / "replay.sock")
                ear = Ear()
                with subscribed(broker.port, "careport/#", ear.heard):
                    everything = list(payloads(2 * _BLOCK))
                    for block in (everything[:_BLOCK], everything[_BLOCK:]):
                        bare += bare_round_trip(broker.port, _RATE, _BLOCK, max(ear.largest, 800))
                        before = processor_seconds(pid)
                        sent = _send(replay, block)
                        ear.wait_for(sent)
                        busy = (processor_seconds(pid) - before) / (_BLOCK / _RATE)
                        readings += [ear.readings[key] - at for key, at in sent.items()]
                        alerts += [ear.alerts[key] - at for key, at in sent.items() if key in ear.alerts]
                memory = resident_megabytes(pid, peak=True)
                replay.close()
    rows = []
    for what, seconds in (("reading", readings), ("alert", alerts)):
        for share, label in ((0.5, "p50"), (0.99, "p99")):
            mine, other = percentile(seconds, share), percentile(bare, share)
            rows.append(
                Row(
                    f"{what}: last byte to subscriber, {label} of {len(seconds)}",
                    f"{mine:.1f} ms",
                    f"mosquitto alone {other:.1f} ms",
                    f"{mine / other:.1f} x, {mine - other:+.1f} ms",
                    "p99: +50 ms at most" if label == "p99" else "",
                )
            )
    rows.append(Row(f"processor at {_RATE:g} readings/s", f"{busy:.0%} of one core", "", ""))
    rows.append(Row("memory at its highest, under that load", f"{memory:.0f} MB", "", "", "80 MB at most"))
    return rows


def _connected(path: Path) -> socket.socket:
    end = monotonic() + 20
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(path))
        except OSError:
            connection.close()
            if monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return connection


def _send(connection: socket.socket, block: Sequence[Payload]) -> dict[tuple[str, str], float]:
    sent: dict[tuple[str, str], float] = {}
    start = monotonic()
    for number, payload in enumerate(block):
        pause = start + number / _RATE - monotonic()
        if pause > 0:
            time.sleep(pause)
        sent[payload.key] = monotonic()
        connection.sendall(payload.line)
    return sent


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
            "below 80 MB",
        ),
        Row(
            f"idle processor over {_IDLE_SECONDS} s",
            f"{busy:.2%} of one core",
            f"{beside} {bare_busy:.2%}",
            "",
        ),
    ]


def main() -> None:
    """Print the table, or with --json the same for machines."""
    rows = [*latency(), *decoding(), *idle()]
    if "--json" in sys.argv[1:]:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return
    print("make bench (python -m tests.bench): quote the ratios, not the figures")
    print(tabulate([row.cells() for row in rows], headers=("what", "the hub", "beside", "ratio", "aim")))


main()
