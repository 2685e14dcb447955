"""Whether the broker lets the hub publish: by a real publish to a real mosquitto."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

import pytest

from hub.clock import now
from hub.configuration.file import Config, load
from hub.doctor import examine
from hub.doctor.authorisation import PART, authorisation, how_it_ended, hub_runs
from hub.doctor.daemon import asked
from hub.doctor.findings import Finding, Verdict
from tests.rigs.broker import CONNACK, Ics, Mosquitto, VersionGate, peer, until
from tests.rigs.house import House, oximeter, write_configuration
from tests.rigs.hub_process import HubProcess
from tests.rigs.recommended_broker import HUB, OTHER_HUB, AuthorityScript, ClientFiles, RecommendedBroker

PASS, WARN, FAIL = Verdict.PASS, Verdict.WARN, Verdict.FAIL
TOPIC = "careport/v1/rose-house/hub-1/status"


async def examined(config: Config, patience_seconds: float = 15.0) -> Finding:
    """The one finding, of a hub that has so long to say how it is."""
    (finding,) = await authorisation(config, await asked(config, patience_seconds))
    assert finding.part == PART
    return finding


def states(ics: Ics) -> list[str]:
    """The states that the ICS was told, in their order."""
    return [json.loads(each.payload)["state"] for each in ics.on("status")]


async def connected(hub: HubProcess) -> None:
    await until(lambda: "connected to" in hub.log)


def with_tls(directory: Path, port: int, files: ClientFiles) -> Path:
    """The house's configuration, for the recommended broker, as this client."""
    path = write_configuration(directory, port=port)
    named = f'ca_file = "{files.ca}"\ncertificate_file = "{files.certificate}"\nkey_file = "{files.key}"\n'
    path.write_text(path.read_text().replace("tls = false\n", named))
    return path


