"""What every scenario has: the rig, the engineer's laptop, the ICS, and machines as they are needed."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from hub.control.control_socket import ask
from hub.errors import CareportError
from provisioning.authority import Authority
from tests.faults.account import Account, Judgement, judge
from tests.faults.feeding import Feeder
from tests.faults.patience import wait
from tests.faults.ward import Ward
from tests.machine.broker import Broker, Ics
from tests.machine.engineer import SITE, Engineer
from tests.machine.errors import RigError
from tests.machine.fed_hub import FedHub
from tests.machine.machine import Machine
from tests.machine.names import NameServer
from tests.machine.network import BROKER_NAME, RIG_ADDRESS
from tests.machine.releases import Releases
from tests.machine.rig import Rig, rig
from tests.machine.root import Root, root
from tests.machine.running import Ended

_COLLECTS_SECONDS = 60.0
_QUIET_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything: `FULL` is what the issue names, `BRIEF` what fits into some minutes."""

    cuts_while_provisioning: int
    cuts_while_updating: int
    cuts_while_running: int
    control_cuts: int
    fleet: int
    hung_stages: tuple[str, ...]  # none for every stage


BRIEF = Scale(3, 4, 4, 3, 8, ("forwarder", "escalation"))
FULL = Scale(20, 20, 20, 10, 20, ())


class Laboratory:
    """Makes machines and hubs; see `laboratory`."""

    def __init__(
        self,
        its_rig: Rig,
        its_root: Root,
        engineer: Engineer,
        broker: Broker,
        ics: Ics,
        scale: Scale,
        seed: int,
    ) -> None:
        self.root = its_root
        self.engineer = engineer
        self.broker = broker
        self.ics = ics
        self.scale = scale
        self.releases = Releases(its_root.python, engineer.carehub_program)
        self._rig = its_rig
        self._seed = seed
        self._numbers = iter(range(1, 200))

    def dice(self, scenario: str) -> random.Random:
        """The random moments of one scenario, whatever else is run beside it."""
        return random.Random(f"{self._seed} {scenario}")

    def bare(self, *, on_a_card: bool = False) -> Machine:
        """A bare machine, to be entered; known by its name on the engineer's laptop."""
        number = next(self._numbers)
        key = self.engineer.public_key
        machine = Machine(self._rig, self.root, f"hub-{number}", number, key, on_a_card=on_a_card)
        self.engineer.call(machine, machine.name)
        return machine

    def site(self, machine: Machine, **settings: Any) -> Path:
        """The site's file for a machine."""
        return self.engineer.site(machine.name, signers=self.releases.signers, **settings)

    def provision(
        self, machine: Machine, site: Path, *arguments: str, bundle: Path | None = None, seconds: float = 300
    ) -> Ended:
        """`carehub provision`, as an engineer types it."""
        bundle = bundle or self.releases.good()
        named = ("--site", str(site), "--bundle", str(bundle))
        return self.engineer.carehub("provision", machine.target, *named, *arguments, seconds=seconds)

    @contextlib.contextmanager
    def of_another_programme(self, authority: Path) -> Iterator[Ics]:
        """The broker and the subscriber of another authority, in the place of this laboratory's own."""
        self.broker.stop()
        try:
            with (
                Broker(self._rig.place / "another-broker", Authority(authority)) as broker,
                Ics(broker) as ics,
            ):
                yield ics
        finally:
            self.broker.start()

    @contextlib.contextmanager
    def hub(self, *, on_a_card: bool = False, ward: Ward | None = None, **settings: Any) -> Iterator[Hub]:
        """A machine that is provisioned, and collects."""
        with self.bare(on_a_card=on_a_card) as machine:
            hub = Hub(self, machine, ward)
            self.provision(machine, self.site(machine, ward=ward, **settings)).insist()
            hub.wait_until_it_collects()
            yield hub

    @contextlib.contextmanager
    def hubs(self, count: int, ward: Ward) -> Iterator[Sequence[Hub]]:
        """Some of them at once, with one account of what they all were fed."""
        account = Account()
        self.releases.good()  # once, before all want it
        with contextlib.ExitStack() as stack:
            machines = [stack.enter_context(self.bare()) for _ in range(count)]

            def provisioned(machine: Machine) -> Hub:
                self.provision(machine, self.site(machine, ward=ward)).insist()
                hub = Hub(self, machine, ward, account)
                hub.wait_until_it_collects()
                return hub

            with ThreadPoolExecutor(count) as workers:
                made = list(workers.map(provisioned, machines))
            yield made


