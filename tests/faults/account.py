"""What was fed, what was confirmed, what arrived; and whether each promise held."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from time import monotonic

from tests.faults.patience import wait
from tests.faults.system import RAISED, READING, Heard
from tests.faults.ward import Payload


class Account:
    """What was offered to a system, what it confirmed and what arrived.

    Offered and confirmed from several threads; what arrived is noted by one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_name: dict[str, Payload] = {}
        self._confirmed: dict[int, Payload] = {}
        self._arrived: dict[str, set[int]] = {READING: set(), RAISED: set()}
        self.heard: list[Heard] = []
        self.offered = 0
        self._power_is_going = False
        self._power_went = -inf  # monotonic seconds
        self.waits: list[float] = []  # seconds from handing a batch over to its confirmation

    def offer(self, payloads: Iterable[Payload]) -> None:
        """These are about to be handed over: they may arrive, and need not."""
        named = [(payload, payload.names) for payload in payloads]
        with self._lock:
            self.offered += len(named)
            for payload, names in named:
                for name in names:
                    self._by_name[name] = payload

    @contextmanager
    def power_goes(self) -> Iterator[None]:
        """While the power is being cut: nobody is there any more to confirm what is being handed over.

        The rig's machine lives on for a moment, and an ext4 that is shut down answers that a sync which was
        under way has ended well, though what was synced is gone.
        """
        with self._lock:
            self._power_is_going = True
        try:
            yield
        finally:
            with self._lock:
                self._power_is_going, self._power_went = False, monotonic()

    def confirm(self, payloads: Iterable[Payload], began: float | None = None) -> None:
        """The system said that it has these for good: they must arrive.

        `began` is the monotonic second in which they were handed over, now if it is not given. Where the
        power went since, this is no word of the system's: they may arrive, and need not.
        """
        ended = monotonic()
        began = ended if began is None else began
        with self._lock:
            if self._power_is_going or began <= self._power_went:
                return
            self._confirmed.update((payload.number, payload) for payload in payloads)
            self.waits.append(ended - began)

    def confirmed(self) -> dict[int, Payload]:
        """What was confirmed so far, by number."""
        with self._lock:
            return dict(self._confirmed)

    @property
    def confirmed_count(self) -> int:
        """How many were confirmed so far."""
        return len(self._confirmed)

    def wait_for_more(self, count: int, seconds: float) -> bool:
        """Wait until so many more are confirmed, at most so long; whether they were."""
        enough = self.confirmed_count + count
        return wait(lambda: self.confirmed_count >= enough, seconds)

    def payload(self, name: str) -> Payload | None:
        """The payload of that name, if it was ever offered."""
        return self._by_name.get(name)

    def arrive(self, item: Heard) -> None:
        """The subscriber heard this."""
        self.heard.append(item)
        payload = self.payload(item.reading)
        if payload is not None and item.kind in self._arrived:
            self._arrived[item.kind].add(payload.number)

    def has_arrived(self, payload: Payload) -> bool:
        """Whether its reading arrived, confirmed or not."""
        return payload.number in self._arrived[READING]

    def missing(self) -> tuple[list[Payload], list[Payload]]:
        """The readings, and the alerts, that were confirmed and have not arrived."""
        confirmed = self.confirmed()
        readings = [confirmed[number] for number in confirmed.keys() - self._arrived[READING]]
        alerts = [
            payload
            for payload in confirmed.values()
            if payload.alerts and payload.number not in self._arrived[RAISED]
        ]
        return readings, alerts


@dataclass(frozen=True, slots=True)
class Judgement:
    """The account against what arrived.

    `lost_*`: confirmed, and never arrived. `duplicates`: arrived again under the same identity, harmless.
    `doubles`: arrived again under another identity, so that a receiver would count it twice. `clashes`:
    arrived under an identity that is another's, so that a receiver would take it for a duplicate and drop
    it. `strangers`: arrived and never fed. `disorder`: something was told of an alert before it was raised,
    or the worse alert of a resident before the first one.
    """

    offered: int
    confirmed: int
    alerts: int
    lost_readings: int
    lost_alerts: int
    duplicates: int
    doubles: int
    clashes: int
    strangers: int
    disorder: int

    @property
    def faults(self) -> str:
        """In words, each promise that did not hold; empty where all did.

        Disorder is told and is none: over a link that breaks, an alert may rest while others go on, and who
        hears them goes by their time (hub/uplink/README.md).
        """
        counts = {
            "reading(s) lost": self.lost_readings,
            "alert(s) lost": self.lost_alerts,
            "arrived again, not to be recognised by id": self.doubles,
            "arrived under the id of another": self.clashes,
            "never fed": self.strangers,
        }
        return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def judge(account: Account) -> Judgement:
    """Hold what arrived, in its order of arrival, against the account."""
    lost_readings, lost_alerts = account.missing()
    confirmed = account.confirmed()
    identities: dict[tuple[str, str | None, str], set[tuple[str, ...]]] = defaultdict(set)
    bearers: dict[tuple[str, ...], set[tuple[str, str | None, str]]] = defaultdict(set)
    arrivals: Counter[tuple[str, ...]] = Counter()
    strangers = 0
    for item in account.heard:
        payload = account.payload(item.reading)
        if payload is None or (item.kind == RAISED and not payload.alerts):
            strangers += 1
        arrivals[item.identity] += 1
        bearers[item.identity].add((item.kind, item.alert, item.reading))
        if item.kind in (READING, RAISED):
            identities[item.kind, item.alert, item.reading].add(item.identity)
    # A peer that gives no identity (an empty one) has no way to tell a duplicate: each more is a double.
    bearers.pop((), None)
    clashes = sum(len(each) - 1 for each in bearers.values())
    nameless = max(0, arrivals.pop((), 0) - sum(each == {()} for each in identities.values()))
    return Judgement(
        offered=account.offered,
        confirmed=len(confirmed),
        alerts=sum(payload.alerts for payload in confirmed.values()),
        lost_readings=len(lost_readings),
        lost_alerts=len(lost_alerts),
        duplicates=sum(count - 1 for count in arrivals.values()) - clashes,
        doubles=sum(len(each) - 1 for each in identities.values()) + nameless,
        clashes=clashes,
        strangers=strangers,
        disorder=_disorder(account),
    )


def _disorder(account: Account) -> int:
    raised: set[str | None] = set()
    newest: dict[int, int] = {}
    wrong = 0
    for item in account.heard:
        if item.alert is None or item.alert in raised:
            continue
        payload = account.payload(item.reading)
        if item.kind != RAISED:
            wrong += 1
        elif payload is not None:
            wrong += newest.get(payload.resident, -1) > payload.number
            newest[payload.resident] = payload.number
        raised.add(item.alert)
    return wrong
