"""How the link to the ICS is: for `carehub doctor`, and in the log once for each time that it changes."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
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

    `unsubscribed`: the topics to which the broker lets the hub not subscribe on this connection, each with
    its word for it. That there are none does not mean that it hears: mosquitto's access list grants any
    subscription, and delivers nothing on one that is not allowed. `status_refused`: the broker's word when it
    last refused the hub's status; None since it took one.
    """

    connected: bool
    since: datetime
    in_words: str
    last_error: str | None
    nobody_listens: bool = False
    unsubscribed: Mapping[str, str] = field(default_factory=dict)
    status_refused: str | None = None


class Link:
    """Keeps the status, and says what changes."""

    def __init__(self) -> None:
        self._status = LinkStatus(False, now(), "not connected yet", None)
        self._said: set[str] = set()  # since the link last changed

    def status(self) -> LinkStatus:
        """The link as it is now."""
        status = self._status
        if status.connected:
            return replace(status, in_words="; ".join([status.in_words, *_troubles(status)]))
        return status

    def connected(self, words: str, unsubscribed: Mapping[str, str]) -> None:
        """There is a connection; whether somebody listens is not known before an alert is answered."""
        last = self._status
        self._status = LinkStatus(True, now(), words, last.last_error, status_refused=last.status_refused)
        self._said.clear()
        _log.info("%s", words)
        self.subscribed_but(unsubscribed)

    def subscribed_but(self, unsubscribed: Mapping[str, str]) -> None:
        """The broker has answered what the hub may hear: all but these topics."""
        if self._status.unsubscribed and not unsubscribed:
            _log.info("the broker lets the hub hear the ICS now")
        self._status = replace(self._status, unsubscribed=dict(unsubscribed))
        if unsubscribed:
            self.say(_not_heard(unsubscribed))

    def status_told(self, refused: str | None) -> None:
        """The broker has answered the hub's status: with this reason against it, or None where it took it."""
        if self._status.status_refused is not None and refused is None:
            _log.info("the broker takes the hub's status now")
        self._status = replace(self._status, status_refused=refused)
        if refused is not None:
            self.say(_not_taken(refused))

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


def _troubles(status: LinkStatus) -> Iterator[str]:
    if status.nobody_listens:
        yield NOBODY_LISTENS
    if status.unsubscribed:
        yield _not_heard(status.unsubscribed)
    if status.status_refused is not None:
        yield _not_taken(status.status_refused)


def _not_heard(topics: Mapping[str, str]) -> str:
    said = ", ".join(f"{topic} ({reason})" for topic, reason in topics.items())
    return f"the ICS is not heard: the broker lets the hub not subscribe to {said}"


def _not_taken(reason: str) -> str:
    return f"the broker does not take the hub's status: {reason}"
