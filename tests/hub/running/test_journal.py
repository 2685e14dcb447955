"""What goes to the journal: fields beside the words, and nobody's name in either."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hub.clock import now
from hub.configuration.file import Resident, load
from hub.daemon import running
from hub.running.journal import JournalHandler, about, log_to_journal, priority_of
from hub.uplink.cloudevents import to_json
from hub.uplink.contract import acknowledgement_event
from tests.rigs.broker import Ics, Mosquitto, until
from tests.rigs.house import ILL, NAMES, OXIMETER, cuff, oximeter, write_configuration


class Journal:
    """Keeps what it is sent. journald itself is tried on a machine with systemd (tests/machine)."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def send(self, message: str, **fields: Any) -> None:
        self.lines.append({"MESSAGE": message, **fields})

    def about(self, field: str, value: object) -> list[str]:
        """The words of all lines with this field."""
        return [line["MESSAGE"] for line in self.lines if line.get(field) == str(value)]


@pytest.fixture
def kept() -> Iterator[Journal]:
    kept, root = Journal(), logging.getLogger()
    handler, level = JournalHandler(kept.send, "carehub", "the boot"), root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield kept
    root.removeHandler(handler)
    root.setLevel(level)


log = logging.getLogger("hub.somewhere")


def test_a_line_says_what_it_is_about_and_what_that_is_within(kept: Journal) -> None:
    with about(device="C4:F2:17:00:00:01", stage="Bluetooth"):
        with about(alert=uuid.UUID(int=7)):
            log.warning("both")
        log.info("the device's %s", "own")
    log.error("nothing's")
    both, device, nothing = kept.lines
    assert both["CAREHUB_DEVICE"] == device["CAREHUB_DEVICE"] == "C4:F2:17:00:00:01"
    assert both["CAREHUB_STAGE"] == "Bluetooth"
    assert both["CAREHUB_ALERT"] == str(uuid.UUID(int=7))
    assert "CAREHUB_ALERT" not in device
    assert not {"CAREHUB_DEVICE", "CAREHUB_ALERT", "CAREHUB_STAGE"} & nothing.keys()
    assert [line["MESSAGE"] for line in kept.lines] == ["both", "the device's own", "nothing's"]
    assert [line["PRIORITY"] for line in kept.lines] == ["4", "6", "3"]
    assert {
        (line["SYSLOG_IDENTIFIER"], line["CAREHUB_BOOT"], line["CAREHUB_LOGGER"]) for line in kept.lines
    } == {("carehub", "the boot", "hub.somewhere")}


async def test_what_one_task_speaks_about_is_not_what_another_does(kept: Journal) -> None:
    async def speak(device: str) -> None:
        with about(device=device):
            await asyncio.sleep(0)
            log.info("of %s", device)

    await asyncio.gather(*(speak(f"sensor {number}") for number in range(20)))
    assert all(line["MESSAGE"] == f"of {line['CAREHUB_DEVICE']}" for line in kept.lines)
    assert len(kept.lines) == 20


def test_no_field_holds_what_went_into_the_words(kept: Journal) -> None:
    """systemd-python's own handler sends the arguments as well, and with them what a format leaves out."""
    log.info("%.3s", "Edith Quincey")
    (line,) = kept.lines
    assert line["MESSAGE"] == "Edi"
    assert all("Quincey" not in str(value) for value in line.values())


def test_what_nobody_foresaw_is_one_line_of_types_and_places_without_its_words(kept: Journal) -> None:
    """pydantic's errors quote what was given, and so do many others."""
    entry = {"id": "R-0412", "name": "Edith Quincey", "wristband": "9434765919", "oxygen_scale": 7}
    try:
        try:
            Resident.model_validate(entry)
        except ValidationError as error:
            raise KeyError("Edith Quincey") from error
    except KeyError:
        log.exception("a part failed")
    (line,) = kept.lines
    place = r"running/test_journal.py:\d+"
    assert re.fullmatch(
        rf"a part failed: KeyError \({place}\), from ValidationError \(pydantic/main.py:\d+ < {place}\)",
        line["MESSAGE"],
    )
    assert line["PRIORITY"] == "3"


async def test_a_task_whose_fault_nobody_asked_for_is_told_without_its_words(kept: Journal) -> None:
    async def fails() -> None:
        raise ValueError("Edith Quincey: 86 %")

    gc.collect()  # what other tests of this process have left
    kept.lines.clear()
    task = asyncio.create_task(fails())
    await asyncio.wait([task])
    del task
    gc.collect()
    (line,) = kept.lines
    assert line["MESSAGE"].startswith(
        "Task exception was never retrieved: ValueError (running/test_journal.py:"
    )
    assert "Quincey" not in str(line)
    assert "\n" not in line["MESSAGE"]


