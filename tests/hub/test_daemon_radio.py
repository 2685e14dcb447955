"""The real daemon with a radio of software: what it tells of it, and what it does about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from drivers.virtual.ward import DETERIORATING
from hub.configuration.file import load
from hub.daemon import running
from hub.uplink.contract import Channel, event_type
from tests.rigs.broker import Ics, Mosquitto, until
from tests.rigs.contract import data_validator, in_words
from tests.rigs.house import CUFF, write_configuration
from tests.rigs.hub_process import HubProcess


def with_a_radio(path: Path, further: str = "") -> Path:
    virtual = f'radio = "virtual"\nscenario = "{DETERIORATING}"\n{further}'
    path.write_text(path.read_text().replace('radio = "off"', virtual))
    return path


async def test_its_retained_status_says_how_its_radio_is(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker, Ics(broker) as ics:

        def online() -> list[dict[str, Any]]:
            told = [json.loads(message.payload) for message in ics.on("status")]
            return [each for each in told if each["state"] == "online"]

        async with HubProcess(with_a_radio(write_configuration(tmp_path, port=broker.port))) as hub:
            await until(lambda: any(each["radio"]["usable"] for each in online()), 20)
            status = online()[-1]
            assert in_words(data_validator(event_type(Channel.STATUS)), status) == []
            assert status["sensors"] == len(hub.config.sensors)
            assert status["radio"]["healing"]["ails"] is None
            assert "Traceback" not in hub.log
            answer = await hub.ask("status")
            assert answer["radio"] == status["radio"]
            sensors = answer["sensors"]
            assert isinstance(sensors, list)
            assert CUFF in [each["address"] for each in sensors]


async def test_the_collector_may_restart_the_machine_only_while_nothing_would_be_lost(tmp_path: Path) -> None:
    config = load(with_a_radio(write_configuration(tmp_path)))
    async with running(config) as hub:
        assert hub._collector is not None
        may_reboot = hub._collector._healer._may_reboot
        hub._card_trouble = "full"
        assert not await may_reboot()
        hub._card_trouble = None
        hub._reception.waiting = 1
        assert not await may_reboot()
        hub._reception.waiting = 0
        assert await may_reboot()
        assert not await may_reboot()


async def test_where_that_is_forbidden_it_never_may(tmp_path: Path) -> None:
    config = load(with_a_radio(write_configuration(tmp_path), "may_reboot = false\n"))
    async with running(config) as hub:
        assert hub._collector is not None
        assert not await hub._collector._healer._may_reboot()