async def test_the_running_hub_publishes_its_status_anew_and_the_broker_takes_it(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker, Ics(broker) as ics:
        async with HubProcess(write_configuration(tmp_path, port=broker.port)) as hub:
            await connected(hub)
            await until(lambda: states(ics) == ["online"])
            await hub.feed([oximeter(91, now())])
            finding = await examined(hub.config)
            assert finding.verdict is PASS
            assert finding.words.startswith("the hub published its status")
            assert TOPIC in finding.words
            await until(lambda: states(ics) == ["online", "online"])
            assert hub.query("SELECT count(*) FROM audit WHERE what = 'administrative access'") == [(0,)]
            # Who only looks, at fifty hubs each minute perhaps, has nobody told anything.
            looked = await examine(hub.config, publish=False)
            assert PART not in {each.part for each in looked}
            assert states(ics) == ["online", "online"]
            # And what the hub delivers meanwhile arrives.
            await until(lambda: ics.on("alert") and hub.query("SELECT count(*) FROM outbox") == [(0,)])


@pytest.mark.parametrize("runs", [True, False])
async def test_a_broker_that_does_not_know_this_hub_refuses_and_that_is_a_failure(
    tmp_path: Path, *, runs: bool
) -> None:
    script = AuthorityScript(tmp_path / "authority")
    with RecommendedBroker(tmp_path / "broker", script) as broker:
        # The certificate is another hub's: mosquitto's access list lets it have that hub's topics alone.
        path = with_tls(tmp_path, broker.port, script.client(OTHER_HUB))
        async with HubProcess(path) as hub:
            await connected(hub)
            if not runs:
                await hub.stop()
            finding = await examined(hub.config)
    assert finding.verdict is FAIL
    assert finding.words == f"the broker does not let the hub publish on {TOPIC}: Not authorized"
    assert "acl.py" in finding.todo


async def test_a_hub_that_its_broker_knows_may_publish_whether_it_runs_or_not(tmp_path: Path) -> None:
    script = AuthorityScript(tmp_path / "authority")
    with RecommendedBroker(tmp_path / "broker", script) as broker:
        async with HubProcess(with_tls(tmp_path, broker.port, script.client(HUB))) as hub:
            await connected(hub)
            assert (await examined(hub.config)).verdict is PASS
            await hub.stop()
            finding = await examined(hub.config)
    assert finding.verdict is PASS
    assert finding.words.startswith("the hub does not run; the doctor published")


async def test_of_a_hub_that_was_lost_the_doctor_says_so_and_leaves_what_is_retained_and_its_session(
    tmp_path: Path,
) -> None:
    with Mosquitto(tmp_path / "broker") as broker:
        async with HubProcess(write_configuration(tmp_path, port=broker.port)) as hub:
            with Ics(broker) as ics:
                await connected(hub)
                await hub.kill()
                await until(lambda: states(ics)[-1:] == ["lost"])
                told = len(states(ics))
                assert (await examined(hub.config)).verdict is PASS
                await until(lambda: states(ics)[told:] == ["lost"])
            with Ics(broker) as ics:
                await until(lambda: states(ics) == ["lost"])
                (retained,) = ics.on("status")
                assert (
                    json.loads(retained.payload)["sensors"] == 5
                )  # the hub's own will, and not the doctor's
                # What the ICS says meanwhile waits for the hub: the doctor, who has its session, takes none.
                ics.publish("careport/v1/rose-house/hub-1/ack", b"no event")
                assert (await examined(hub.config)).verdict is PASS
                await hub.start()
                await until(lambda: ics.on("answer"))
                assert states(ics)[-1] == "online"


async def test_of_a_hub_that_was_stopped_the_doctor_says_that_it_is_offline(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker, Ics(broker) as ics:
        async with HubProcess(write_configuration(tmp_path, port=broker.port)) as hub:
            await connected(hub)
            await hub.stop()
            await until(lambda: states(ics)[-1:] == ["offline"])
            told = len(states(ics))
            assert (await examined(hub.config)).verdict is PASS
            await until(lambda: states(ics)[told:] == ["offline"])
            # How it ended is not known: nobody is told that all is as somebody wanted it.
            hub.config.hub.data_directory.joinpath("carehub.db").write_bytes(b"a shopping list" * 100)
            assert how_it_ended(hub.config) == "lost"


async def test_nobody_speaks_in_the_name_of_a_hub_that_is_being_started(tmp_path: Path) -> None:
    House(tmp_path).connection.close()
    with Mosquitto(tmp_path / "broker") as broker, Ics(broker) as ics:
        config = load(write_configuration(tmp_path, port=broker.port))
        (config.hub.data_directory / "carehub.lock").touch()
        (finding,) = await authorisation(config, await asked(config), is_starting=True)
        assert finding.verdict is WARN
        assert "systemd is about to start the hub" in finding.words
        assert states(ics) == []


async def test_a_hub_that_hangs_is_not_thrown_off_the_broker(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker, Ics(broker) as ics:
        async with HubProcess(write_configuration(tmp_path, port=broker.port)) as hub:
            await connected(hub)
            assert hub._process is not None
            os.kill(hub._process.pid, signal.SIGSTOP)
            finding = await examined(hub.config, 0.5)
            os.kill(hub._process.pid, signal.SIGCONT)
            assert finding.verdict is WARN
            assert "not tried: a hub runs on this data directory" in finding.words
            assert set(states(ics)) == {"online"}


async def test_nobody_speaks_in_the_name_of_a_hub_that_has_never_run_here(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker, Ics(broker) as ics:
        config = load(write_configuration(tmp_path, port=broker.port))
        assert hub_runs(config) is None
        finding = await examined(config)
        assert finding.verdict is WARN
        assert "one of this name may run elsewhere" in finding.words
        assert states(ics) == []


async def test_over_mqtt_3_a_refusal_cannot_be_told_and_that_is_said(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker:
        async with (
            VersionGate(broker) as gate,
            HubProcess(write_configuration(tmp_path, port=gate.port)) as hub,
        ):
            await connected(hub)
            finding = await examined(hub.config)
    assert finding.verdict is WARN
    assert "over MQTT 3.1.1 a broker cannot say that it refuses" in finding.words


async def test_a_broker_that_answers_nothing_is_a_failure_within_seconds(tmp_path: Path) -> None:
    def welcome(speaker: socket.socket) -> None:
        speaker.sendall(CONNACK)
        while speaker.recv(1000):  # takes all, and says nothing
            pass

    House(tmp_path).connection.close()
    with peer(welcome) as port:
        config = load(write_configuration(tmp_path, port=port))
        (config.hub.data_directory / "carehub.lock").touch()
        finding = await examined(config)
    assert finding.verdict is FAIL
    assert "no answer within 4 s of the broker" in finding.words


async def test_a_hub_without_a_connection_says_so(tmp_path: Path) -> None:
    async with HubProcess(write_configuration(tmp_path)) as hub:
        finding = await examined(hub.config)
    assert finding.verdict is FAIL
    assert finding.words.startswith("the hub is not connected to the broker")
