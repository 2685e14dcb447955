"""An alert that the card could not take can be acknowledged all the same, and nobody is called in vain."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.alerts.acknowledgements import MOST_KEPT, Acknowledgements, KeptAcknowledgements
from hub.alerts.answers import Acknowledgement as Acknowledged
from hub.alerts.book import AlertBook
from hub.alerts.commands import Commands
from hub.alerts.life import AlertPolicy
from hub.clock import now
from hub.errors import CareportError
from hub.store.errors import NotCommittedError
from hub.uplink.cloudevents import Event, to_json
from hub.uplink.contract import Acknowledgement, AlertChange, acknowledgement_event, acknowledgement_of
from tests.rigs.broker import Ics, Mosquitto, until
from tests.rigs.house import House, oximeter, write_configuration
from tests.rigs.hub_process import HubProcess
from tests.rigs.small_card import SmallCard, small_card

SERVED = "careport/v1/rose-house/hub-1"
LADDER = """
[[alerts.ladder.single_red]]
after = "1 s"
tell = "senior carer"
"""


def acknowledgement(alert: str | uuid.UUID, by: str = "the desk") -> Event:
    return acknowledgement_event("uk.example.ics", uuid.UUID(str(alert)), by, now())


# --- the whole way: a card that is full, a hub in a process of its own, a broker, an ICS


@pytest.fixture
def card(tmp_path: Path) -> Iterator[SmallCard]:
    with small_card(tmp_path, 12) as card:
        yield card


@pytest.fixture
async def hub(tmp_path: Path, card: SmallCard, broker: Mosquitto, ics: Ics) -> AsyncIterator[HubProcess]:
    (tmp_path / "data").symlink_to(card.root)
    config = write_configuration(tmp_path, LADDER, port=broker.port)
    async with HubProcess(config) as hub:
        await until(lambda: ics.on("status"))
        yield hub


def alerts(ics: Ics) -> list[tuple[str, str | None]]:
    """What was told of alerts: which change, and the attribute `committed`."""
    return [
        (each.user_properties["type"].split(".")[-2], each.user_properties.get("committed"))
        for each in ics.on("alert")
    ]


def answers(ics: Ics) -> list[dict[str, Any]]:
    return [json.loads(message.payload) for message in ics.on("answer")]


async def told_uncommitted(hub: HubProcess, card: SmallCard, ics: Ics) -> tuple[str, asyncio.Task[int]]:
    """An alert of a full card, and its reading, which waits for the card."""
    card.fill()
    reading = asyncio.create_task(hub.feed([oximeter(91, now())]))
    await until(lambda: ics.on("alert"))
    assert alerts(ics) == [("raised", "false")]
    return ics.on("alert")[0].user_properties["alert"], reading


async def test_it_is_answered_honestly_and_recorded_when_the_card_takes_the_alert_and_no_ladder_is_climbed(
    hub: HubProcess, card: SmallCard, ics: Ics
) -> None:
    alert, reading = await told_uncommitted(hub, card, ics)
    for by in ("the desk", "another desk"):
        ics.publish(f"{SERVED}/ack", to_json(acknowledgement(alert, by)))
    ics.publish(f"{SERVED}/ack", to_json(acknowledgement(uuid.uuid4())))
    await until(lambda: len(answers(ics)) == 3)
    assert [each["outcome"] for each in answers(ics)] == ["kept_in_memory"] * 2 + ["unknown_alert"]
    assert answers(ics)[0]["alert"] == alert
    assert "acknowledged" not in answers(ics)[0]
    assert "kept in memory until the card takes the alert, and lost if" in answers(ics)[0]["words"]
    taken_until = now()
    await asyncio.sleep(2)  # the rung is due by now
    card.free()
    assert await reading == 1
    await until(lambda: ("acknowledged", None) in alerts(ics))
    assert alerts(ics) == [("raised", "false"), ("raised", None), ("acknowledged", None)]
    await until(lambda: "the acknowledgement that was kept in memory is stored" in hub.log)
    ((body,),) = hub.query("SELECT body FROM alert")
    said = json.loads(body)
    assert (said["id"], said["acknowledged_by"], said["rung"]) == (alert, "the desk", 0)
    assert said["acknowledged_at"] <= taken_until.isoformat().replace("+00:00", "Z"), (
        "when the hub knew of it"
    )
    ics.publish(f"{SERVED}/ack", to_json(acknowledgement(alert)))
    await until(lambda: len(answers(ics)) == 4)
    assert answers(ics)[3]["outcome"] == "already_acknowledged"


async def test_one_that_nobody_acknowledged_climbs_as_soon_as_the_card_takes_it(
    hub: HubProcess, card: SmallCard, ics: Ics
) -> None:
    """The positive control of the ladder in the test above."""
    _, reading = await told_uncommitted(hub, card, ics)
    await asyncio.sleep(2)
    card.free()
    assert await reading == 1
    await until(lambda: ("escalated", None) in alerts(ics))


# --- what is kept, and for how long


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, LADDER)
    yield house
    house.connection.close()


@pytest.fixture
def commands(house: House) -> Commands:
    policy = AlertPolicy.of(house.config.alerts, house.config.observation_sets)
    return Commands(AlertBook(house.identity), policy)


def keep(kept: KeptAcknowledgements, alert: uuid.UUID, by: str = "the desk") -> bool:
    event = acknowledgement(alert, by)
    return kept.keep(acknowledgement_of(event), event)


def record(house: House, kept: KeptAcknowledgements) -> list[uuid.UUID]:
    with house.transaction() as transaction:
        return list(kept.record(transaction))


def test_what_is_not_committed_is_recorded_again_and_what_is_committed_once(
    house: House, commands: Commands
) -> None:
    kept = KeptAcknowledgements(commands, lambda _: True)
    house.take(oximeter(91, now() - timedelta(minutes=1)))
    (alert,) = house.open_alerts()
    assert keep(kept, alert.id)

    def fails() -> None:
        with house.transaction() as transaction:
            kept.record(transaction)
            raise LookupError("the card is full again")

    with pytest.raises(LookupError, match="full again"):
        fails()
    assert house.open_alerts()[0].acknowledged_by is None
    recorded = record(house, kept)
    assert recorded == [alert.id]
    assert house.open_alerts()[0].acknowledged_by == "the desk"
    kept.forget(recorded)
    assert record(house, kept) == []
    assert [change for change, _ in house.history(alert)] == ["raised", "acknowledged"]
    assert len(house.told_alerts(AlertChange.ACKNOWLEDGED)) == 1


def test_only_of_alerts_that_were_told_uncommitted_and_the_oldest_makes_room(
    house: House, commands: Commands
) -> None:
    house.take(oximeter(91, now() - timedelta(minutes=1)))
    (alert,) = house.open_alerts()
    assert not keep(KeptAcknowledgements(commands, lambda _: False), alert.id)
    kept = KeptAcknowledgements(commands, lambda _: True)
    keep(kept, alert.id)
    for _ in range(MOST_KEPT - 1):
        keep(kept, uuid.uuid4())
    keep(kept, alert.id, "another desk")
    assert record(house, kept) == [alert.id]
    keep(kept, uuid.uuid4())
    assert record(house, kept) == []


def test_one_of_an_alert_that_cannot_be_read_keeps_none_from_being_recorded(
    house: House, commands: Commands
) -> None:
    house.take(oximeter(91, now() - timedelta(minutes=1)))
    (alert,) = house.open_alerts()
    kept = KeptAcknowledgements(commands, lambda _: True)
    keep(kept, alert.id)
    house.connection.execute("UPDATE alert SET body = 'x'")
    assert record(house, kept) == [alert.id], "so that it is not tried for ever"


@pytest.mark.parametrize("told", [True, False])
async def test_where_the_card_cannot_even_be_asked_the_broker_keeps_it_and_the_ladder_knows_of_it(
    house: House, commands: Commands, told: bool
) -> None:
    """The alert may be on the card by now: memory alone could lose what was acknowledged to the broker."""

    async def fails(_said: Acknowledgement, _event: Event) -> Acknowledged:
        raise NotCommittedError(house.path, "nothing was stored")

    async def note(_words: str, _alert: uuid.UUID | None, _unnoted: int) -> None:
        raise AssertionError("nothing was refused")

    house.take(oximeter(91, now() - timedelta(minutes=1)))
    (alert,) = house.open_alerts()
    kept = KeptAcknowledgements(commands, lambda _: told)
    acknowledgements = Acknowledgements(house.identity, fails, note, kept.keep)
    with pytest.raises(CareportError, match="nothing was stored"):
        await acknowledgements.take(acknowledgement(alert.id))
    assert record(house, kept) == ([alert.id] if told else [])
