"""One block: one system started anew, warmed up, fed evenly with alerts and without, flooded, and stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from time import monotonic

from tests.bench.ear import Ear
from tests.bench.heard import resident_of_alert
from tests.bench.process import Usage, device_written, resident_megabytes, usage
from tests.bench.systems import Started, System
from tests.bench.ward import RESIDENTS, Key, Payload, payloads

RATE = 200.0
"""Readings a second of the steady part."""

_QUIET_SECONDS = 1.0
_PATIENCE_SECONDS = 10.0  # in which nothing at all came: then what is missing is missing


@dataclass(frozen=True, slots=True)
class Block:
    """What was measured of a system once. Latencies in seconds, from the line's writing to the subscriber.

    Of the broker alone there is no process: its shares are 0. `lost` and `repeated` count the readings of
    all parts (and, of the hub, the alerts) that never came or came more than once.
    """

    system: str
    readings: tuple[float, ...]
    alerts: tuple[float, ...]
    steady_processor: float  # share of one core
    alerting_written: float  # bytes a reading, of the process, where one reading in twenty raises an alert
    steady_written: float  # bytes a reading, of the process, where none does
    steady_device: float  # the same, of the whole block device, whoever wrote
    flood_rate: float  # readings a second, first line fed to last reading heard
    flood_processor: float  # seconds a reading
    flood_written: float  # bytes a reading
    readings_a_message: float  # in the flood
    lost: int
    repeated: int
    memory_started: float  # MB
    memory_peak: float  # MB
    load: float  # of the machine when the block began


@dataclass(slots=True)
class _Account:
    """When each reading and each alert was first heard."""

    system: System
    ear: Ear
    readings: dict[Key, float] = field(default_factory=dict)
    alerts: dict[str, float] = field(default_factory=dict)
    repeated: int = 0
    messages: int = 0

    def hear(self, expected: Sequence[Payload]) -> None:
        """Wait until all of these were heard, or nothing comes any more."""
        self.messages = 0
        while True:
            self.ear.wait_until_quiet(_QUIET_SECONDS, _PATIENCE_SECONDS)
            heard = self.ear.take()
            for message in heard:
                carried = 0
                for key in self.system.readings(message):
                    carried += 1
                    self.repeated += key in self.readings
                    self.readings.setdefault(key, message.moment)
                self.messages += carried > 0
                if (resident := resident_of_alert(message)) is not None:
                    self.repeated += resident in self.alerts
                    self.alerts.setdefault(resident, message.moment)
            if not heard or all(payload.key in self.readings for payload in expected):
                return

    def lost(self, expected: Sequence[Payload]) -> int:
        """How many of these, and of the alerts they raise, were not heard. Only the hub raises any."""
        alerts = [payload.alert_of for payload in expected if payload.alert_of] if self.alerts else []
        return sum(payload.key not in self.readings for payload in expected) + sum(
            alert not in self.alerts for alert in alerts
        )


def measure(system: System, directory: Path, port: int, *, steady: int, flood: int) -> Block:
    """Measure a system with so many readings in each of the two even parts and at once.

    Raises:
        NotRunningError: it could not be started, or ended by itself.
        OSError: it hung up.
    """
    everything = payloads()
    first = list(islice(everything, RESIDENTS))
    alerting = list(islice(everything, steady))
    calm = list(islice((payload for payload in everything if not payload.alert_of), steady))
    at_once = list(islice(everything, flood))
    load = os.getloadavg()[0]
    with Ear(port, system.topics) as ear, system.start(directory, port) as started:
        account = _Account(system, ear)
        started.feed([payload.line for payload in first])
        account.hear(first)
        memory_started = _memory(started, peak=False)

        before = _usage(started)
        sent = _feed_evenly(started, alerting)
        account.hear(alerting)
        between, device_between = _usage(started), device_written(directory)
        _feed_evenly(started, calm)
        account.hear(calm)
        after, device_after = _usage(started), device_written(directory)

        lines = [payload.line for payload in at_once]
        began = monotonic()
        started.feed(lines)
        account.hear(at_once)
        at_last = _usage(started)
        memory_peak = _memory(started, peak=True)
    ends = [account.readings[payload.key] for payload in at_once if payload.key in account.readings]
    return Block(
        system=system.name,
        readings=tuple(account.readings[key] - at for key, at in sent.items() if key in account.readings),
        alerts=tuple(
            account.alerts[payload.alert_of] - sent[payload.key]
            for payload in alerting
            if payload.alert_of in account.alerts
        ),
        steady_processor=(after.processor - before.processor) / (2 * steady / RATE),
        alerting_written=(between.written - before.written) / steady,
        steady_written=(after.written - between.written) / steady,
        steady_device=(device_after - device_between) / steady,
        flood_rate=len(ends) / (max(ends) - began) if ends else 0.0,
        flood_processor=(at_last.processor - after.processor) / flood,
        flood_written=(at_last.written - after.written) / flood,
        readings_a_message=len(ends) / max(1, account.messages),
        lost=account.lost([*first, *alerting, *calm, *at_once]),
        repeated=account.repeated,
        memory_started=memory_started,
        memory_peak=memory_peak,
        load=load,
    )


def _feed_evenly(started: Started, block: Sequence[Payload]) -> dict[Key, float]:
    sent: dict[Key, float] = {}
    start = monotonic()
    for number, payload in enumerate(block):
        pause = start + number / RATE - monotonic()
        if pause > 0:
            time.sleep(pause)
        sent[payload.key] = monotonic()
        started.feed([payload.line])
    return sent


def _usage(started: Started) -> Usage:
    return Usage(0.0, 0) if started.pid is None else usage(started.pid)


def _memory(started: Started, *, peak: bool) -> float:
    return 0.0 if started.pid is None else resident_megabytes(started.pid, peak)
