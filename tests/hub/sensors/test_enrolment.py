"""Who owns a sensor: always one at the most, from when that is on the card, and after every restart."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from drivers.gatt import Bonding
from hub.configuration.file import Config
from hub.configuration.settings import configuration_hash
from hub.configuration.settings import settings as settings_of
from hub.residents.register import UnknownResidentError
from hub.sensors.enrolment import Enrolled, Enrolment, EnrolmentError
from hub.store.audit import AuditEntry, newest
from hub.store.audit_verification import verify
from hub.store.database import FILE_NAME, open_for_reading
from hub.store.errors import NotCommittedError
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from hub.trail import Audited
from tests.rigs.enrolling import NEW, OTHER, SAM, new_home, owner, running, sensor
from tests.rigs.house import CUFF, ILL, NAMES, SHARED, WELL


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return new_home(tmp_path)


def trail_of(config: Config, what: Audited) -> AuditEntry:
    with closing(open_for_reading(config.hub.data_directory / FILE_NAME)) as connection:
        assert verify(connection).whole
        entry = newest(connection, what)
    assert entry is not None
    return entry


def without(config: Config, resident: str) -> Config:
    """The configuration after a resident has moved out."""
    return config.model_copy(
        update={
            "residents": tuple(each for each in config.residents if each.id != resident),
            "sensors": tuple(each for each in config.sensors if each.resident != resident),
        }
    )


# --- enrolled


async def test_enrolled_it_is_its_residents_at_once_and_after_a_restart(config: Config) -> None:
    async with running(config) as enrolment:
        assert owner(enrolment) is None
        added = await enrolment.add(sensor(label="new cuff"), SAM)
        assert owner(enrolment) == ILL
        assert NEW in [each.address for each in enrolment.to_collect]
    async with running(config) as enrolment:
        assert owner(enrolment) == ILL
        assert enrolment.all[-1] == added
        assert (added.by, added.sensor.label) == (SAM, "new cuff")


async def test_all_that_was_said_of_it_is_there_after_a_restart(config: Config) -> None:
    whole = sensor(user=2, bonding="when-asked", passkey="012345", label="L")
    async with running(config) as enrolment:
        await enrolment.add(whole, SAM)
        await enrolment.add(sensor(OTHER, user="any"), SAM)
    async with running(config) as enrolment:
        assert [each.sensor for each in enrolment.all[-2:]] == [whole, sensor(OTHER, user="any")]
        collected = {each.address: each for each in enrolment.to_collect}
        assert collected[NEW].passkey == 12345
        assert collected[NEW].bonding is Bonding.WHEN_ASKED
        assert collected[OTHER].bonding is None
        assert owner(enrolment, user=2) == ILL
        assert owner(enrolment, user=1) is None


async def test_a_shared_one_is_nobodys(config: Config) -> None:
    async with running(config) as enrolment:
        await enrolment.add(sensor(resident=None), SAM)
        assert owner(enrolment) is None
        assert enrolment.register.sensor(NEW) is not None


@pytest.mark.parametrize("address", [NEW, NEW.lower()])
async def test_a_second_owner_is_refused_and_the_first_stays(config: Config, address: str) -> None:
    async with running(config) as enrolment:
        await enrolment.add(sensor(), SAM)
        with pytest.raises(EnrolmentError, match=r"enrolled already, for R-0412, .*devices forget"):
            await enrolment.add(sensor(address, WELL), SAM)
        assert owner(enrolment) == ILL
    async with running(config) as enrolment:
        assert owner(enrolment) == ILL


async def test_two_who_enrol_the_same_sensor_at_once_are_not_both_answered_that_it_is_done(
    config: Config,
) -> None:
    async with running(config) as enrolment:
        answers = await asyncio.gather(
            enrolment.add(sensor(resident=ILL), SAM),
            enrolment.add(sensor(resident=WELL), "Pat"),
            return_exceptions=True,
        )
        assert sum(isinstance(each, EnrolmentError) for each in answers) == 1
        assert owner(enrolment) == ILL


@pytest.mark.parametrize("address", [CUFF, SHARED])
async def test_one_of_the_configuration_is_neither_enrolled_again_nor_forgotten_by_command(
    config: Config, address: str
) -> None:
    async with running(config) as enrolment:
        before = owner(enrolment, address)
        with pytest.raises(EnrolmentError, match="in the configuration: change it there"):
            await enrolment.add(sensor(address, WELL), SAM)
        with pytest.raises(EnrolmentError, match=r"take it out of \[\[sensors\]\] there"):
            await enrolment.forget(address, SAM)
        assert owner(enrolment, address) == before


async def test_an_unknown_resident_or_driver_a_user_of_nobody_and_no_name_are_refused(config: Config) -> None:
    async with running(config) as enrolment:
        with pytest.raises(UnknownResidentError, match="R-9"):
            await enrolment.add(sensor(resident="R-9"), SAM)
        with pytest.raises(EnrolmentError, match="no driver is named 'telepathy'"):
            await enrolment.add(sensor(driver="telepathy"), SAM)
        with pytest.raises(EnrolmentError, match="--resident"):
            await enrolment.add(sensor(resident=None, user=1), SAM)
        for nobody in ("", "  ", "x" * 201, "Sam\x1b[2J"):
            with pytest.raises(EnrolmentError, match="--by"):
                await enrolment.add(sensor(), nobody)
            with pytest.raises(EnrolmentError, match="--by"):
                await enrolment.forget(NEW, nobody)
        assert len(enrolment.all) == len(config.sensors)


# --- forgotten


async def test_forgotten_it_is_nobodys_at_once_and_after_a_restart_and_may_be_anothers(
    config: Config,
) -> None:
    async with running(config) as enrolment:
        await enrolment.add(sensor(), SAM)
        await enrolment.forget(NEW.lower(), SAM)
        assert owner(enrolment) is None
        assert NEW not in [each.address for each in enrolment.to_collect]
        with pytest.raises(EnrolmentError, match="is not enrolled"):
            await enrolment.forget(NEW, SAM)
    async with running(config) as enrolment:
        assert enrolment.register.sensor(NEW) is None
        await enrolment.add(sensor(resident=WELL), SAM)
        assert owner(enrolment) == WELL


async def test_what_is_stored_in_the_moment_of_forgetting_is_not_its_residents_any_more(
    config: Config,
) -> None:
    """The row that is gone is committed after whatever asks whose a reading is from now on."""
    async with running(config) as enrolment:
        await enrolment.add(sensor(), SAM)
        seen: list[str | None] = []
        write = enrolment._writer.write

        async def looks_first(work: Callable[[Transaction], object], *, urgent: bool = False) -> object:
            seen.append(owner(enrolment))
            return await write(work, urgent=urgent)

        enrolment._writer.write = looks_first  # type: ignore[method-assign,assignment]  # to look in between
        await enrolment.forget(NEW, SAM)
        assert seen == [None]


@pytest.fixture
def card_that_takes_nothing(monkeypatch: pytest.MonkeyPatch, config: Config) -> Callable[[], None]:
    def fail() -> None:
        async def fails(_writer: Writer, _work: object, **_how: object) -> None:
            raise NotCommittedError(config.hub.data_directory, "nothing was stored: disk full", "full")

        monkeypatch.setattr(Writer, "write", fails)

    return fail


async def test_where_the_card_takes_nothing_nothing_is_changed(
    config: Config, card_that_takes_nothing: Callable[[], None]
) -> None:
    async with running(config) as enrolment:
        await enrolment.add(sensor(), SAM)
        card_that_takes_nothing()
        with pytest.raises(NotCommittedError):
            await enrolment.forget(NEW, SAM)
        assert owner(enrolment) == ILL
        with pytest.raises(NotCommittedError):
            await enrolment.add(sensor(OTHER), SAM)
        assert owner(enrolment, OTHER) is None
        assert [each.sensor.address for each in enrolment.all][-1] == NEW


# --- the configuration has changed meanwhile


async def test_one_that_the_configuration_has_too_is_the_configurations_and_does_not_come_back(
    config: Config,
) -> None:
    """With the owner of that time, on the day on which it is taken out of the file again."""
    async with running(config) as enrolment:
        await enrolment.add(sensor(resident=ILL), SAM)
    both = config.model_copy(update={"sensors": (*config.sensors, sensor(resident=WELL))})
    async with running(both) as enrolment:
        assert owner(enrolment) == WELL
        assert [each.by for each in enrolment.all if each.sensor.address == NEW] == [None]
    assert trail_of(config, Audited.FORGOTTEN).detail["resident"] == ILL
    async with running(config) as enrolment:
        assert enrolment.register.sensor(NEW) is None


async def test_one_whose_resident_has_moved_out_is_nobodys_and_says_so(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(config) as enrolment:
        await enrolment.add(sensor(resident=WELL), SAM)
    for one_person in (False, True):
        site = config.site.model_copy(update={"one_person": one_person})
        async with running(without(config, WELL).model_copy(update={"site": site})) as enrolment:
            assert owner(enrolment) is None, "also where the one who is left lives alone"
            (left,) = [each for each in enrolment.all if each.by is not None]
            assert left.trouble is not None
            assert "nobody's" in left.trouble
            assert left.trouble in caplog.text
    async with running(without(config, WELL)) as enrolment:
        await enrolment.forget(NEW, SAM)
        await enrolment.add(sensor(resident=ILL), SAM)
        assert owner(enrolment) == ILL


async def test_one_whose_driver_is_gone_is_not_collected_from_and_the_hub_starts(config: Config) -> None:
    async with running(config) as enrolment:
        await enrolment.add(sensor(), SAM)
    with closing(sqlite3.connect(config.hub.data_directory / FILE_NAME, isolation_level=None)) as connection:
        connection.execute("UPDATE enrolled_sensor SET driver = 'telepathy'")
    async with running(config) as enrolment:
        assert NEW not in [each.address for each in enrolment.to_collect]
        assert "no driver is named 'telepathy'" in (enrolment.all[-1].trouble or "")
        await enrolment.forget(NEW, SAM)


@pytest.mark.parametrize(
    "spoilt", ["user = 'x'", "bonding = 'maybe'", "passkey = -1", "user = 300", "driver = 1"]
)
async def test_a_row_that_makes_no_sense_is_left_out_and_can_be_enrolled_anew(
    config: Config, spoilt: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(config) as enrolment:
        await enrolment.add(sensor(), SAM)
        await enrolment.add(sensor(OTHER), SAM)
    with closing(sqlite3.connect(config.hub.data_directory / FILE_NAME, isolation_level=None)) as connection:
        connection.execute(f"UPDATE enrolled_sensor SET {spoilt} WHERE address = ?", (NEW,))
    async with running(config) as enrolment:
        known = enrolment.register.sensor(NEW)
        assert known is None or spoilt == "driver = 1"  # a text to SQLite
        assert owner(enrolment, OTHER) == ILL
        if known is None:
            assert "enrol it anew" in caplog.text or "enrol it again" in caplog.text
            await enrolment.add(sensor(resident=WELL), SAM)
            assert owner(enrolment) == WELL


# --- the trail


async def test_who_enrolled_and_forgot_what_is_in_the_trail_without_passkey_and_label(config: Config) -> None:
    whole = sensor(user=1, bonding="first", passkey="271828", label=NAMES[0])
    async with running(config) as enrolment:
        added = await enrolment.add(whole, SAM)
        enrolled = trail_of(config, Audited.ENROLLED).detail
        after = configuration_hash(settings_of(enrolment.configuration))
        await enrolment.forget(NEW, "Pat")
        forgotten = trail_of(config, Audited.FORGOTTEN).detail
    said = {"address": NEW, "driver": "blood_pressure", "resident": ILL}
    assert enrolled == {
        **said, "user": 1, "bonding": "first", "passkey": True, "by": SAM, "configuration": after
    }  # fmt: skip
    before = configuration_hash(settings_of(config))
    assert added.since is not None
    since = added.since.isoformat()
    assert forgotten == {**said, "since": since, "by": "Pat", "configuration": before}
    assert after != before, "who owns a sensor is part of what an alert rests on"
    assert "271828" not in json.dumps([enrolled, forgotten])
    assert "271828" not in json.dumps(settings_of(config.model_copy(update={"sensors": (whole,)})))


async def test_another_passkey_is_no_other_configuration(config: Config) -> None:
    """Its hash leaves the hub, and six digits are soon tried."""
    hashes = {
        configuration_hash(settings_of(config.model_copy(update={"sensors": (sensor(passkey=digits),)})))
        for digits in ("000000", "123456")
    }
    assert len(hashes) == 1


# --- handed on


async def test_what_a_sensor_measured_before_it_was_enrolled_is_not_its_residents(config: Config) -> None:
    async with running(config) as enrolment:
        added = await enrolment.add(sensor(), SAM)
        assert enrolment.register.theirs_since(NEW) == added.at
    async with running(config) as enrolment:
        assert enrolment.register.theirs_since(NEW) == added.at, "after a restart too"


async def test_a_sensor_that_is_handed_on_begins_anew_and_one_that_is_repaired_goes_on(
    config: Config,
) -> None:
    async with running(config) as enrolment:
        first = await enrolment.add(sensor(), SAM)
        await enrolment.forget(NEW, SAM)
        again = await enrolment.add(sensor(), SAM)
        assert again.since == first.since, "theirs all the time: its bond was repaired, perhaps"
        await enrolment.forget(NEW, SAM)
        handed_on = await enrolment.add(sensor(resident=WELL), SAM)
        assert handed_on.since == handed_on.at
        await enrolment.forget(NEW, SAM)
        back = await enrolment.add(sensor(), SAM)
        assert back.since == back.at, "between, it served another"
        await enrolment.forget(NEW, SAM)
        shared = await enrolment.add(sensor(resident=None), SAM)
        assert shared.since == shared.at
        await enrolment.forget(NEW, SAM)
        assert (await enrolment.add(sensor(resident=None), SAM)).since != shared.since


# --- not known at the start


async def test_what_could_not_be_known_at_the_start_is_taken_in_as_soon_as_it_is(config: Config) -> None:
    async with running(config) as enrolment:
        await enrolment.add(sensor(), SAM)
    path = config.hub.data_directory / FILE_NAME
    async with Writer(path, reserve_bytes=0) as writer:
        enrolment = Enrolment(config, writer, [Enrolled(each) for each in config.sensors])
        assert owner(enrolment) is None
        for _ in range(2):
            await enrolment.look_again()
            assert owner(enrolment) == ILL
            assert NEW in [each.address for each in enrolment.to_collect]
        assert len(enrolment.all) == len(config.sensors) + 1
