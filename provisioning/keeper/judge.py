"""Whether a release has proved itself: a pure judgement over what was seen of it, one look after another.

It is as early as it is certain. What is certain: a process that ended; silence for longer than a hub is ever
silent; what did not come about within the time it has. So the release before is back within 30 s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

from provisioning.keeper.health import Said

_CHECKED_A_SECOND = 5e6
"""Bytes of a database that a Pi checks whole, or changes to another schema, from a slow card."""

_LONGEST_START = 600.0
"""Seconds: TimeoutStartSec of the hub's unit."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long is waited for what, in seconds, and why so long."""

    before: float = 15.0
    """For so long the release before may show that it reaches its broker, and that its radio and USB are
    usable: a short drop just now must not lower what is asked of the new one."""

    patience: float = 20.0
    """From its start until it must have proved itself: of the 30 s in which the old release must be back, 3
    may go into a last question, 3 into killing it, and the old one starts in 2 to 4. More where the old one
    took long to start, or the database is large (`like`)."""

    prove: float = 15.0
    """From READY until everything must be well. The hub dials the broker at once, and again within 1 to 8 s:
    what is not connected by then was tried twice at the least. A staff page that is still starting has
    `patience` beside: it is a process of its own, no alert waits for it, and a machine may be busy."""

    soak: float = 8.0
    """For so long it must answer without a gap: what dies or hangs over its first scans, deliveries and
    commits does so by then."""

    steady: float = 3.0
    """For so long everything must be well at the end: a moment between two reconnections is not enough."""

    silence: float = 6.0
    """Two questions in a row, each with its full time, went unanswered: it hangs."""

    answer: float = 3.0
    """For one question: a hub answers in milliseconds, on a card that is slow to take a commit in a second or
    two."""

    look: float = 0.5
    """Between two looks."""

    kill: float = 3.0
    """What a release that did not prove itself gets to stop in: a hub that is well needs less than one, and
    what is committed stays committed."""

    starts: int = 3
    """How often the release before is asked to start, where systemd refuses."""

    back: float = 30.0
    """How long the release before is waited for; it is in force whether it answers by then or not."""

    probation: float = 600.0
    """For so long in a row, after it was kept, it must run without having ended."""

    ends: int = 3
    """So often it may not end on probation, or the machine be started. Once may be chance; and of what hangs
    the watchdog makes three ends in as many minutes."""

    watch: float = 5.0
    """Between two looks on probation."""

    def patient(self, seconds: float) -> Pace:
        """With so much patience and no more, for a slow machine: all that waits for an answer or for the
        broker waits longer in proportion."""
        slower = max(1.0, seconds / self.patience)
        return replace(
            self,
            patience=seconds,
            prove=self.prove * slower,
            silence=self.silence * slower,
            answer=self.answer * slower,
            back=self.back + max(0.0, seconds - self.patience),
        )

    def like(self, started_in: float | None, database: int) -> Pace:
        """With more patience where the release before took so many seconds to be ready, or the database has
        so many bytes: the new one may take twice as long, and has its time to prove itself after that."""
        ready = max(2 * (started_in or 0.0), database / _CHECKED_A_SECOND)
        patience = max(self.patience, ceil(min(ready, _LONGEST_START) + self.prove))
        return replace(self, patience=patience, back=self.back + patience - self.patience)


PACE = Pace()


@dataclass(frozen=True, slots=True)
class UnitSeen:
    """A unit as systemd has it (systemctl show): ActiveState, SubState, Result, NRestarts, ExecMainStatus,
    whether a job is queued for it, and in how many seconds it was ready, where it is."""

    active: str
    sub: str = ""
    result: str = "success"
    restarts: int = 0
    code: int = 0
    queued: bool = False
    started_in: float | None = None

    @property
    def running(self) -> bool:
        """It is ready."""
        return self.active == "active"

    @property
    def starting(self) -> bool:
        """It is not ready yet, and will be if all goes well."""
        return self.active in ("activating", "reloading") or self.queued

    @property
    def stopped(self) -> bool:
        """By somebody: what ends by itself is started again, by its unit's Restart=always."""
        return self.active in ("inactive", "failed") and not self.queued

    @property
    def ended(self) -> str | None:
        """In words, that it has ended though it should run; None where it runs or is starting."""
        if self.result not in ("", "success"):
            return _ENDED.get(self.result, f"ended ({self.result})").format(
                code=self.code, meaning=_MEANINGS.get(self.code, "")
            )
        if self.restarts or self.sub.startswith("auto-restart"):
            return "ended by itself and was started again"
        if self.active == "failed" or (self.active == "inactive" and not self.queued):
            return "does not run"
        return None


