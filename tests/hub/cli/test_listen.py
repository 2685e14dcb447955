"""`carehub listen`: a subscriber in a process of its own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.clock import now, stamp
from hub.uplink.cloudevents import Event, to_json
from hub.uplink.contract import answer_event, status_event
from hub.uplink.heard import alert_heard
from hub.uplink.hub_summary import hub_summary_event
from hub.uplink.plain import AnswerOutcome
from tests.hub.uplink.test_hub_summary import HUB as PERIOD_OF_HUB
from tests.hub.uplink.test_hub_summary import LINK
from tests.rigs.broker import Ics, Mosquitto, free_port, until
from tests.rigs.house import OXIMETER, SHARED, House, cuff, decoded, oximeter, raw
from tests.rigs.hub_process import carehub_here

HUB = "careport/v1/rose-house/hub-1"
TRUNCATED = raw(OXIMETER, "pulse_oximeter", b"\x00", now())


class Listening:
    """What a listening process has printed so far."""

    def __init__(self, directory: Path, process: subprocess.Popen[bytes]) -> None:
        self._directory = directory
        self.process = process

    @property
    def output(self) -> str:
        return (self._directory / "output").read_text()

    @property
    def errors(self) -> str:
        return (self._directory / "errors").read_text()


@contextmanager
def listening(directory: Path, address: str, *options: str) -> Iterator[Listening]:
    with (directory / "output").open("wb") as output, (directory / "errors").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "hub", "listen", address, *options], stdout=output, stderr=errors
        )
    try:
        yield Listening(directory, process)
    finally:
        process.kill()
        process.wait()


def address(broker: Mosquitto) -> str:
    return f"mqtt://{broker.host}:{broker.port}"


def raised(directory: Path) -> Event:
    """An alert as a hub tells it."""
    house = House(directory / "house")
    house.take(oximeter(91, now()))
    (event,) = house.events("alert.raised")
    house.connection.close()
    return event


async def test_an_alert_is_printed_as_people_read_it_and_acknowledged_if_asked(
    tmp_path: Path, broker: Mosquitto
) -> None:
    event = raised(tmp_path)
    with Ics(broker) as ics, listening(tmp_path, address(broker), "--ack", "--by", "the desk") as listener:
        await until(lambda: "connected to" in listener.errors)
        ics.publish(f"{HUB}/alert", to_json(event), ContentType="application/cloudevents+json")
        await until(lambda: ics.on("ack"))
        answer = json.loads(ics.on("ack")[0].payload)
        assert answer == {"alert": str(alert_heard(event).alert), "by": "the desk"}
        assert ics.on("ack")[0].topic == f"{HUB}/ack"
        await until(lambda: "ALERT raised (test data): R-0412" in listener.output)
        assert "SpO2 91 %" in listener.output


async def test_an_alert_that_the_hub_could_not_store_says_so(tmp_path: Path, broker: Mosquitto) -> None:
    event = raised(tmp_path)
    unkept = replace(event, extensions={**event.extensions, "committed": "false"})
    words = "not stored on the hub: its card takes nothing; an acknowledgement waits in its memory"
    with Ics(broker) as ics, listening(tmp_path, address(broker)) as listener:
        await until(lambda: "connected to" in listener.errors)
        for each in (unkept, unkept, event):  # at least once; and then it was stored, under the same id
            ics.publish(f"{HUB}/alert", to_json(each), ContentType="application/cloudevents+json")
        await until(lambda: listener.output.count("ALERT raised") == 2 and listener.output.endswith("\n"))
        first, second = listener.output.split("ALERT raised")[1:]
        assert first.splitlines()[3].strip() == words
        assert words not in second


async def test_two_subscribers_of_one_name_are_told_what_may_hang_them_up(
    tmp_path: Path, broker: Mosquitto
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    name = ("--client-id", "desk")
    with listening(tmp_path, address(broker), *name) as first:
        await until(lambda: "connected to" in first.errors)
        with listening(other, address(broker), *name):
            await until(lambda: first.errors.count("connected to") > 1)
            assert "another subscriber" not in first.errors
            await until(lambda: "has another subscriber the same name" in first.errors, 30)
        assert first.errors.count("the connection ended: ") == 1


async def test_an_event_that_is_sent_again_is_shown_once(tmp_path: Path, broker: Mosquitto) -> None:
    event = raised(tmp_path)
    with Ics(broker) as ics, listening(tmp_path, address(broker), "--json") as listener:
        await until(lambda: "connected to" in listener.errors)
        for text in (to_json(event), to_json(event), to_json(replace(event, id="another"))):
            ics.publish(f"{HUB}/alert", text)
        await until(lambda: "another" in listener.output and listener.output.endswith("\n"))
        shown = [json.loads(line)["event"]["id"] for line in listener.output.splitlines()]
        assert shown == [event.id, "another"]


async def test_json_is_one_object_a_line(tmp_path: Path, broker: Mosquitto) -> None:
    event = raised(tmp_path)
    with Ics(broker) as ics, listening(tmp_path, address(broker), "--json") as listener:
        await until(lambda: "connected to" in listener.errors)
        ics.publish(f"{HUB}/alert", to_json(event))
        await until(lambda: listener.output.endswith("\n"))
        line: dict[str, Any] = json.loads(listener.output)
        assert line["event"]["id"] == event.id
        assert line["event"]["data"] == event.data
        assert ics.on("ack") == []


async def test_what_is_no_hubs_event_is_passed_over_and_the_listening_goes_on(
    tmp_path: Path, broker: Mosquitto
) -> None:
    event = raised(tmp_path)
    other = Event(str(uuid.uuid4()), "elsewhere", event.type, now(), {"alert": "who knows"})
    with (
        Ics(broker) as ics,
        listening(tmp_path, address(broker), "--ack", "--everything", "--client-id", "l") as listener,
    ):
        await until(lambda: "connected to" in listener.errors)
        ics.publish(f"{HUB}/alert", "SECRET")
        ics.publish(f"{HUB}/alert", to_json(other))
        ics.publish(f"{HUB}/observation", to_json(Event("1", "e", "uk.careport.observation.v1", now(), {})))
        ics.publish(f"{HUB}/alert", to_json(event))
        await until(lambda: "R-0412" in listener.output)
        assert listener.process.poll() is None
        assert "no event" in listener.errors
        assert listener.errors.count("not as a hub sends it") == 2
        assert "SECRET" not in listener.errors
        assert "Traceback" not in listener.errors


async def test_status_is_told_with_everything(tmp_path: Path, broker: Mosquitto) -> None:
    house = House(tmp_path / "house")
    status = status_event(house.identity, "online", now(), {})
    full = status_event(house.identity, "online", now(), {"card": "full"})
    house.connection.close()
    with Ics(broker) as ics, listening(tmp_path, address(broker), "--everything") as listener:
        await until(lambda: "connected to" in listener.errors)
        ics.publish(f"{HUB}/status", to_json(status))
        await until(lambda: "hub-1 at rose-house is online" in listener.output)
        ics.publish(f"{HUB}/status", to_json(full))
        await until(lambda: "is online (test data); its card is full" in listener.output)


async def test_with_everything_sets_readings_answers_and_what_is_new_are_told_one_thing_a_line(
    tmp_path: Path, broker: Mosquitto
) -> None:
    house = House(tmp_path / "house", "[publish]\nreading = true\n")
    with house.transaction() as transaction:
        for reading in (cuff(128, now()), oximeter(97, now(), device=SHARED), decoded(TRUNCATED)):
            house.intake.take(transaction, reading, stamp())
    (readings,), (observation,) = house.events("reading"), house.events("observation")
    answer = answer_event(house.identity, AnswerOutcome.RECORDED, now(), "acknowledgement recorded", None)
    summary = hub_summary_event(house.identity, PERIOD_OF_HUB, LINK)
    new = replace(answer, id="n", type="uk.careport.weather.v1", data={})
    house.connection.close()
    with Ics(broker) as ics, listening(tmp_path, address(broker), "--everything") as listener:
        await until(lambda: "connected to" in listener.errors)
        for channel, event in (
            ("reading", readings), ("summary", summary), ("weather", new), ("answer", answer),
            ("observation", observation),
        ):  # fmt: skip
            ics.publish(f"{HUB}/{channel}", to_json(event))
        await until(lambda: "no model" in listener.output)
        told = [line[10:] for line in listener.output.splitlines()]
        assert told[:3] == [
            "reading  R-0412: BP 128/50 mmHg, pulse 72 /min",
            "reading  nobody yet: SpO2 97 %, pulse 72 /min",
            f"reading  R-0412: {decoded(TRUNCATED).problem}",
        ]
        assert told[3].startswith("summary  hub-1 at rose-house (test data)")
        assert told[9:12] == [
            "weather",
            "answer   hub-1 at rose-house: acknowledgement recorded (test data)",
            "scored   R-0412: BP 128/50 mmHg, pulse 72 /min",
        ]
        assert "partial: respiration rate" in told[12]
        assert listener.errors.count("\n") == 1, "nothing was passed over"


async def test_a_broker_that_is_not_there_is_said_once_and_tried_again(tmp_path: Path) -> None:
    with listening(tmp_path, f"mqtt://127.0.0.1:{free_port()}") as listener:
        await until(lambda: "trying again each second" in listener.errors)
        await asyncio.sleep(1.5)  # in which it has tried again
        assert listener.errors.count("trying again") == 1
        assert "refused" in listener.errors.lower()
        assert listener.process.poll() is None


async def test_a_host_that_there_is_not_is_named(tmp_path: Path) -> None:
    with listening(tmp_path, "mqtts://broker.invalid") as listener:
        await until(lambda: "broker.invalid" in listener.errors, 30)
        assert "Traceback" not in listener.errors


@pytest.mark.parametrize(
    "wrong",
    [
        "broker", "http://broker", "mqtt://", "mqtt://host:port", "mqtt://host:99999", "mqtt://[::1",
        "mqtt://host/topic", "mqtt://name:password@host", "",
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_the_users_mistake(wrong: str) -> None:
    ended = carehub_here("listen", wrong)
    assert ended.code == 2
    assert "mqtts://host:port" in ended.errors


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["mqtt://host", "--ca", "ca.pem"], "are for mqtts://"),
        (["mqtts://host", "--certificate", "c.pem"], "go together"),
        (["mqtts://host", "--site", "#"], "no site's id"),
        (["mqtts://host", "--site", "a/b"], "no site's id"),
    ],
)
def test_options_that_cannot_be_meant_are_the_users_mistake(options: list[str], said: str) -> None:
    ended = carehub_here("listen", *options)
    assert ended.code == 2
    assert said in ended.errors


async def test_a_ca_file_that_is_not_there_is_named(tmp_path: Path, broker: Mosquitto) -> None:
    with listening(tmp_path, f"mqtts://{broker.host}:{broker.port}", "--ca", "/no/ca.pem") as listener:
        await until(lambda: "/no/ca.pem" in listener.errors)
        assert "Traceback" not in listener.errors
