"""The real daemon, in a process of its own, with a real broker and a real subscriber."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from drivers.recording import line_of
from hub import process
from hub.assessment.news2 import Band
from hub.clock import now
from hub.configuration.file import load
from hub.daemon import Hub, running
from hub.process import main
from hub.store.database import FILE_NAME, open_for_writing
from hub.store.encoding import event_bytes
from hub.uplink.cloudevents import Event, Message, from_message, to_json
from hub.uplink.contract import AlertChange, Channel, acknowledgement_event, event_type
from hub.uplink.heard import HeardAlert, alert_heard, readings_heard
from tests.rigs.broker import Ics, Mosquitto, until
from tests.rigs.house import oximeter, write_configuration
from tests.rigs.hub_process import HubProcess

SERVED = "careport/v1/rose-house/hub-1"
LADDER = """
[[alerts.ladder.single_red]]
after = "1 s"
tell = "senior carer"
[[alerts.ladder.single_red]]
after = "2 s"
tell = "GP"
"""


def told(ics: Ics, change: AlertChange) -> list[HeardAlert]:
    """What the subscriber heard of alerts, each event once."""
    found: dict[str, HeardAlert] = {}
    for event in received(ics, "alert"):
        if event.type == event_type(Channel.ALERT, change):
            found.setdefault(event.id, alert_heard(event))
    return list(found.values())


def received(ics: Ics, channel: str) -> list[Event]:
    return [
        from_message(Message(each.payload, each.content_type, tuple(each.user_properties.items())))
        for each in ics.on(channel)
    ]


def acknowledge(ics: Ics, alert: uuid.UUID, by: str) -> None:
    event = acknowledgement_event("uk.example.ics", alert, by, now(), "on my way")
    ics.publish(f"{SERVED}/ack", to_json(event), ContentType="application/cloudevents+json")


async def alerted(ics: Ics, count: int = 1) -> list[HeardAlert]:
    await until(lambda: len(told(ics, AlertChange.RAISED)) >= count)
    return told(ics, AlertChange.RAISED)


# --- the way of a reading


async def test_a_reading_becomes_an_alert_at_the_subscriber_and_its_acknowledgement_comes_home(
    tmp_path: Path, broker: Mosquitto, ics: Ics
) -> None:
    async with HubProcess(write_configuration(tmp_path, port=broker.port, model="")) as hub:
        assert await hub.feed([oximeter(91, now())]) == 1
        (alert,) = await alerted(ics)
        assert (alert.resident, alert.band, alert.test_data) == ("R-0412", Band.SINGLE_RED, True)
        assert alert.assessment.risk is not None
        assert alert.assessment.risk.mode == "shadow"
        await until(lambda: hub.query("SELECT state FROM alert") == [("delivered",)])

        acknowledge(ics, alert.alert, "the ICS desk")
        await until(lambda: told(ics, AlertChange.ACKNOWLEDGED))
        (answer,) = told(ics, AlertChange.ACKNOWLEDGED)
        assert answer.acknowledged is not None
        assert answer.acknowledged.by == "the ICS desk"
        ((body,),) = hub.query("SELECT body FROM alert")
        kept = json.loads(body)
        assert (kept["acknowledged_by"], kept["acknowledged_via"]) == ("the ICS desk", "ics")
        assert kept["acknowledged_at"] >= kept["raised_at"]

        acknowledge(ics, alert.alert, "another desk")
        again = "SELECT count(*) FROM audit WHERE what = 'alert acknowledged again'"
        await until(lambda: hub.query(again) == [(1,)])
        assert json.loads(hub.query("SELECT body FROM alert")[0][0])["acknowledged_by"] == "the ICS desk"
        assert len(told(ics, AlertChange.ACKNOWLEDGED)) == 1


async def test_what_a_person_enters_is_scored_and_alerts(tmp_path: Path, broker: Mosquitto, ics: Ics) -> None:
    async with HubProcess(write_configuration(tmp_path, port=broker.port)) as hub:
        await hub.ask("observe", resident="R-0077", by="a carer", consciousness="V", breathing="oxygen")
        (alert,) = await alerted(ics)
        assert (alert.resident, alert.band) == ("R-0077", Band.MEDIUM)
        assert await hub.ask("acknowledge", alert=str(alert.alert), by="a carer")
        await until(lambda: told(ics, AlertChange.ACKNOWLEDGED))
        said = told(ics, AlertChange.ACKNOWLEDGED)[0].acknowledged
        assert said is not None
        assert said.by == "the home"


async def test_a_harmful_acknowledgement_harms_nothing(tmp_path: Path, broker: Mosquitto, ics: Ics) -> None:
    async with HubProcess(write_configuration(tmp_path, port=broker.port)) as hub:
        await until(lambda: "connected to" in hub.log)
        acknowledge(ics, uuid.uuid4(), "somebody")
        for nonsense in ("", "SECRET", "{}", '{"specversion": "1.0"}', "\0" * 100):
            ics.publish(f"{SERVED}/ack", nonsense)
        event = acknowledgement_event("ics", uuid.uuid4(), "SECRET" * 100, now())
        ics.publish(f"{SERVED}/ack", to_json(event))
        await hub.feed([oximeter(91, now())])
        (alert,) = await alerted(ics)
        acknowledge(ics, alert.alert, "the ICS desk")
        await until(lambda: told(ics, AlertChange.ACKNOWLEDGED))
        assert "not known here" in hub.log
        assert "SECRET" not in hub.log
        assert "Traceback" not in hub.log


async def test_an_alert_that_nobody_acknowledges_climbs_its_ladder(
    tmp_path: Path, broker: Mosquitto, ics: Ics
) -> None:
    def steps() -> list[str]:
        return [str(alert.tell) for alert in told(ics, AlertChange.ESCALATED)]

    async with HubProcess(write_configuration(tmp_path, LADDER, port=broker.port)) as hub:
        await hub.feed([oximeter(91, now())])
        # On a slow machine both rungs may be due at once, and are then told at once.
        await until(lambda: "GP" in ", ".join(steps()), 30)
        assert ", ".join(steps()) == "senior carer, GP"


# --- what is missing


async def test_it_starts_without_a_broker_and_delivers_when_there_is_one(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker")
    async with HubProcess(write_configuration(tmp_path, port=broker.port)) as hub:
        assert await hub.feed([oximeter(91, now())]) == 1
        status = (await hub.ask("status"))["broker"]
        assert isinstance(status, dict)
        assert status["connected"] is False
        assert len(hub.query("SELECT 1 FROM outbox")) == 2
        with broker, Ics(broker) as ics:
            await until(lambda: told(ics, AlertChange.RAISED))
            await until(lambda: hub.query("SELECT count(*) FROM outbox") == [(0,)])


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "the model file cannot be read"), (b"TFL3 nonsense", "model's card cannot be read")],
    ids=["missing", "broken"],
)
async def test_it_goes_on_without_a_model(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "model.tflite"
    if content is not None:
        file.write_bytes(content)
    config = write_configuration(tmp_path, model=f'[model]\nfile = "{file}"\n')
    async with HubProcess(config) as hub:
        assert await hub.feed([oximeter(91, now())]) == 1
        assert len(hub.query("SELECT 1 FROM alert")) == 1
        assert (await hub.ask("status"))["model"] is None
        assert said in hub.log
        assert "goes on without it" in hub.log
        assert "Traceback" not in hub.log


async def test_a_sensor_that_nobody_enrolled_and_bytes_that_are_none_are_kept(tmp_path: Path) -> None:
    strange = oximeter(60, now(), device="C4:F2:17:99:99:99")
    async with HubProcess(write_configuration(tmp_path)) as hub:
        assert await hub.feed([strange]) == 1
        assert hub.query("SELECT resident, device FROM reading JOIN source ON number = source") == [
            (None, "C4:F2:17:99:99:99")
        ]
        assert hub.query("SELECT count(*) FROM assessment") == [(0,)]


# --- power cuts and stops


async def test_killed_in_a_flood_it_has_kept_all_that_it_confirmed_and_delivers_it(
    tmp_path: Path, broker: Mosquitto, ics: Ics
) -> None:
    """Batches are confirmed one by one; the kill comes while more are on their way."""
    config = write_configuration(tmp_path, "[publish]\nreading = true\n", port=broker.port)
    confirmed: set[str] = set()
    hub = HubProcess(config)

    async def flood() -> None:
        for batch in range(1000):
            readings = [
                oximeter(97, now() + timedelta(microseconds=batch * 100 + n), pulse=60 + n) for n in range(10)
            ]
            assert await feed_exactly(hub, readings) == len(readings)
            confirmed.update(str(reading.id) for reading in readings)

    async with hub:
        flooding = asyncio.create_task(flood())
        await until(lambda: len(confirmed) >= 200)
        await hub.kill()
        with suppress(OSError, IndexError, asyncio.IncompleteReadError):
            await flooding
        assert len(confirmed) < 10_000, "the kill came too late to prove anything"
        await hub.start()
        kept = {str(uuid.UUID(bytes=row[0])) for row in hub.query("SELECT id FROM reading")}
        assert confirmed <= kept
        await until(lambda: hub.query("SELECT count(*) FROM outbox") == [(0,)], 30)
        await until(lambda: kept <= {reading for _, reading in told_readings(ics)})
    events: dict[str, list[str]] = {}
    for event, reading in set(told_readings(ics)):
        events.setdefault(reading, []).append(event)
    assert set(events) == kept, "every event is of readings that were kept"
    assert all(len(each) == 1 for each in events.values()), "ids tell the duplicates"


def told_readings(ics: Ics) -> list[tuple[str, str]]:
    """The readings that the subscriber heard, each with the id of its event."""
    return [
        (event.id, str(each.reading)) for event in received(ics, "reading") for each in readings_heard(event)
    ]


async def feed_exactly(hub: HubProcess, readings: list[Any]) -> int:
    """Feed payloads with the times that they have, so that their ids are known."""
    assert hub.config.replay.socket is not None
    reader, writer = await asyncio.open_unix_connection(hub.config.replay.socket)
    try:
        for reading in readings:
            writer.write(line_of(reading.raw).encode() + b"\n")
        writer.write_eof()
        return int(json.loads((await reader.read()).splitlines()[-1])["accepted"])
    finally:
        writer.close()


async def test_stopped_it_ends_with_0_and_leaves_offline_retained(tmp_path: Path, broker: Mosquitto) -> None:
    async with HubProcess(write_configuration(tmp_path, port=broker.port)) as hub:
        await until(lambda: "connected to" in hub.log)
        assert await hub.stop() == 0
        assert "Traceback" not in hub.log
    with Ics(broker) as ics:
        await until(lambda: ics.on("status"))
        (status,) = ics.on("status")
        assert status.retained
        assert json.loads(status.payload)["state"] == "offline"


async def test_stopped_while_a_sender_is_connected_and_silent_it_ends_all_the_same(tmp_path: Path) -> None:
    async with HubProcess(write_configuration(tmp_path)) as hub:
        assert hub.config.replay.socket is not None
        _, replaying = await asyncio.open_unix_connection(hub.config.replay.socket)
        _, asking = await asyncio.open_unix_connection(hub.config.hub.control_socket)
        await hub.feed([])
        assert await hub.stop() == 0
        replaying.close()
        asking.close()


async def test_killed_it_is_told_as_lost_by_the_broker(tmp_path: Path, broker: Mosquitto, ics: Ics) -> None:
    async with HubProcess(write_configuration(tmp_path, port=broker.port)) as hub:
        await until(lambda: ics.on("status"))
        await hub.kill()
        await until(lambda: json.loads(ics.on("status")[-1].payload)["state"] == "lost")


def test_a_fault_of_the_daemon_itself_is_not_taken_for_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd must see that it failed."""

    async def fails(_hub: Hub) -> None:
        raise ZeroDivisionError("nobody foresaw this")

    monkeypatch.setattr(Hub, "run", fails)
    monkeypatch.setattr(sys, "setswitchinterval", lambda _seconds: None)  # it would stay for other tests
    monkeypatch.setattr(process, "share_memory", lambda: None)
    with pytest.raises(ZeroDivisionError):
        main(load(write_configuration(tmp_path)))


