"""The doctor: each part is found well or not, by looking at real parts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from hub import trail
from hub.clock import now
from hub.configuration.file import Config, load
from hub.doctor import examine
from hub.doctor.daemon import _card
from hub.doctor.findings import Verdict
from hub.doctor.network import _no_tls
from hub.store.damage import FACT, Damage
from hub.store.database import FILE_NAME
from hub.store.retention import Kind, Piece
from hub.store.writer import Writer
from hub.trail import Moment
from hub.uplink.link import NOBODY_LISTENS
from tests.rigs.broker import Ics, Mosquitto, until
from tests.rigs.certificates import Authority
from tests.rigs.house import OXIMETER, SHARED, House, oximeter, write_configuration
from tests.rigs.hub_process import HubProcess
from tests.rigs.recommended_broker import HUB, AuthorityScript, RecommendedBroker

PASS, WARN, FAIL = Verdict.PASS, Verdict.WARN, Verdict.FAIL


def house_with(tmp_path: Path, further: str = "", **settings: object) -> Config:
    port = settings.pop("port", 1)
    assert isinstance(port, int)
    return load(write_configuration(tmp_path, further, port=port, **settings))  # type: ignore[arg-type]  # model


async def findings(config: Config) -> dict[str, tuple[Verdict, str]]:
    return {finding.part: (finding.verdict, finding.told) for finding in await examine(config)}


async def test_before_the_first_start_it_says_what_is_not_there_and_what_to_do(tmp_path: Path) -> None:
    found = await findings(house_with(tmp_path))
    assert found["disk"][0] is FAIL
    assert "is not there: make it" in found["disk"][1]
    assert found["daemon"][0] is FAIL
    assert "carehub run" in found["daemon"][1]
    assert found["database"][0] is FAIL
    assert "has the hub ever run here?" in found["database"][1]
    assert found["broker's port"][0] is FAIL
    assert "firewall" in found["broker's port"][1]
    assert found["Bluetooth"] == (WARN, "off by configuration")
    assert found["clock"][0] in (PASS, WARN)


async def test_a_running_hub_and_its_link_are_well(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker:
        async with HubProcess(write_configuration(tmp_path, port=broker.port, model="")) as hub:
            await until(lambda: "connected to" in hub.log)
            found = await findings(hub.config)
    for part in (
        "daemon",
        "link to the ICS",
        "disk",
        "database",
        "model",
        "rhythm model",
        "broker's name",
        "broker's port",
    ):
        assert found[part][0] is PASS, (part, found[part])
    assert found["TLS"] == (WARN, "off by configuration: nothing is encrypted")
    assert "golden vectors met" in found["model"][1]


@pytest.mark.parametrize(
    ("rhythm", "verdict", "words"),
    [
        ('mode = "off"', PASS, "off by configuration"),
        ('file = "/nowhere/rhythm.tflite"', FAIL, "/nowhere/rhythm.tflite: the model file cannot be read"),
    ],
)
async def test_a_rhythm_model_that_is_off_or_cannot_be_used_is_said(
    tmp_path: Path, rhythm: str, verdict: Verdict, words: str
) -> None:
    config = house_with(tmp_path, model=f'[model]\nmode = "off"\n[rhythm]\n{rhythm}\n')
    found = (await findings(config))["rhythm model"]
    assert found[0] is verdict
    assert found[1].startswith(words)


async def test_readings_that_are_nobodys_are_pointed_at(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.take(oximeter(97, now()))
    assert "unassigned readings" not in await findings(house.config)
    house.take(oximeter(85, now(), device=SHARED))
    verdict, words = (await findings(house.config))["unassigned readings"]
    assert verdict is WARN
    assert "1 reading(s)" in words
    house.connection.close()


@pytest.mark.parametrize(("channel", "expected"), [("reading", WARN), ("alert", FAIL)])
async def test_events_that_the_broker_refused_are_told_and_an_alert_among_them_is_a_failure(
    tmp_path: Path, channel: str, expected: Verdict
) -> None:
    config = house_with(tmp_path)
    async with Writer(config.hub.data_directory / FILE_NAME) as writer:
        await writer.write(lambda transaction: transaction.tell(0, channel, "{}"))
        await writer.write(lambda transaction: transaction.set_aside(1, "too large", now()))
    found = await findings(config)
    verdict, words = found["refused events"]
    assert verdict is expected
    assert ("tell the ICS" in words) == (channel == "alert")
    assert "0 event(s) wait" in found["database"][1]


async def test_alerts_that_reach_the_broker_and_nobody_else_are_a_failure(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker:
        async with HubProcess(write_configuration(tmp_path, port=broker.port)) as hub:
            await hub.feed([oximeter(91, now())])
            await until(lambda: NOBODY_LISTENS in hub.log)
            verdict, words = (await findings(hub.config))["link to the ICS"]
            assert verdict is FAIL
            assert NOBODY_LISTENS in words
            with Ics(broker):
                await until(lambda: hub.query("SELECT state FROM alert") == [("delivered",)])
            assert (await findings(hub.config))["link to the ICS"][0] is PASS


@pytest.mark.parametrize(("reason", "expected"), [("age", PASS), ("size", WARN)])
async def test_what_retention_removed_is_told_and_that_there_was_no_room_is_a_warning(
    tmp_path: Path, reason: str, expected: Verdict
) -> None:
    house = House(tmp_path)
    for device in (OXIMETER, OXIMETER, SHARED):
        house.take(oximeter(97, now(), device=device))
    assert "retention" not in await findings(house.config)
    with house.transaction() as transaction:
        piece = Piece(Kind.READINGS, readings=[1, 2])
        piece.remove(transaction.connection)
        transaction.audit(trail.retention_ran(Moment.present(), piece.counts, reason))
    verdict, words = (await findings(house.config))["retention"]
    assert verdict is expected
    assert "2 readings" in words
    assert f"because of their {reason}" in words
    house.connection.close()


@pytest.mark.parametrize("trouble", ["full", "read-only", "failing"])
def test_a_card_that_takes_nothing_is_a_failure(trouble: str) -> None:
    (finding,) = _card({"card": trouble})
    assert finding.verdict is FAIL
    assert finding.words.startswith(f"{trouble}: nothing is stored")
    assert _card({"card": "well"}) == []


@pytest.mark.parametrize(("lost", "expected"), [("reading", WARN), ("alert", FAIL)])
async def test_a_database_that_was_salvaged_is_told_until_somebody_takes_the_damaged_file_away(
    tmp_path: Path, lost: str, expected: Verdict
) -> None:
    house = House(tmp_path)
    aside = house.path.with_name("carehub.db.damaged-x")
    aside.touch()
    damage = Damage(now(), "a page", aside.name, {"reading": 3}, {lost: 1}, {}, 0, complete=True)
    with house.transaction() as transaction:
        transaction.set_fact(f"{FACT}x", damage.to_json())
    verdict, words = (await findings(house.config))["damaged database"]
    assert verdict is expected
    assert f"Take {aside.name} away" in words
    aside.unlink()
    assert (await findings(house.config))["damaged database"][0] is PASS
    house.connection.close()


async def test_a_damaged_database_is_a_finding(tmp_path: Path) -> None:
    config = house_with(tmp_path)
    config.hub.data_directory.mkdir()
    (config.hub.data_directory / FILE_NAME).write_bytes(b"a shopping list" * 1000)
    assert (await findings(config))["database"][0] is FAIL


async def test_a_database_that_lacks_a_table_is_a_finding(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.connection.execute("DROP TABLE outbox_aside")
    verdict, words = (await findings(house.config))["database"]
    assert verdict is FAIL
    assert "outbox_aside" in words


@pytest.mark.parametrize("content", [None, b"no model"])
async def test_a_model_that_cannot_be_used_is_a_finding(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "model.tflite"
    if content is not None:
        file.write_bytes(content)
    config = house_with(tmp_path, model=f'[model]\nfile = "{file}"\n')
    verdict, words = (await findings(config))["model"]
    assert verdict is FAIL
    assert "cannot be read" in words


async def test_a_recalibration_that_cannot_be_used_is_a_warning_and_the_model_is_used_without_it(
    tmp_path: Path,
) -> None:
    config = house_with(tmp_path, model='[model]\nrecalibration = "/nowhere/site.json"\n')
    verdict, words = (await findings(config))["model"]
    assert verdict is WARN
    assert "golden vectors met" in words
    assert (
        "its own risks are told, not recalibrated: /nowhere/site.json: the recalibration cannot be" in words
    )


async def test_a_model_that_is_off_is_as_it_should_be(tmp_path: Path) -> None:
    assert (await findings(house_with(tmp_path)))["model"] == (PASS, "off by configuration")


@pytest.mark.parametrize(
    ("host", "words"), [("broker.invalid", "no such host"), ("a..b", "no name that a host can have")]
)
async def test_a_broker_without_a_name_is_a_finding(tmp_path: Path, host: str, words: str) -> None:
    path = write_configuration(tmp_path)
    path.write_text(path.read_text().replace('host = "127.0.0.1"', f'host = "{host}"'))
    found = (await findings(load(path)))["broker's name"]
    assert found[0] is FAIL
    assert words in found[1]


def with_tls(tmp_path: Path, broker: Mosquitto, ca_file: Path | None, further: str = "") -> Config:
    path = write_configuration(tmp_path, port=broker.port)
    ca = f'ca_file = "{ca_file}"\n' if ca_file else ""
    path.write_text(path.read_text().replace("tls = false\n", ca + further))
    return load(path)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def tls_settings(tmp_path: Path, authority: Authority) -> list[str]:
    certificate, key = authority.certify("broker", address="127.0.0.1")
    return [f"certfile {certificate}", f"keyfile {key}"]


async def test_a_broker_whose_authority_is_known_is_trusted(
    tmp_path: Path, authority: Authority, tls_settings: list[str]
) -> None:
    with Mosquitto(tmp_path / "broker", tls_settings) as broker:
        verdict, words = (await findings(with_tls(tmp_path, broker, authority.certificate)))["TLS"]
    assert verdict is WARN  # the certificate ends tomorrow
    assert words.startswith("TLSv1.")
    assert "ends on" in words


async def test_a_broker_of_another_authority_is_not_trusted(tmp_path: Path, tls_settings: list[str]) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with Mosquitto(tmp_path / "broker", tls_settings) as broker:
        verdict, words = (await findings(with_tls(tmp_path, broker, Authority(other).certificate)))["TLS"]
    assert verdict is FAIL
    assert "not trusted" in words


async def test_a_broker_that_speaks_no_tls_and_files_that_are_not_there_are_findings(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker:
        assert (await findings(with_tls(tmp_path, broker, None)))["TLS"][0] is FAIL
        missing = with_tls(tmp_path, broker, tmp_path / "no.pem")
        verdict, words = (await findings(missing))["TLS"]
    assert verdict is FAIL
    assert "broker.ca_file" in words


def of(address_of_broker: str, tmp_path: Path, *, test_data: bool = True) -> Config:
    path = write_configuration(tmp_path)
    text = path.read_text().replace('host = "127.0.0.1"', f'host = "{address_of_broker}"')
    if not test_data:
        text = text.replace("test_data = true", "test_data = false").partition("[replay]")[0]
    path.write_text(text)
    return load(path)


@pytest.mark.parametrize(
    ("host", "away"),
    [
        ("127.0.0.1", False), ("127.9.9.9", False), ("::1", False), ("localhost", False),
        ("192.0.2.7", True), ("mqtt.ics.example", True), ("0.0.0.0", True),
    ],
)  # fmt: skip
def test_a_broker_elsewhere_without_tls_is_readable_on_the_way(tmp_path: Path, host: str, away: bool) -> None:
    assert of(host, tmp_path).broker.readable_on_the_way is away


@pytest.mark.parametrize(("test_data", "expected"), [(True, WARN), (False, FAIL)])
def test_no_tls_to_another_machine_is_a_failure_unless_all_is_test_data(
    tmp_path: Path, test_data: bool, expected: Verdict
) -> None:
    finding = _no_tls(of("192.0.2.7", tmp_path, test_data=test_data))
    assert finding.verdict is expected
    assert "set broker.tls = true" in finding.words


@pytest.mark.parametrize(("days", "expected"), [(31, PASS), (29, WARN), (8, WARN), (6, FAIL), (-1, FAIL)])
async def test_the_hubs_certificate_is_told_before_it_ends(
    tmp_path: Path, authority: Authority, days: int, expected: Verdict
) -> None:
    certificate, key = authority.certify("hub", ends=now() + timedelta(days=days, hours=1))
    path = write_configuration(tmp_path)
    files = f'certificate_file = "{certificate}"\nkey_file = "{key}"\n'
    path.write_text(path.read_text().replace("tls = false\n", files))
    verdict, words = (await findings(load(path)))["the hub's certificate"]
    assert verdict is expected
    assert str(certificate) in words


async def test_a_revoked_certificate_is_found_though_the_hubs_own_handshake_succeeds(tmp_path: Path) -> None:
    script = AuthorityScript(tmp_path / "authority")
    files = script.client(HUB)
    script("revoke", HUB)
    with RecommendedBroker(tmp_path / "broker", script) as broker:
        further = f'certificate_file = "{files.certificate}"\nkey_file = "{files.key}"\n'
        verdict, words = (await findings(with_tls(tmp_path, broker, files.ca, further)))["TLS"]
    assert verdict is FAIL
    assert "was revoked" in words
