"""Every acknowledgement is answered: with a real daemon, a real broker and whatever an ICS may send."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from hub.alerts.acknowledgements import ANSWERS_AT_ONCE, LINES_AT_ONCE, Acknowledgements
from hub.alerts.answers import Acknowledgement as Acknowledged
from hub.alerts.book import UnreadableAlertError
from hub.alerts.commands import UnknownAlertError
from hub.clock import now
from hub.uplink.cloudevents import Event, EventError, to_json
from hub.uplink.contract import (
    Acknowledgement,
    Channel,
    Identity,
    acknowledgement_event,
    answer_event,
)
from hub.uplink.plain import AnswerOutcome
from tests.rigs.broker import Ics, Mosquitto, until
from tests.rigs.forwarding import DiskFullError
from tests.rigs.house import oximeter, thermometer, write_configuration
from tests.rigs.hub_process import HubProcess

SERVED = "careport/v1/rose-house/hub-1"
IDENTITY = Identity("rose-house", "hub-1", test_data=True)
UNKNOWN = str(uuid.uuid4())


@pytest.fixture
async def hub(tmp_path: Path, broker: Mosquitto, ics: Ics) -> AsyncIterator[HubProcess]:
    async with HubProcess(write_configuration(tmp_path, port=broker.port)) as hub:
        await until(lambda: ics.on("status"))
        yield hub


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[HubProcess, Ics, str]]:
    """A hub for all that cannot be recorded, its ICS, and its one alert."""
    directory = tmp_path_factory.mktemp("hub")
    with Mosquitto(directory / "broker") as broker, Ics(broker) as ics:
        hub = HubProcess(write_configuration(directory, port=broker.port))

        async def begin() -> str:
            await hub.start()
            await until(lambda: ics.on("status"))
            return await raised(hub, ics)

        try:
            yield hub, ics, asyncio.run(begin())
        finally:
            asyncio.run(hub.kill())


def answers(ics: Ics) -> list[dict[str, Any]]:
    return [json.loads(message.payload) for message in ics.on("answer")]


async def raised(hub: HubProcess, ics: Ics) -> str:
    await hub.feed([oximeter(91, now())])
    await until(lambda: ics.on("alert"))
    return ics.on("alert")[0].user_properties["alert"]


def acknowledgement(alert: str, by: str = "the desk") -> Event:
    return acknowledgement_event("uk.example.ics", uuid.UUID(alert), by, now())


async def test_an_acknowledgement_is_answered_with_what_became_of_it_and_a_second_one_too(
    hub: HubProcess, ics: Ics
) -> None:
    alert = await raised(hub, ics)
    first, second = acknowledgement(alert), acknowledgement(alert, "another desk")
    for event in (first, second):
        ics.publish(f"{SERVED}/ack", to_json(event))
    await until(lambda: len(answers(ics)) == 2)
    recorded, already = answers(ics)
    assert recorded["outcome"] == "recorded"
    assert recorded["answers"] == {"id": first.id, "source": "uk.example.ics"}
    assert (recorded["alert"], recorded["site"], recorded["hub"]) == (alert, "rose-house", "hub-1")
    assert recorded["test_data"] is True
    assert already["outcome"] == "already_acknowledged"
    assert already["answers"]["id"] == second.id
    assert already["acknowledged"]["by"] == "the desk"
    assert ics.on("answer")[0].user_properties["type"] == "uk.careport.answer.v1"
    assert not ics.on("answer")[0].retained


async def test_who_in_the_home_acknowledged_is_never_told(hub: HubProcess, ics: Ics) -> None:
    alert = await raised(hub, ics)
    await hub.ask("acknowledge", alert=alert, by="Nurse Nightingale")
    ics.publish(f"{SERVED}/ack", to_json(acknowledgement(alert)))
    await until(lambda: answers(ics))
    assert answers(ics)[0]["acknowledged"]["by"] == "the home"
    assert "already acknowledged by the home" in answers(ics)[0]["words"]
    assert not any(b"Nightingale" in message.payload for message in ics.received)


@pytest.mark.parametrize(
    ("payload", "outcome", "words"),
    [
        (b"", "malformed", "not JSON (RFC 8259)"),
        (b"SECRET", "malformed", "not JSON (RFC 8259)"),
        (b'{"specversion": "1.0"}', "malformed", "data: missing or not a JSON object"),
        (b"x" * 100_000, "malformed", "larger than 65536 bytes"),
        (
            to_json(replace(acknowledgement(UNKNOWN), type="uk.careport.reading.v1")),
            "wrong_type",
            "of another type",
        ),
        (
            to_json(replace(acknowledgement(UNKNOWN), data={"alert": "SECRET"})),
            "malformed",
            "is wrong in: alert, by",
        ),
        (to_json(acknowledgement(UNKNOWN)), "unknown_alert", f"alert {UNKNOWN}: not known here"),
        (to_json(acknowledgement(UNKNOWN, "SECRET" * 100)), "malformed", "is wrong in: by"),
    ],
    ids=["empty", "text", "half an event", "too large", "type", "no alert", "unknown", "name too long"],
)
async def test_what_cannot_be_recorded_is_answered_and_harms_nothing(
    served: tuple[HubProcess, Ics, str], payload: bytes | str, outcome: str, words: str
) -> None:
    hub, ics, alert = served
    before = len(answers(ics))
    ics.publish(f"{SERVED}/ack", payload)
    await until(lambda: len(answers(ics)) > before)
    assert answers(ics)[before]["outcome"] == outcome
    assert "SECRET" not in json.dumps(answers(ics)) + hub.log
    lines = [line for line in hub.log.splitlines() if "was dropped" in line and "WARNING" in line]
    assert sum(line.endswith(words) for line in lines) == 1, lines
    ics.publish(f"{SERVED}/ack", to_json(acknowledgement(alert)))
    await until(lambda: len(answers(ics)) == before + 2)
    is_the_first = all(answer["outcome"] != "recorded" for answer in answers(ics)[: before + 1])
    assert answers(ics)[before + 1]["outcome"] == ("recorded" if is_the_first else "already_acknowledged")


async def test_one_that_comes_after_the_end_of_the_alert_is_recorded_and_says_so(
    tmp_path: Path, broker: Mosquitto, ics: Ics
) -> None:
    config = write_configuration(tmp_path, '[alerts]\nresolve_after = "1 s"\n', port=broker.port)
    async with HubProcess(config) as hub:
        alert = await raised(hub, ics)

        async def resolved() -> None:
            while hub.query("SELECT state FROM alert") != [("resolved",)]:
                await hub.feed([oximeter(98, now()), thermometer(36.8, now())])
                await asyncio.sleep(0.3)

        await asyncio.wait_for(resolved(), 20)
        ics.publish(f"{SERVED}/ack", to_json(acknowledgement(alert)))
        await until(lambda: answers(ics))
        assert answers(ics)[0]["outcome"] == "recorded"
        assert "had ended by then" in answers(ics)[0]["words"]


async def test_a_retained_acknowledgement_that_comes_at_each_connection_is_harmless(
    tmp_path: Path, broker: Mosquitto, ics: Ics, hub: HubProcess
) -> None:
    alert = await raised(hub, ics)
    await hub.kill()
    text = to_json(acknowledgement(alert))
    ics._client.publish(f"{SERVED}/ack", text, qos=1, retain=True).wait_for_publish(10)
    for _ in range(3):
        before = len(answers(ics))
        await hub.start()
        await until(partial(more_answers, ics, before))
        await hub.stop()
    outcomes = [answer["outcome"] for answer in answers(ics)]
    assert outcomes == ["recorded"] + ["already_acknowledged"] * (len(outcomes) - 1)
    events = {message.user_properties["id"]: message.user_properties["type"] for message in ics.on("alert")}
    assert [*events.values()].count("uk.careport.alert.acknowledged.v1") == 1


def more_answers(ics: Ics, than: int) -> bool:
    return len(answers(ics)) > than


async def test_correlation_data_comes_back_with_the_answer(
    hub: HubProcess, broker: Mosquitto, ics: Ics
) -> None:
    """MQTT 5, section 4.10; to the hub's own topic and no other, whatever response topic was asked for."""
    correlations: list[tuple[str, bytes | None]] = []

    def note(_client: Client, _data: object, message: MQTTMessage) -> None:
        correlations.append((message.topic, getattr(message.properties, "CorrelationData", None)))

    listener = Client(CallbackAPIVersion.VERSION2, "other", protocol=MQTTProtocolVersion.MQTTv5)
    listener.on_message = note
    listener.on_connect = lambda client, *_: client.subscribe("#", qos=1)
    subscribed: list[object] = []
    listener.on_subscribe = lambda *_: subscribed.append(1)
    listener.connect(broker.host, broker.port)
    listener.loop_start()
    try:
        await until(lambda: subscribed)
        text = to_json(acknowledgement(str(uuid.uuid4())))
        ics.publish(f"{SERVED}/ack", text, CorrelationData=b"\x00\x01ticket", ResponseTopic="elsewhere")
        ics.publish(f"{SERVED}/ack", text, CorrelationData=b"x" * 257)
        await until(lambda: len(answers(ics)) == 2)
        await until(lambda: [topic for topic, _ in correlations].count(f"{SERVED}/answer") == 2)
        said = [data for topic, data in correlations if topic == f"{SERVED}/answer"]
        assert said == [b"\x00\x01ticket", None]
        assert "elsewhere" not in [topic for topic, _ in correlations]
    finally:
        listener.disconnect()
        listener.loop_stop()


