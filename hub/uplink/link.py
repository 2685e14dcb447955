"""How the link to the ICS is: for `carehub doctor`, and in the log once for each time that it changes."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime

from hub.clock import now

NOBODY_LISTENS = "alerts reach the broker, and nobody is subscribed to them: tell the ICS"
"""What to say, and what to do, when the broker answers an alert with "no matching subscribers"."""

_SAID_MOST = 20  # lines of log for one state of the link, whatever happens

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """How the link is. `since` is aware: when `connected` last changed.

    `nobody_listens`: alerts wait, since the broker last said that nobody is subscribed to them. Only a
    broker that is sent an alert over MQTT 5 can say so: False does not mean that somebody listens.
    """

    connected: bool
    since: datetime
    in_words: str
    last_error: str | None
    nobody_listens: bool = False


class Link:
    """Keeps the status, and says what changes."""

    def __init__(self) -> None:
        self._status = LinkStatus(False, now(), "not connected yet", None)
        self._said: set[str] = set()  # since the link last changed

    def status(self) -> LinkStatus:
        """The link as it is now."""
        status = self._status
        if status.connected and status.nobody_listens:
            return replace(status, in_words=f"{status.in_words}; {NOBODY_LISTENS}")
        return status

    def connected(self, words: str) -> None:
        """There is a connection; whether somebody listens is not known before an alert is answered."""
        self._status = LinkStatus(True, now(), words, self._status.last_error)
        self._said.clear()
        _log.info("%s", words)

    def disconnected(self, reason: str) -> None:
        """There is none, or an attempt failed."""
        if self._status.connected:
            self._said.clear()
        since = now() if self._status.connected else self._status.since
        words = f"not connected: {reason}"
        self._status = replace(self._status, connected=False, since=since, in_words=words)
        self.say(f"{words}; readings and alerts wait in the outbox")

    def unheard(self) -> None:
        """The broker has an alert to which nobody is subscribed."""
        self._status = replace(self._status, nobody_listens=True)
        self.say(NOBODY_LISTENS)

    def heard(self) -> None:
        """The broker has an alert, and somebody is subscribed, as far as it can tell."""
        if self._status.nobody_listens:
            self._status = replace(self._status, nobody_listens=False)
            self._said.discard(NOBODY_LISTENS)
            _log.info("somebody is subscribed to alerts; those that waited for that are sent now")

    def say(self, problem: str) -> None:
        """Log a problem once for each time the link comes or goes, not at each attempt or row."""
        if problem not in self._said and len(self._said) < _SAID_MOST:
            self._said.add(problem)
            _log.warning("%s", problem)
        self._status = replace(self._status, last_error=problem)