class Hub:
    """A provisioned machine, and the account of what it was fed."""

    def __init__(
        self,
        laboratory: Laboratory,
        machine: Machine,
        ward: Ward | None = None,
        account: Account | None = None,
    ) -> None:
        self.machine = machine
        self.name = f"{SITE}.{machine.name}"
        self.account = account or Account()
        self.fed = FedHub(machine)
        self._laboratory = laboratory
        self._ward = ward
        if ward is not None:
            laboratory.ics.account = self.account

    def feeding(self, rate: float = 40.0, lanes: int = 2) -> Feeder:
        """Feed it for as long as this is entered."""
        assert self._ward is not None, "it has no ward"
        return Feeder(self.fed, self._ward, self.account, rate=rate, lanes=lanes, even=True)

    def cut_power(self) -> None:
        """Cut its machine's power; see `Account.power_goes`."""
        with self.account.power_goes():
            self.machine.cut_power()

    def judgement(self, quiet: float = _QUIET_SECONDS) -> Judgement:
        """Wait until everything confirmed has arrived, or until nothing more has for so long."""
        seen, since = -1, monotonic()

        def settled() -> bool:
            nonlocal seen, since
            if len(self.account.heard) != seen:
                seen, since = len(self.account.heard), monotonic()
            return monotonic() - since > quiet or not any(self.account.missing())

        wait(settled, 600, pause=0.1)
        wait(lambda: False, 0.3)
        return judge(self.account)

    def told(self) -> str:
        """In words, of how many it is."""
        return f"{self.account.confirmed_count:,} confirmed, {len(self.account.heard):,} heard"

    def carehub(self, command: str, seconds: float = 60) -> Ended:
        """`carehub` on the machine, as the hub's user."""
        user = "setpriv --reuid=carehub --regid=carehub --init-groups"
        return self.machine.as_root(f"{user} /usr/local/bin/carehub {command}", seconds=seconds)

    def state(self) -> dict[str, Any]:
        """What `keeper state` says."""
        told = json.loads(self.machine.as_root("/usr/lib/carehub/keeper state").insist())
        return dict(told)

    def status(self) -> dict[str, Any]:
        """What the hub itself answers on its control socket; empty where it does not answer."""
        try:
            return dict(ask(self.machine.path("/run/carehub/control.sock"), "status"))
        except CareportError:
            return {}

    @property
    def collects(self) -> bool:
        """Whether it is ready and every stage of it gets on."""
        said = self.status()
        return bool(said) and said.get("progress", {}).get("well") is True

    def wait_until_it_collects(self, seconds: float = _COLLECTS_SECONDS) -> float:
        """How long it took. Raises `RigError`: it does not."""
        began = monotonic()
        if not wait(lambda: self.collects, seconds, pause=0.1):
            log = self.machine.journal("--unit=carehub", "--lines=20")
            raise RigError(f"{self.name} does not collect after {seconds:g} s: {log}")
        return monotonic() - began

    def wait_for_restart(self, before: str, seconds: float) -> bool:
        """Wait until the hub's process is another than `before` and it collects."""
        return wait(lambda: self.process not in ("0", before) and self.collects, seconds, pause=0.1)

    @property
    def process(self) -> str:
        """The hub's main process, as the machine numbers it."""
        return self.machine.unit("carehub", "MainPID").get("MainPID", "0")


@contextlib.contextmanager
def laboratory(release: str, scale: Scale, seed: int) -> Iterator[Laboratory]:
    """All of it, for as long as it is entered."""
    with rig() as its_rig:
        its_root = root(release)
        engineer = Engineer(its_rig.place / "laptop", its_root.python)
        with (
            NameServer(RIG_ADDRESS, {BROKER_NAME: RIG_ADDRESS}),
            Broker(its_rig.place / "broker", engineer.authority) as broker,
            Ics(broker) as ics,
        ):
            yield Laboratory(its_rig, its_root, engineer, broker, ics, scale, seed)