async def test_a_flood_of_nonsense_makes_the_hub_neither_talk_nor_log_without_limit(
    hub: HubProcess, ics: Ics
) -> None:
    alert = await raised(hub, ics)
    strange = to_json(acknowledgement(str(uuid.uuid4())))
    for number in range(300):
        ics._client.publish(f"{SERVED}/ack", f"nonsense {number}" if number % 10 else strange, qos=1)
    ics.publish(f"{SERVED}/ack", to_json(acknowledgement(alert)))
    await until(lambda: any(answer["outcome"] == "recorded" for answer in answers(ics)), 60)
    elapsed_minutes = 1.0  # by far
    assert ANSWERS_AT_ONCE <= len(answers(ics)) <= ANSWERS_AT_ONCE + 60 * elapsed_minutes + 1
    assert hub.log.count("was dropped") <= 2 * LINES_AT_ONCE + elapsed_minutes


# --- what a real hub comes to only by a fault


def event() -> Event:
    return acknowledgement(str(uuid.uuid4()))


async def test_what_the_database_cannot_read_is_said_to_be_not_recorded() -> None:
    noted: list[str] = []

    async def record(said: Acknowledgement, _event: Event) -> Acknowledged:
        raise UnreadableAlertError(said.alert)

    async def note(words: str, _alert: uuid.UUID | None, _unnoted: int) -> None:
        noted.append(words)

    answer = await Acknowledgements(IDENTITY, record, note).take(event())
    assert answer is not None
    assert answer.data["outcome"] == "not_recorded"
    assert noted == [answer.data["words"]]


