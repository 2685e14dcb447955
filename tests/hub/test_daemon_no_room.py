"""The whole hub, started on a card that is full to the last block, with a damaged database."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from hub.clock import now
from hub.store.database import open_for_reading
from hub.store.delivery import waiting_events
from hub.store.encoding import event_bytes
from hub.uplink.cloudevents import from_json, to_json
from tests.rigs.broker import Ics, Mosquitto, until
from tests.rigs.damaging import PAGE, overwrite, root_of
from tests.rigs.house import WELL, WELL_OXIMETER, House, oximeter, write_configuration
from tests.rigs.hub_process import HubProcess
from tests.rigs.small_card import SmallCard, small_card


@pytest.fixture
def card(tmp_path: Path) -> Iterator[SmallCard]:
    with small_card(tmp_path, 8) as card:
        yield card


def alerts(ics: Ics) -> list[tuple[str, str, str | None]]:
    """What was told of alerts: which alert, which change, and the attribute `committed`."""
    said = [each.user_properties for each in ics.on("alert")]
    return [(each["alert"], each["type"].split(".")[-2], each.get("committed")) for each in said]


def noted(connection: sqlite3.Connection) -> set[str]:
    return {what for (what,) in connection.execute("SELECT what FROM audit")}


async def test_it_starts_tells_what_waited_and_what_is_new_and_stores_all_when_there_is_room(
    tmp_path: Path, card: SmallCard
) -> None:
    (tmp_path / "data").symlink_to(card.root)
    house = House(tmp_path)
    house.take(oximeter(85, now()))  # an alert, which nobody has been told of
    (waiting,) = [str(alert.id) for alert in house.open_alerts()]
    house.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    house.connection.close()
    database = card.root / "carehub.db"
    overwrite(database, root_of(database, "sqlite_autoindex_reading_1"), bytes(PAGE))
    card.fill()
    with Mosquitto(tmp_path / "broker") as broker, Ics(broker) as ics:
        async with HubProcess(write_configuration(tmp_path, port=broker.port)) as hub:
            await until(lambda: alerts(ics))
            assert alerts(ics) == [(waiting, "raised", "false")]
            assert (await hub.ask("status"))["card"] == "full"
            reading = asyncio.create_task(hub.feed([oximeter(85, now(), device=WELL_OXIMETER)]))
            await until(lambda: len(alerts(ics)) == 2)
            new, *said = alerts(ics)[1]
            assert said == ["raised", "false"]
            assert new != waiting
            unkept = (await hub.ask("status"))["alerts_in_memory"]  # for the page, which knows the card alone
            assert isinstance(unkept, list)
            assert [(each["alert"], each["resident"]) for each in unkept] == [(new, WELL)]
            card.free()
            assert await reading == 1
            await until(lambda: (new, "raised", None) in alerts(ics))
            await until(lambda: (waiting, "raised", None) in alerts(ics))
            status = await hub.ask("status")
            assert (status["card"], status["alerts_in_memory"]) == ("well", [])
            events = [each.user_properties["id"] for each in ics.on("alert")]
            assert len(set(events)) == 2, "told again, under its id"
            with closing(open_for_reading(database)) as connection:
                await until(lambda: {"hub started", "card writable again"} <= noted(connection))
        assert "NOTHING IS STORED. Make room on the card" in hub.log
        assert "Traceback" not in hub.log
    assert len(list(card.root.glob("carehub.db.damaged-*Z"))) == 1
    with closing(open_for_reading(database)) as connection:
        assert connection.execute("SELECT count(*) FROM reading").fetchone() == (2,)
        assert "database salvaged" in noted(connection)


async def test_what_was_told_from_memory_makes_room_there_for_what_is_to_be_told_next(
    tmp_path: Path, card: SmallCard
) -> None:
    """However long the card takes nothing: whoever was answered by the broker need not be kept."""
    (tmp_path / "data").symlink_to(card.root)
    house = House(tmp_path)
    house.take(oximeter(85, now()))
    (text,) = waiting_events(house.connection, "alert")
    events = [replace(from_json(text), id=f"event {number}") for number in range(120)]
    house.connection.executemany(
        "INSERT INTO outbox (sequence, channel, event) VALUES (?, 'alert', ?)",
        [(1000 + number, event_bytes(to_json(event))) for number, event in enumerate(events)],
    )
    house.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    house.connection.close()
    card.fill()
    with Mosquitto(tmp_path / "broker") as broker, Ics(broker) as ics:
        async with HubProcess(write_configuration(tmp_path, port=broker.port)):
            await until(lambda: len(alerts(ics)) == 121)
            assert {committed for *_, committed in alerts(ics)} == {"false"}