async def test_a_writer_that_ends_ends_the_daemon_so_that_it_is_started_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends() -> None:
        raise ZeroDivisionError("nobody foresaw this")

    async with running(load(write_configuration(tmp_path))) as hub:
        monkeypatch.setattr(hub._writer._recent, "settled", ends)
        with pytest.raises(ExceptionGroup) as raised:
            await asyncio.wait_for(hub.run(), 30)
    assert raised.value.subgroup(lambda fault: "nobody foresaw this" in str(fault)) is not None


async def test_an_alert_that_an_earlier_version_told_and_that_waited_is_delivered(
    tmp_path: Path, broker: Mosquitto, ics: Ics
) -> None:
    """Its event says in its data, and not in an attribute, which alert it is."""
    path = write_configuration(tmp_path, port=broker.port)
    event = Event(
        id=str(uuid.uuid4()),
        source="uk.careport.rose-house.hub-1",
        type=event_type(Channel.ALERT, AlertChange.RAISED),
        time=now(),
        data={"alert": str(uuid.uuid4()), "band": "high"},
        subject="R-0412",
    )
    connection = open_for_writing(load(path).hub.data_directory / FILE_NAME)
    connection.execute(
        "INSERT INTO outbox (sequence, channel, event) VALUES (1, 'alert', ?)", (event_bytes(to_json(event)),)
    )
    connection.close()
    async with HubProcess(path) as hub:
        await until(lambda: hub.query("SELECT count(*) FROM outbox WHERE sequence = 1") == [(0,)])
        await until(lambda: received(ics, "alert"))
        assert [each.id for each in received(ics, "alert")] == [event.id]
        assert "Traceback" not in hub.log