async def test_unknown_and_malformed_share_one_allowance_and_a_trail_that_fails_harms_nothing() -> None:
    noted: list[int] = []

    async def record(said: Acknowledgement, _event: Event) -> Acknowledged:
        raise UnknownAlertError(said.alert)

    async def note(_words: str, _alert: uuid.UUID | None, unnoted: int) -> None:
        noted.append(unnoted)
        raise DiskFullError("the disk is full")

    acknowledgements = Acknowledgements(IDENTITY, record, note)
    given = [await acknowledgements.take(event()) for _ in range(ANSWERS_AT_ONCE // 2)]
    given += [acknowledgements.malformed(EventError("not JSON")) for _ in range(ANSWERS_AT_ONCE)]
    assert sum(answer is not None for answer in given) in (ANSWERS_AT_ONCE, ANSWERS_AT_ONCE + 1)
    assert len(noted) in (LINES_AT_ONCE, LINES_AT_ONCE + 1)


def test_an_answer_gives_back_no_identity_that_is_overlong() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    long = replace(event(), id="x" * 201)
    assert answer_event(IDENTITY, AnswerOutcome.MALFORMED, at, "words", long).data["answers"] is None
    assert answer_event(IDENTITY, AnswerOutcome.MALFORMED, at, "words", None).data["answers"] is None


def test_the_new_channel_overtakes_nothing() -> None:
    sent = [channel for channel in Channel if channel is not Channel.UPDATE]  # the centre's
    assert max(sent, key=lambda channel: channel.priority) is Channel.ANSWER
