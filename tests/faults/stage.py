"""What every scenario needs: a broker, a system under test, a subscriber, and the account of it all."""

from __future__ import annotations

import contextlib
import random
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hub.demo.mosquitto import Mosquitto
from tests.faults.account import Account
from tests.faults.feeding import Feeder
from tests.faults.links import Proxy, QuietMosquitto
from tests.faults.subscriber import Subscriber
from tests.faults.system import Make, Place, System
from tests.faults.ward import Ward


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything; `FULL` is what is promised, `BRIEF` what fits into some minutes."""

    kill_rounds: int
    outage_seconds: float
    power_rounds: int
    control_rounds: int
    comparison_rounds: int
    disk_full_seconds: float
    backlog_events: int
    soak_readings: int
    soak_reconnects: int
    storm_hubs: int
    peers: int  # so many of the first ones
    peer_rounds: int


BRIEF = Scale(3, 20, 20, 6, 3, 20, 20_000, 20_000, 50, 50, 2, 2)
FULL = Scale(12, 20, 60, 60, 20, 60, 100_000, 200_000, 500, 50, 4, 6)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the suite: where it works, how much it does, and its dice (the same again by seed)."""

    directory: Path
    scale: Scale
    seed: int

    def dice(self, scenario: str) -> random.Random:
        """The random moments of one scenario, whatever else is run beside it."""
        return random.Random(f"{self.seed} {scenario}")


@dataclass(frozen=True, slots=True)
class Stage:
    """A scenario's parts. The system is not started yet."""

    directory: Path
    broker: Mosquitto
    proxy: Proxy | None
    ward: Ward
    account: Account
    system: System
    subscriber: Subscriber

    def feeding(self, rate: float = 1000.0, lanes: int = 12, *, even: bool = False) -> Feeder:
        """Feed at load for as long as it is entered."""
        return Feeder(self.system, self.ward, self.account, rate=rate, lanes=lanes, even=even)


@contextlib.contextmanager
def stage(
    run: Run,
    make: Make,
    ward: Ward,
    *,
    data: Path | None = None,
    proxied: bool = False,
    environment: Mapping[str, str] | None = None,
    observations: bool = True,
    receive_maximum: int = 20,
) -> Iterator[Stage]:
    """Set a scenario up in a directory of its own.

    `data` is where the system keeps what it has; `receive_maximum` how many messages the broker takes at
    once (20 is mosquitto's own).
    """
    directory = Path(tempfile.mkdtemp(dir=run.directory))
    broker = QuietMosquitto(directory / "broker", receive_maximum)
    account = Account()
    with contextlib.ExitStack() as parts:
        parts.enter_context(broker)
        proxy = parts.enter_context(Proxy(broker.port)) if proxied else None
        place = Place(
            directory=directory,
            data=data or directory / "data",
            ward=ward,
            port=proxy.port if proxy else broker.port,
            environment=environment or {},
            observations=observations,
        )
        system = make(place)
        parts.callback(system.kill)
        subscriber = parts.enter_context(Subscriber(broker.port, system, account))
        yield Stage(directory, broker, proxy, ward, account, system, subscriber)
