"""What a publish proves; by real publishes `tests/hub/doctor/test_authorisation.py` tries it."""

from __future__ import annotations

import pytest

from hub.clock import now
from hub.uplink.contract import Identity, status_event
from hub.uplink.proving import Answer, Proof, prove

TOPIC = "careport/v1/rose-house/hub-1/status"


async def test_without_a_connection_nothing_is_proved_and_that_is_said() -> None:
    event = status_event(Identity("rose-house", "hub-1", test_data=True), "online", now(), {})
    assert await prove(None, TOPIC, event) == Proof(Answer.NOT_CONNECTED, TOPIC, "not yet")


def test_a_proof_comes_over_the_control_socket_as_it_was() -> None:
    proof = Proof(Answer.REFUSED, TOPIC, "Not authorized")
    assert Proof.of(proof.data()) == proof


@pytest.mark.parametrize("data", [{}, {"answer": "perhaps", "topic": TOPIC, "reason": ""}])
def test_what_is_none_is_refused(data: dict[str, object]) -> None:
    with pytest.raises((ValueError, LookupError)):
        Proof.of(data)