_ENDED = {
    "exit-code": "ended with exit code {code}{meaning}",
    "signal": "was killed by a signal",
    "core-dump": "crashed",
    "watchdog": "hung: the watchdog ended it",
    "timeout": "was not ready within its unit's time",
    "oom-kill": "was killed: the memory was full",
    "start-limit-hit": "ended again and again",
}
_NO_PAGE = "the staff page did not run, as it did before"
WRONG_CONFIGURATION = 3
"""The hub's exit code then, and that of 'carehub check-config'."""
_MEANINGS = {
    WRONG_CONFIGURATION: ": the configuration is wrong for it ('carehub check-config')",
    203: ": its command cannot be run",
    217: ": its user is not there",
    226: ": its sandbox cannot be made",
}


@dataclass(frozen=True, slots=True)
class Before:
    """How the release before was, just before the switch; what is False or empty is not asked of the new
    one. So of one that did not answer, nothing; and what it had not is no reason to go back to it.

    `card`: it was well. `hung` are the stages that were not well, and `open` the sensors on USB that were
    open.
    """

    answered: bool = False
    connected: bool = False
    published: bool = False
    card: bool = False
    radio: bool = False
    usb: bool = False
    page: bool = False
    hung: frozenset[str] = frozenset()
    open: frozenset[str] = frozenset()

    @classmethod
    def of(cls, said: Said | None, *, published: bool = False, page: bool = False) -> Before:
        """By what it answered, None where it did not, and whether the broker took what it published."""
        if said is None:
            return cls(page=page)
        return cls(
            answered=True,
            connected=said.connected,
            published=published,
            card=said.card == "well",
            radio=said.radio is True,
            usb=said.usb is True,
            page=page,
            hung=frozenset(said.troubles),
            open=said.open,
        )

    def whole(self, said: Said) -> bool:
        """Whether waiting could show no more: all that the hub has has worked at one look or another."""
        there = ((said.radio, self.radio), (said.usb, self.usb))
        return self.connected and self.card and all(works or has is None for has, works in there)

    def with_later(self, later: Before) -> Before:
        """By both of two looks at it: whatever worked at one of them works, and the later one says what is
        plugged in, and what hangs."""
        if not later.answered:
            return replace(self, page=self.page or later.page)
        return Before(
            answered=True,
            connected=self.connected or later.connected,
            published=self.published or later.published,
            card=self.card or later.card,
            radio=self.radio or later.radio,
            usb=self.usb or later.usb,
            page=self.page or later.page,
            hung=later.hung,
            open=later.open,
        )


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the new release, `at` seconds after it was started; `said` is None where it did not
    answer, or was not asked since it is not ready. `committed`: it has committed something to its database,
    and `published`: the broker has taken something from it, then or before."""

    at: float
    hub: UnitSeen
    said: Said | None = None
    page: UnitSeen | None = None
    committed: bool = False
    published: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """Kept or not, and why in words."""

    good: bool
    why: str


class Judge:
    """Judges one trial."""

    def __init__(self, before: Before, pace: Pace = PACE) -> None:
        self._before = before
        self._pace = pace
        self._ready: float | None = None
        self._heard = 0.0
        self._answers_since: float | None = None
        self._well_since: float | None = None
        self._lacks = "it was not ready"
        self._slack = 0.0

    def look(self, look: Look) -> Judgement | None:
        """The judgement, as soon as there is one. Looks come in the order of their time."""
        for name, unit in (("the hub", look.hub), ("the staff page", look.page)):
            if unit is not None and unit.ended is not None:
                return Judgement(False, f"{name} {unit.ended}")
        if look.hub.running:
            judgement = self._ready_look(look)
            if judgement is not None:
                return judgement
        if look.at >= self._pace.patience + self._slack and self._well_since is None:
            return Judgement(False, f"{self._lacks} ({look.at:.0f} s after its start)")
        return None

    def _ready_look(self, look: Look) -> Judgement | None:
        if self._ready is None:
            self._ready = self._heard = look.at
        if look.said is None:
            self._answers_since = self._well_since = None
            self._lacks = "it did not answer on its control socket"
            if look.at - self._heard >= self._pace.silence:
                return Judgement(False, f"the hub hung: {self._lacks} for {self._pace.silence:g} s")
            return None
        self._heard = look.at
        if self._answers_since is None:
            self._answers_since = look.at
        lacks = self._lacking(look.said, look)
        if lacks is None:
            if self._well_since is None:
                self._well_since = look.at
            answered, well = look.at - self._answers_since, look.at - self._well_since
            if answered >= self._pace.soak and well >= self._pace.steady:
                return Judgement(True, self._proved())
            return None
        self._well_since, self._lacks = None, lacks
        starting = lacks == _NO_PAGE and look.page is not None and look.page.starting
        self._slack = self._pace.patience if starting else 0.0
        if look.at - self._ready >= self._pace.prove + self._slack:
            return Judgement(False, f"{lacks} ({look.at - self._ready:.0f} s after it was ready)")
        return None

    def _lacking(self, said: Said, look: Look) -> str | None:
        """What is not well, in words; the most telling first."""
        before = self._before
        if before.card and said.card != "well":
            return f"the card was {said.card}, and well before"
        if said.card == "well" and not look.committed:
            return "it did not commit to its database"
        stages = self._lacking_stages(said)
        if stages is not None:
            return stages
        if before.connected and not said.connected:
            return "it did not reach the broker, as the release before did"
        if before.published and not look.published:
            return "the broker did not take what it published, as it did from the release before"
        if before.radio and said.radio is not True:
            return "Bluetooth was not usable, as it was before"
        if before.usb and said.usb is not True:
            return "USB was not usable, as it was before"
        if shut := before.open - said.open:
            return f"it did not open {len(shut)} of the sensors on USB that were open before"
        if before.page and (look.page is None or not look.page.running):
            return _NO_PAGE
        return None

    def _lacking_stages(self, said: Said) -> str | None:
        """What is not well of its stages; what hung before is not held against it."""
        if said.progress is None:
            return "it did not say whether its stages get on"
        if not said.stages:
            return "it had no stage that could get on"
        stuck = [f"{name}: {words}" for name, words in said.troubles.items() if name not in self._before.hung]
        if stuck or not (said.progress or said.troubles):
            return f"not every stage got on ({'; '.join(stuck) or 'it did not say which'})"
        return None

    def _proved(self) -> str:
        if self._before.published:
            broker = "it reached the broker, which took what it published"
        else:
            broker = "it reached the broker" if self._before.connected else "the broker was not asked of it"
        return f"it started, answered for {self._pace.soak:g} s, committed, and every stage got on; {broker}"


class Probation:
    """Judges the time after a release was kept: whether it goes on running."""

    def __init__(self, pace: Pace = PACE, database: int = 0, *, boots: int = 0) -> None:
        """Nothing was seen of it yet; the hub's database has so many bytes, and the machine was started so
        often since the release was kept."""
        self._pace = pace
        # What a power cut has left of a database is read whole before the hub is ready.
        self._longest_start = max(pace.probation, 2 * database / _CHECKED_A_SECOND)
        self._seen, self._ends, self._boots = 0, boots, boots
        self._since = 0.0
        self._starting_since: float | None = None

    def look(self, at: float, hub: UnitSeen) -> Judgement | None:
        """The judgement, as soon as there is one; `at` is in seconds, from any moment on."""
        # Started by hand, it is counted from nothing again.
        more = hub.restarts - self._seen if hub.restarts >= self._seen else hub.restarts
        self._seen = hub.restarts
        if more or not hub.running:
            self._since = at
        if hub.running or hub.stopped:
            self._starting_since = None
        elif self._starting_since is None:
            self._starting_since = at
        if hub.stopped:
            return None
        self._ends += more
        if self._ends >= self._pace.ends:
            last = "" if hub.result in ("", "success") else f"; the last time it {hub.ended}"
            ends = f"the hub ended {self._ends - self._boots} times"
            machine = f"this machine was started {self._boots} times and " if self._boots else ""
            return Judgement(False, f"{machine}{ends} soon after it was kept{last}")
        if self._starting_since is not None and at - self._starting_since >= self._longest_start:
            return Judgement(False, f"the hub was not ready for {self._longest_start:.0f} s")
        if at - self._since >= self._pace.probation:
            return Judgement(True, f"it ran for {self._pace.probation:g} s without an end")
        return None
