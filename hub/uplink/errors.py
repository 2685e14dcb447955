"""What can go wrong on the way to the ICS."""

from __future__ import annotations

from hub.errors import CareportError


class BrokerError(CareportError):
    """The broker cannot be reached, or does not take what it is given; the text says why."""


class DisconnectedError(BrokerError):
    """The connection was lost; whether the broker has the message is not known."""


class ProtocolRefusedError(BrokerError):
    """The broker closed the connection before it was one, or named the protocol version as the reason."""


class BrokerRefusedError(BrokerError):
    """The broker answered, and will not take the message.

    `for_ever` is True where the message itself is at fault, so that sending it again is of no use; it
    is False where a person can mend the broker (permission, quota).
    """

    def __init__(self, reason: str, *, for_ever: bool) -> None:
        super().__init__(f"the broker refused the message: {reason}")
        self.reason = reason
        self.for_ever = for_ever
