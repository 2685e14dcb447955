"""Who is signed in, and for how long. In memory: when the page's process ends, everybody signs in again.

A browser has a token of 256 random bits; here is only its hash. A session ends when it was signed out of,
when nobody has done anything for a while (`idle`), at the latest after `lasts`, and when the person's role or
PIN was changed or they may not sign in any more. What a tab asks for by itself (`hub/web/guard.py` says what
that is) keeps nobody signed in.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

from hub.store.staff import StaffRow
from hub.web.visit import Person

MOST_OF_ONE = 10
"""Sessions of one person; another one ends their oldest."""
MOST_OF_ALL = 400


@dataclass(slots=True)
class Session:
    """Somebody who is signed in. `csrf` is what every form of theirs has to bring."""

    person: Person
    csrf: str
    row: StaffRow
    begun: float
    awake: float

    def is_of(self, row: StaffRow | None) -> bool:
        """Whether they may still be signed in, as the hub has them by now."""
        return row is not None and (row.name, row.role, row.pin) == (
            self.row.name,
            self.row.role,
            self.row.pin,
        )


class Sessions:
    """All of them. `clock` gives monotonic seconds: the wall clock may be set while somebody is signed in."""

    def __init__(self, lasts: timedelta, idle: timedelta, clock: Callable[[], float] = monotonic) -> None:
        self._lasts = lasts.total_seconds()
        self._idle = idle.total_seconds()
        self._clock = clock
        self._sessions: dict[bytes, Session] = {}

    def begin(self, row: StaffRow) -> tuple[str, Session]:
        """Sign somebody in: the token, which is told once, and the session."""
        self._let_go_of_ended()
        theirs = [known for known, each in self._sessions.items() if each.row.key == row.key]
        for known in theirs[: max(0, len(theirs) - MOST_OF_ONE + 1)]:
            del self._sessions[known]
        while len(self._sessions) >= MOST_OF_ALL:
            del self._sessions[next(iter(self._sessions))]
        token, moment = secrets.token_urlsafe(32), self._clock()
        session = Session(Person(row.name, row.role), secrets.token_urlsafe(32), row, moment, moment)
        self._sessions[_hash(token)] = session
        return token, session

    def find(self, token: str) -> Session | None:
        """The session of a token, unless it has ended."""
        known = _hash(token)
        session = self._sessions.get(known)
        if session is not None and self._has_ended(session):
            del self._sessions[known]
            return None
        return session

    def is_on(self, session: Session) -> bool:
        """Whether it has not ended."""
        return any(each is session for each in self._sessions.values()) and not self._has_ended(session)

    def wake(self, session: Session) -> None:
        """They did something."""
        session.awake = self._clock()

    def end(self, session: Session) -> None:
        """Sign them out here."""
        self._sessions = {known: each for known, each in self._sessions.items() if each is not session}

    def seconds_left(self, session: Session) -> float:
        """How long until it ends if they do nothing; 0 if it has ended."""
        moment = self._clock()
        return max(0.0, min(session.awake + self._idle, session.begun + self._lasts) - moment)

    def _has_ended(self, session: Session) -> bool:
        return self.seconds_left(session) <= 0

    def _let_go_of_ended(self) -> None:
        self._sessions = {known: each for known, each in self._sessions.items() if not self._has_ended(each)}


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
