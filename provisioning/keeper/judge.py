"""Whether a release has proved itself: a pure judgement over what was seen of it, one look after another.

It is as early as it is certain. What is certain: a process that ended; silence for longer than a hub is ever
silent; what did not come about within the time it has. So the release before is back within 30 s.
"""

from __future__ import annotations

from dataclasses import dataclass

from provisioning.keeper.health import Said


@dataclass(frozen=True, slots=True)
class Pace:
    """How long is waited for what, in seconds, and why so long."""

    patience: float = 20.0
    """From its start until it must have proved itself: of the 30 s in which the old release must be back, 3
    may go into a last question, 3 into killing it, and the old one starts in 2 to 4. A slow Pi may need more:
    --patience."""

    prove: float = 15.0
    """From READY until everything must be well. The hub dials the broker at once, and again within 1 to 8 s:
    what is not connected by then was tried twice at the least."""

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


PACE = Pace()


@dataclass(frozen=True, slots=True)
class UnitSeen:
    """A unit as systemd has it (systemctl show): ActiveState, SubState, Result, NRestarts, ExecMainStatus,
    and whether a job is queued for it."""

    active: str
    sub: str = ""
    result: str = "success"
    restarts: int = 0
    code: int = 0
    queued: bool = False

    @property
    def running(self) -> bool:
        """It is ready."""
        return self.active == "active"

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
_MEANINGS = {
    3: ": the configuration is wrong for it ('carehub check-config')",
    203: ": its command cannot be run",
    217: ": its user is not there",
    226: ": its sandbox cannot be made",
}


@dataclass(frozen=True, slots=True)
class Before:
    """How the release before was, just before the switch; what is None or False is not asked of the new one.

    `card` is None where it was not asked: then the new one must find it well.
    """

    connected: bool = False
    card: str | None = None
    radio: bool = False
    usb: bool = False
    page: bool = False

    @classmethod
    def of(cls, said: Said | None, *, page: bool) -> Before:
        """By what it answered, None where it did not."""
        if said is None:
            return cls(page=page)
        return cls(said.connected, said.card, said.radio is True, said.usb is True, page)


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the new release, `at` seconds after it was started; `said` is None where it did not
    answer, or was not asked since it is not ready. `committed`: it has committed something to its database,
    then or before."""

    at: float
    hub: UnitSeen
    said: Said | None = None
    page: UnitSeen | None = None
    committed: bool = False


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

    def look(self, look: Look) -> Judgement | None:
        """The judgement, as soon as there is one. Looks come in the order of their time."""
        for name, unit in (("the hub", look.hub), ("the staff page", look.page)):
            if unit is not None and unit.ended is not None:
                return Judgement(False, f"{name} {unit.ended}")
        if look.hub.running:
            judgement = self._ready_look(look)
            if judgement is not None:
                return judgement
        if look.at >= self._pace.patience and self._well_since is None:
            return Judgement(False, f"{self._lacks} ({self._pace.patience:g} s after its start)")
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
        if look.at - self._ready >= self._pace.prove:
            return Judgement(False, f"{lacks} ({self._pace.prove:g} s after it was ready)")
        return None

    def _lacking(self, said: Said, look: Look) -> str | None:
        """What is not well, in words; the most telling first."""
        if said.card not in ("well", self._before.card):
            return f"the card was {said.card}"
        if said.card == "well" and not look.committed:
            return "it did not commit to its database"
        if said.progress is None:
            return "it did not say whether its stages get on"
        if not said.progress:
            return f"not every stage got on ({'; '.join(said.troubles) or 'it did not say which'})"
        if self._before.connected and not said.connected:
            return "it did not reach the broker, as the release before did"
        if self._before.radio and said.radio is not True:
            return "Bluetooth was not usable, as it was before"
        if self._before.usb and said.usb is not True:
            return "USB was not usable, as it was before"
        if self._before.page and (look.page is None or not look.page.running):
            return "the staff page did not run, as it did before"
        return None

    def _proved(self) -> str:
        broker = "it reached the broker" if self._before.connected else "the broker was not asked of it"
        return f"it started, answered for {self._pace.soak:g} s, committed, and every stage got on; {broker}"