def test_what_ends_the_process_is_told_without_its_words(tmp_path: Path) -> None:
    ended = subprocess.run(
        [
            sys.executable,
            "-c",
            "from hub.cli.options import start_log\n"
            "start_log('info', 'carehub')\n"
            "import threading\n"
            "def fails(): raise ValueError('Edith Quincey')\n"
            "t = threading.Thread(target=fails); t.start(); t.join()\n"
            "fails()",
        ],
        check=False,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[3])},
        cwd=tmp_path,
    )
    assert ended.returncode == 1
    thread, process = ended.stderr.splitlines()
    assert "a thread ended in a way that nobody foresaw; please report this: ValueError (" in thread
    assert "it ends in a way that nobody foresaw; please report this: ValueError (" in process
    assert "Quincey" not in ended.stderr


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7)],
)
def test_each_level_has_its_priority(level: int, priority: int) -> None:
    assert priority_of(level) == priority


def test_a_journal_that_fails_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def send(_message: str, **_fields: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(logging, "raiseExceptions", False)
    logger = logging.getLogger("hub.alone")
    handler = JournalHandler(send, "carehub", "")
    logger.addHandler(handler)
    logger.error("it goes on")
    logger.removeHandler(handler)


def test_on_a_terminal_and_where_standard_error_was_put_elsewhere_the_log_is_as_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "log").open("w") as elsewhere, (tmp_path / "stream").open("w") as stream:
        monkeypatch.setattr(sys, "stderr", elsewhere)
        monkeypatch.delenv("JOURNAL_STREAM", raising=False)
        assert not log_to_journal("info", "carehub")
        found = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        assert not log_to_journal("info", "carehub")


def test_where_systemd_has_given_it_the_journal_it_logs_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    before = list(root.handlers)
    with (tmp_path / "stream").open("w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        found = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        assert log_to_journal("warning", "carehub")
    (added,) = [each for each in root.handlers if each not in before]
    assert isinstance(added, JournalHandler)
    root.removeHandler(added)


# --- a hub's day


async def test_a_day_of_a_hub_names_sensors_and_alerts_and_no_person(tmp_path: Path, kept: Journal) -> None:
    said_by = "Quentin Sotherby"
    with Mosquitto(tmp_path / "broker") as broker, Ics(broker) as ics:
        async with running(load(write_configuration(tmp_path, port=broker.port))) as hub:
            task = asyncio.create_task(hub.run())
            ask = hub._requests.handlers
            await hub._reception.accept(oximeter(97, now()).raw)
            spoilt = oximeter(97, now()).raw
            await hub._reception.accept(
                type(spoilt)(spoilt.device, spoilt.driver, b"\x01", now(), "", spoilt.origin)
            )
            await hub._reception.accept(oximeter(85, now()).raw)
            await hub._reception.accept(cuff(85, now()).raw)
            await ask["observe"]({"resident": ILL, "consciousness": "V", "by": said_by})
            await ask["concern"]({"resident": ILL, "words": f"{NAMES[0]} is not herself", "by": said_by})
            entered = {"name": "Barnaby Ottoline", "room": "Sunlight Nook", "birth_year": 1940}
            await ask["resident_add"]({"resident": entered, "by": said_by})
            await until(lambda: ics.on("alert"))
            alert = uuid.UUID(ics.on("alert")[0].user_properties["alert"])
            event = acknowledgement_event("uk.example.ics", alert, said_by, now(), f"on my way to {NAMES[1]}")
            ics.publish(
                hub._identity.topic("ack"), to_json(event), ContentType="application/cloudevents+json"
            )
            await until(lambda: any("acknowledged by the ICS" in line["MESSAGE"] for line in kept.lines))
            await ask["status"]({})
            task.cancel()
            await asyncio.wait([task])
    words = kept.about("CAREHUB_ALERT", alert)
    assert f"alert {alert}: raised" in words
    assert f"alert {alert}: delivered to the ICS" in words
    assert any(each.endswith("acknowledged by the ICS") for each in words)
    of_the_sensor = kept.about("CAREHUB_DEVICE", OXIMETER)
    assert f"alert {alert}: raised" in of_the_sensor
    assert any("payload not decoded" in each for each in of_the_sensor)
    named = [*NAMES, *said_by.split(), "Barnaby", "Ottoline", "Sunlight"]
    assert [line for line in kept.lines if any(name in str(line) for name in named)] == []
