"""Whether the broker takes what this hub publishes: its status, told anew, and what the broker answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from hub.running.patience import within
from hub.uplink.errors import BrokerError, BrokerRefusedError, DisconnectedError

if TYPE_CHECKING:
    from hub.uplink.cloudevents import Event
    from hub.uplink.connection import Connection

PATIENCE_SECONDS = 4.0
"""How long the broker has for its answer."""


class Answer(StrEnum):
    """What came of it. SENT: the broker acknowledged it over MQTT 3.1.1, which has no way to refuse."""

    ACCEPTED = "accepted"
    SENT = "sent"
    REFUSED = "refused"
    NONE = "no answer"
    NOT_CONNECTED = "not connected"


@dataclass(frozen=True, slots=True)
class Proof:
    """What the broker answered; `reason` is its own word, or why there was no answer."""

    answer: Answer
    topic: str
    reason: str = ""

    def data(self) -> dict[str, str]:
        """For the control socket."""
        return {"answer": self.answer.value, "topic": self.topic, "reason": self.reason}

    @staticmethod
    def of(data: Mapping[str, object]) -> Proof:
        """From `data`. Raises ValueError or LookupError: it is none."""
        return Proof(Answer(str(data["answer"])), str(data["topic"]), str(data["reason"]))


async def prove(connection: Connection | None, topic: str, event: Event, *, retain: bool = True) -> Proof:
    """Publish an event at QoS 1 and say what the broker answered; raises nothing.

    Retained is what the hub itself says of itself; whoever speaks in its name leaves what is retained alone.
    """
    if connection is None or connection.lost.done():
        reason = "not yet" if connection is None else connection.lost.result()
        return Proof(Answer.NOT_CONNECTED, topic, reason)
    try:
        await within(PATIENCE_SECONDS, connection.publish(topic, event, retain=retain))
    except BrokerRefusedError as error:
        return Proof(Answer.REFUSED, topic, error.reason)
    except DisconnectedError as error:
        return Proof(Answer.REFUSED, topic, f"the connection ended at it: {error}")
    except TimeoutError:
        return Proof(Answer.NONE, topic, f"no answer within {PATIENCE_SECONDS:g} s")
    except BrokerError as error:
        return Proof(Answer.NOT_CONNECTED, topic, str(error))
    return Proof(Answer.ACCEPTED if connection.protocol == "5" else Answer.SENT, topic)
