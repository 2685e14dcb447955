"""One kit for two residents: each gets what was measured in their round; what is in doubt alerts nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from drivers.virtual import encoding
from hub.attribution.rounds import Closing, Rounds
from hub.attribution.scans import Scans
from hub.configuration.file import Resident, Sensor
from hub.intake.intake import Intake
from hub.intake.reception import Reception
from hub.readings import Flag, Reading
from hub.residents.register import Register
from hub.store.errors import NotCommittedError
from hub.store.writer import Writer
from hub.trail import Moment
from tests.rigs.home import Home
from tests.rigs.house import ILL, SHARED, WELL, decoded, oximeter, raw
from tests.rigs.simulated_machine import HOUR, MINUTE, SECOND, SimulatedMachine

SHARED_CUFF, READER = "C4:F2:17:00:00:0C", "USB:0C2E:0B61:S1"
ILLS_CODE, WELLS_CODE = "9434765919", "4010232137"


class Ward:
    """A home whose residents share a cuff that tells the time and an oximeter that does not."""

    def __init__(self, directory: Path, *, synchronised: bool = True) -> None:
        error = 0 * HOUR if synchronised else -5 * HOUR
        self.home = Home(directory, SimulatedMachine(error, synchronised=synchronised))
        self.machine = self.home.machine
        self.enrol()

    def enrol(self) -> None:
        self.home.house.intake._register.enrol(Sensor(address=SHARED_CUFF, driver="blood_pressure"))

    def wait(self, seconds: float) -> None:
        self.machine.pass_time(seconds * SECOND)

    def scan(self, resident: str) -> None:
        moment = Moment(self.machine.wall, self.home.clock.stamp())
        self.home.house.rounds.open(None, resident, READER, moment)

    def cuff(self, systolic: float, *, ago: float = 0, slow: float = 0) -> Reading:
        """Of so many seconds ago, by a clock that shows the true time, or is slow."""
        measured = self.machine.true - (ago + slow) * SECOND
        local = measured.astimezone(ZoneInfo("Europe/London"))
        payload = bytearray(encoding.blood_pressure(systolic, 50, pulse=72))
        payload[0] |= 0x02  # Blood Pressure Service 3.1: the time stamp comes before the pulse
        payload[7:7] = local.year.to_bytes(2, "little") + bytes(local.timetuple()[1:6])
        return decoded(raw(SHARED_CUFF, "blood_pressure", bytes(payload), self.machine.wall))

    def oximeter(self, saturation: float) -> Reading:
        return oximeter(saturation, self.machine.wall, device=SHARED)

    def streamed(self, saturation: float) -> Reading:
        payload = encoding.continuous(saturation, 72)
        return decoded(raw(SHARED, "pulse_oximeter", payload, self.machine.wall, "2a5f"))

    def owner(self, reading: Reading) -> str | None:
        return self.home.take(reading).resident

    def alerting(self) -> list[str]:
        return [alert.resident for alert in self.home.house.open_alerts()]


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Ward]:
    ward = Ward(tmp_path)
    yield ward
    ward.home.house.connection.close()


def test_each_resident_gets_what_was_measured_in_their_round(ward: Ward) -> None:
    ward.scan(WELL)
    ward.wait(50)
    assert ward.owner(ward.cuff(120, ago=5)) == WELL
    ward.wait(30)
    assert ward.owner(ward.oximeter(97)) == WELL
    ward.wait(5)
    ward.scan(ILL)
    ward.wait(50)
    assert ward.owner(ward.cuff(70, ago=5)) == ILL
    ward.wait(30)
    assert ward.owner(ward.oximeter(88)) == ILL
    assert ward.alerting() == [ILL]
    assert len(ward.home.house.assessments(WELL)) == 2


def test_without_a_scan_a_shared_kit_alerts_nobody(ward: Ward) -> None:
    assert ward.owner(ward.cuff(70)) is None
    assert ward.owner(ward.oximeter(80)) is None
    assert ward.alerting() == []
    assert ward.home.house.count("reading") == 2, "they are kept, and wait for a person"


def test_a_late_indication_of_the_resident_before_is_nobodys(ward: Ward) -> None:
    ward.scan(ILL)
    ward.wait(60)
    late = ward.cuff(70)
    ward.scan(WELL)
    ward.wait(40)
    assert ward.owner(ward.oximeter(80)) is None
    came = decoded(raw(SHARED_CUFF, "blood_pressure", late.raw.payload, ward.machine.wall))
    assert ward.owner(came) is None
    assert ward.alerting() == []


def test_what_a_cuff_kept_over_a_broken_link_is_nobodys_and_what_it_measures_then_is_the_residents(
    ward: Ward,
) -> None:
    """Oldest first, as the A&D UA-651BLE pushes them."""
    ward.scan(ILL)
    ward.wait(60)
    kept = ward.cuff(70)
    ward.wait(20)
    ward.scan(WELL)
    ward.wait(70)
    pushed = decoded(raw(SHARED_CUFF, "blood_pressure", kept.raw.payload, ward.machine.wall))
    assert ward.owner(pushed) is None
    assert ward.owner(ward.cuff(120, ago=8)) == WELL
    assert ward.alerting() == []


@pytest.mark.parametrize("slow", [180, 3600])
def test_a_cuff_whose_clock_is_slow_gives_its_reading_to_no_former_resident(ward: Ward, slow: int) -> None:
    ward.scan(WELL)
    ward.wait(slow)
    ward.scan(ILL)
    ward.wait(50)
    assert ward.owner(ward.cuff(70, ago=5, slow=slow)) is None
    assert ward.alerting() == []


def test_a_memory_of_this_round_is_the_residents(ward: Ward) -> None:
    ward.scan(ILL)
    ward.wait(400)
    reading = ward.cuff(70, ago=350)
    assert ward.owner(reading) == ILL
    assert Flag.FROM_MEMORY not in reading.flags, "a cuff does not say so"
    assert ward.alerting() == [ILL]


def test_until_the_hubs_clock_is_set_only_what_tells_no_time_is_anybodys(tmp_path: Path) -> None:
    ward = Ward(tmp_path, synchronised=False)
    ward.scan(ILL)
    ward.wait(70)
    assert ward.owner(ward.cuff(70, ago=5)) is None
    assert ward.owner(ward.oximeter(80)) == ILL
    ward.home.network()
    ward.wait(1)
    assert ward.owner(ward.cuff(71, ago=5)) == ILL, "the round goes on though the clock was set ahead"
    ward.home.house.connection.close()


def test_a_restart_ends_every_round(ward: Ward) -> None:
    ward.scan(ILL)
    ward.wait(70)
    ward.home.start_again()
    ward.enrol()
    assert ward.owner(ward.oximeter(80)) is None
    ward.scan(ILL)
    ward.wait(70)
    assert ward.owner(ward.oximeter(80)) == ILL


def test_what_was_received_in_a_round_and_stored_after_the_next_scan_is_of_that_round(ward: Ward) -> None:
    ward.scan(ILL)
    ward.wait(70)
    reading, stamp = ward.oximeter(80), ward.home.clock.stamp()
    ward.wait(1)
    ward.scan(WELL)
    ward.wait(300)
    with ward.home.house.transaction() as transaction:
        assert ward.home.house.intake.take(transaction, reading, stamp).resident == ILL
    assert ward.alerting() == [ILL]


def test_a_stream_is_nobodys_until_the_finger_was_out(ward: Ward) -> None:
    owner = ward.home.house.intake.attribution.owner
    ward.scan(WELL)
    ward.wait(5)
    first = ward.home.clock.stamp()
    found = owner(ward.streamed(97), ward.home.clock.stamp(), first)
    assert found is not None
    assert found.id == WELL
    ward.wait(30)
    ward.scan(ILL)
    ward.wait(2)
    assert owner(ward.streamed(97), ward.home.clock.stamp(), first) is None
    ward.wait(10)
    second = ward.home.clock.stamp()
    found = owner(ward.streamed(80), ward.home.clock.stamp(), second)
    assert found is not None
    assert found.id == ILL


# --- from the scan to the card


class FullCard:
    """A card that takes nothing until it is made to."""

    def __init__(self, patch: pytest.MonkeyPatch, path: Path) -> None:
        self.full = True
        write: Callable[..., object] = Writer.write
        card = self

        async def written(writer: Writer, work: object, **how: object) -> object:
            if card.full:
                raise NotCommittedError(path, "nothing was stored: disk full", "full")
            return await write(writer, work, **how)  # type: ignore[misc]  # it is the coroutine that it was

        patch.setattr(Writer, "write", written)


async def test_with_a_full_card_what_came_before_the_next_scan_is_still_the_former_residents(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = ward.home.house
    residents = (Resident(id=ILL, wristband=ILLS_CODE), Resident(id=WELL, wristband=WELLS_CODE))
    sensors = (
        Sensor(address=SHARED, driver="pulse_oximeter"),
        Sensor(address=READER, driver="wristband_reader"),
    )
    register, rounds = Register(residents, sensors), Rounds(10 * MINUTE)
    moments = iter((-200 * SECOND, timedelta(0)))

    def present() -> Moment:
        moment, passed = Moment.present(), next(moments)
        since_boot = moment.stamp.since_boot + passed
        return Moment(
            moment.at + passed, type(moment.stamp)(moment.stamp.boot, since_boot, moment.stamp.quality)
        )

    intake = Intake(house.config, house.identity, register, None, rounds=rounds)
    async with Writer(house.path, timedelta(0), reserve_bytes=0) as writer:
        card = FullCard(monkeypatch, house.path)
        reception = Reception(writer, intake, retry_seconds=0.01)
        scans = Scans(writer, register, rounds, present=present, retry_seconds=0.01)
        scans.scanned(READER, ILLS_CODE)
        now = Moment.present().at
        taking = asyncio.ensure_future(reception.accept_reading(oximeter(80, now, device=SHARED)))
        while not reception.waiting:
            await asyncio.sleep(0)
        scans.scanned(READER, WELLS_CODE)
        assert rounds.at(None, Moment.present().stamp) is not None
        card.full = False
        taken = await taking
        assert taken.resident == ILL
        await scans.noted()
    assert rounds.close(None, Closing.UNKNOWN_CODE, Moment.present())[0].resident == WELL
