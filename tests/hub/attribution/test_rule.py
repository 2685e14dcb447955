"""Whose a shared sensor's reading is: whose round it was measured in, where that is certain; or nobody's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.bluetooth.device_information import DeviceInformation
from hub.attribution.rounds import Closing, Rounds
from hub.attribution.rule import Attribution
from hub.clock import ClockQuality, ClockStamp
from hub.configuration.file import Resident, Sensor
from hub.readings import DeviceTime, Door, Flag, Measurement, RawPayload, Reading, Vital, reading_id
from hub.residents.register import Register
from hub.timekeeping.timing import ClockRule
from hub.trail import Moment

BOOT = UUID("6f1f9b3e-7a52-4a0b-9a55-5f2b1f1f0a01")
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
LONDON = ZoneInfo("Europe/London")
RULE = ClockRule(timedelta(minutes=5), timedelta(days=30), LONDON)
ANNA, BERT = Resident(id="R-1"), Resident(id="R-2")
READER = "USB:0C2E:0B61:S1"
CUFF, OF_KIT_B, PERSONAL, NUMBERED, ANY_NUMBER = (f"C4:F2:17:00:00:0{last}" for last in range(1, 6))
STRANGER = "C4:F2:17:00:00:0F"
SENSORS = (
    Sensor(address=CUFF, driver="blood_pressure"),
    Sensor(address=OF_KIT_B, driver="blood_pressure", kit="b"),
    Sensor(address=PERSONAL, driver="blood_pressure", resident="R-1"),
    Sensor(address=NUMBERED, driver="blood_pressure", user=2),
    Sensor(address=ANY_NUMBER, driver="blood_pressure", user="any"),
)
PULSE = Measurement(Vital.PULSE_RATE, 72.0)
SYNCHRONISED = ClockQuality.SYNCHRONISED


class Ward:
    """A home with a shared kit; times are seconds after noon, which is a day after the boot."""

    def __init__(self, *residents: Resident, one_person: bool = False) -> None:
        self.rounds = Rounds(timedelta(minutes=10))
        self.register = Register(residents or (ANNA, BERT), SENSORS, one_person=one_person)
        self.attribution = Attribution(self.register, self.rounds, RULE, timedelta(minutes=1))
        self.quality = SYNCHRONISED
        self.wall_ahead = timedelta(0)

    def moment(self, at: float) -> Moment:
        passed = timedelta(seconds=at)
        stamp = ClockStamp(BOOT, timedelta(days=1) + passed, self.quality)
        return Moment(NOON + passed + self.wall_ahead, stamp)

    def scan(self, resident: str, at: float, kit: str | None = None) -> None:
        self.rounds.open(kit, resident, READER, self.moment(at))

    def scan_nobodys(self, at: float) -> None:
        self.rounds.close(None, Closing.UNKNOWN_CODE, self.moment(at))

    def owner(
        self,
        at: float,
        device: str = CUFF,
        *,
        age: float | None = None,
        ahead: float = 0.0,
        stamped: float | None = None,
        flags: frozenset[Flag] = frozenset(),
        user: int | None = None,
        number: int | None = None,
        streaming: bool = False,
        began: float | None = None,
        measurements: tuple[Measurement, ...] = (PULSE,),
        problem: str | None = None,
    ) -> str | None:
        """Whose a reading is that is received then, measured `age` seconds before, by a clock `ahead`."""
        received = self.moment(at)
        shown = None
        if age is not None:
            told = received.at - timedelta(seconds=age - ahead)
            shown = DeviceTime(*told.astimezone(LONDON).timetuple()[:6])
        raw = RawPayload(device, "blood_pressure", b"x", received.at)
        reading = Reading(
            reading_id(raw, shown), raw, measurements, flags, shown, number, user, problem, streaming
        )
        stamp = received.stamp if stamped is None else self.moment(stamped).stamp
        run = None if began is None else self.moment(began).stamp
        owner = self.attribution.owner(reading, stamp, run)
        return None if owner is None else owner.id


@pytest.fixture
def ward() -> Ward:
    return Ward()


# --- the round


def test_without_a_round_what_a_shared_sensor_measures_is_nobodys(ward: Ward) -> None:
    assert ward.owner(100) is None
    assert ward.owner(100, age=10) is None
    ward.scan("R-1", 200)
    assert ward.owner(199.9) is None


def test_in_a_round_it_is_the_residents_and_after_it_nobodys(ward: Ward) -> None:
    ward.scan("R-1", 0)
    assert [ward.owner(at) for at in (90, 599, 600)] == ["R-1", "R-1", None]
    ward.scan("R-2", 700)
    assert ward.owner(790) == "R-2"
    ward.scan_nobodys(800)
    assert ward.owner(890) is None


def test_a_reading_that_is_stored_late_is_of_the_round_in_which_it_was_received(ward: Ward) -> None:
    """The card was full meanwhile."""
    ward.scan("R-1", 0)
    ward.scan("R-2", 300)
    ward.scan_nobodys(3000)
    assert [ward.owner(at) for at in (200, 400)] == ["R-1", "R-2"]


def test_a_round_is_of_its_kit_alone(ward: Ward) -> None:
    ward.scan("R-1", 0)
    assert ward.owner(90, OF_KIT_B) is None
    ward.scan("R-2", 0, kit="b")
    assert (ward.owner(90, OF_KIT_B), ward.owner(90)) == ("R-2", "R-1")


def test_a_stranger_is_in_no_round(ward: Ward) -> None:
    ward.scan("R-1", 0)
    assert ward.owner(90, STRANGER) is None


def test_a_personal_sensor_is_its_residents_whoever_was_scanned(ward: Ward) -> None:
    ward.scan("R-2", 0)
    assert ward.owner(1, PERSONAL) == "R-1"
    assert ward.owner(1, PERSONAL, streaming=True) == "R-1"


def test_a_resident_who_is_not_listed_any_more_is_given_nothing() -> None:
    ward = Ward(BERT)
    ward.scan("R-1", 0)
    assert ward.owner(90) is None


def test_in_a_home_of_one_person_all_is_theirs_whatever_was_scanned() -> None:
    ward = Ward(ANNA, one_person=True)
    ward.scan_nobodys(0)
    assert ward.owner(1) == "R-1"
    assert ward.owner(1, streaming=True) == "R-1"


# --- what tells no time


def test_what_tells_no_time_is_nobodys_until_the_kit_has_settled(ward: Ward) -> None:
    """It may be of whoever was measured before the scan."""
    ward.scan("R-1", 0)
    ward.scan("R-2", 300)
    assert [ward.owner(at) for at in (301, 359.9, 360)] == [None, None, "R-2"]


def test_nor_is_it_the_first_residents_of_a_round(ward: Ward) -> None:
    """Somebody may have been measured without a scan."""
    ward.scan("R-1", 0)
    assert ward.owner(59) is None


def test_scanned_again_a_resident_need_not_wait_again(ward: Ward) -> None:
    ward.scan("R-1", 0)
    ward.scan("R-1", 100)
    assert ward.owner(101) == "R-1"


# --- what tells a time


@pytest.mark.parametrize(
    ("into", "age", "theirs"),
    [
        (30, 0, True),
        (30, 20, True),  # measured ten seconds after the scan
        (30, 21, False),
        (30, 31, False),  # before the scan
        (9, 0, False),  # nobody has measured anything so soon
        (10, 0, True),
        (500, 480, True),  # minutes ago, and in the round still
        (500, 491, False),
    ],
)
def test_it_must_have_measured_after_the_scan_by_its_own_clock(
    ward: Ward, into: int, age: int, theirs: bool
) -> None:
    ward.scan("R-1", -300)
    ward.scan("R-2", 0)
    assert ward.owner(into, age=age) == ("R-2" if theirs else None)
    assert ward.owner(into, age=age, flags=frozenset({Flag.FROM_MEMORY})) is None


@pytest.mark.parametrize("age", [90, 400, 3600, 12 * 3600, 3 * 86_400])
def test_what_was_kept_of_a_former_round_is_nobodys_and_not_guessed_to_be_of_that(
    ward: Ward, age: int
) -> None:
    """By a clock that is slow it would be of this round."""
    ward.scan("R-1", 30 - age - 20)
    ward.scan("R-2", 0)
    assert ward.owner(30, age=age) is None


@pytest.mark.parametrize(
    "kept",
    [
        {"flags": frozenset({Flag.FROM_MEMORY})},
        {"flags": frozenset({Flag.CLOCK_NOT_SET})},
        {"flags": frozenset({Flag.CLOCK_NOT_SET}), "age": 0.0},
        {"number": 7},
    ],
)
def test_what_may_be_kept_and_tells_no_time_that_is_set_is_nobodys(
    ward: Ward, kept: dict[str, object]
) -> None:
    ward.scan("R-1", 0)
    assert ward.owner(300, **kept) is None  # type: ignore[arg-type]  # one of its keywords each


def test_a_numbered_record_is_of_the_round_that_its_time_is_in(ward: Ward) -> None:
    ward.scan("R-1", 0)
    assert ward.owner(300, age=60, number=7) == "R-1"
    assert ward.owner(300, age=400 * 86_400, number=6) is None


def test_what_comes_from_the_future_is_nobodys_nor_what_that_sensor_tells_in_the_hour_after(
    ward: Ward,
) -> None:
    """Its clock is fast, by which what it kept from the resident before is of this round."""
    ward.scan("R-1", 0)
    assert ward.owner(100, age=5, ahead=60) is None
    ward.scan("R-2", 200)
    assert ward.owner(230, age=70, ahead=60) is None, "it is the first resident's, forty seconds old"
    ward.scan("R-2", 3600)
    assert ward.owner(3690, age=5) is None
    ward.scan("R-2", 3690)
    assert ward.owner(3800, age=5) == "R-2"


def test_a_clock_may_stray_by_ten_seconds(ward: Ward) -> None:
    ward.scan("R-1", 0)
    assert ward.owner(100, age=0, ahead=10) == "R-1"
    assert ward.owner(100, age=0, ahead=11) is None


def test_another_sensors_fast_clock_is_not_held_against_it(ward: Ward) -> None:
    ward.scan("R-1", 0)
    ward.scan("R-1", 0, kit="b")
    assert ward.owner(100, age=0, ahead=60) is None
    assert ward.owner(110, OF_KIT_B, age=0) == "R-1"


@pytest.mark.parametrize("ahead", [306, 3600, 10 * 365 * 86_400])
def test_a_clock_that_was_lost_and_is_set_at_its_link_is_believed_from_then_on(
    ward: Ward, ahead: int
) -> None:
    ward.scan("R-1", 0)
    assert ward.owner(100, age=5, ahead=ahead) is None
    assert ward.owner(110, age=5) == "R-1"


@pytest.mark.parametrize("quality", [ClockQuality.NOT_YET, ClockQuality.STEPPED])
def test_beside_a_hub_whose_clock_is_not_believed_no_sensors_time_is(
    ward: Ward, quality: ClockQuality
) -> None:
    ward.quality = quality
    ward.scan("R-1", 0)
    assert ward.owner(100, age=5) is None
    assert ward.owner(100) == "R-1", "what tells no time needs no clock that is set"
    assert ward.owner(100, streaming=True, began=50) == "R-1"


def test_a_time_that_is_no_date_is_none(ward: Ward) -> None:
    ward.scan("R-1", 0)
    received = ward.moment(300)
    raw = RawPayload(CUFF, "blood_pressure", b"x", received.at)
    no_date = DeviceTime(2026, 2, 30, 12, 0, 0)
    reading = Reading(reading_id(raw, no_date), raw, (PULSE,), device_time=no_date)
    assert ward.attribution.owner(reading, received.stamp) is None


# --- the clock is set; the hub is busy; the hub starts again


@pytest.mark.parametrize("by", [timedelta(minutes=2), timedelta(hours=5)])
def test_a_clock_that_is_set_ahead_in_a_round_changes_nothing(ward: Ward, by: timedelta) -> None:
    ward.scan("R-1", 0)
    ward.wall_ahead = by
    assert ward.owner(59) is None
    assert ward.owner(60) == "R-1"
    assert ward.owner(100, age=89) == "R-1"
    assert ward.owner(100, age=91) is None
    assert ward.owner(600) is None


def test_after_a_clock_was_set_back_nothing_is_believed_until_the_next_scan(ward: Ward) -> None:
    ward.scan("R-1", 0)
    ward.wall_ahead = timedelta(minutes=-20)
    assert ward.owner(100) is None
    ward.scan("R-2", 120)
    assert ward.owner(180) == "R-2"


@pytest.mark.parametrize("how", [{}, {"age": 0.0}, {"streaming": True, "began": 301.0}])
def test_what_was_received_before_the_scan_and_waited_is_not_of_the_round(
    ward: Ward, how: dict[str, object]
) -> None:
    ward.scan("R-1", 0)
    ward.scan("R-2", 300)
    assert ward.owner(250, stamped=400, **how) is None  # type: ignore[arg-type]  # one of its keywords each


def test_what_waited_counts_from_when_it_was_received(ward: Ward) -> None:
    ward.scan("R-1", 0)
    assert ward.owner(30, stamped=90) is None, "what tells no time has not settled"
    assert ward.owner(30, stamped=90, age=21) is None, "it was measured nine seconds after the scan"
    assert ward.owner(30, stamped=90, age=20) == "R-1"


def test_a_reading_of_another_boot_is_nobodys(ward: Ward) -> None:
    ward.scan("R-1", 0)
    raw = RawPayload(CUFF, "blood_pressure", b"x", ward.moment(100).at)
    reading = Reading(reading_id(raw, None), raw, (PULSE,))
    stamp = replace(ward.moment(100).stamp, boot=UUID(int=1))
    assert ward.attribution.owner(reading, stamp) is None


# --- streams


def test_a_stream_is_of_the_finger_that_was_put_in_after_the_scan(ward: Ward) -> None:
    ward.scan("R-1", 0)
    assert ward.owner(5, streaming=True, began=3) == "R-1"
    assert ward.owner(5, streaming=True, began=0) == "R-1"
    ward.scan("R-2", 100)
    assert ward.owner(101, streaming=True, began=3) is None, "the former finger is in it still"
    assert ward.owner(105, streaming=True, began=104) == "R-2"
    assert ward.owner(99, streaming=True, began=3) == "R-1", "stored late"


def test_a_stream_of_which_nobody_knows_when_it_began_is_nobodys(ward: Ward) -> None:
    ward.scan("R-1", 0)
    assert ward.owner(300, streaming=True) is None


def test_a_stream_does_not_outlast_its_round(ward: Ward) -> None:
    ward.scan("R-1", 0)
    assert ward.owner(601, streaming=True, began=3) is None
    ward.scan("R-1", 700)
    assert ward.owner(701, streaming=True, began=3) is None, "who was it meanwhile?"


def test_a_stream_that_began_in_another_boot_is_nobodys(ward: Ward) -> None:
    ward.scan("R-1", 0)
    raw = RawPayload(CUFF, "x", b"x", ward.moment(100).at)
    reading = Reading(reading_id(raw, None), raw, (PULSE,), streaming=True)
    began = replace(ward.moment(50).stamp, boot=UUID(int=1))
    assert ward.attribution.owner(reading, ward.moment(100).stamp, began) is None


def test_what_a_stream_says_from_its_memory_is_nobodys(ward: Ward) -> None:
    ward.scan("R-1", 0)
    assert ward.owner(300, streaming=True, began=10) == "R-1"
    for age in (None, 200, 295):
        memory = ward.owner(300, streaming=True, began=10, flags=frozenset({Flag.FROM_MEMORY}), age=age)
        assert memory is None


# --- numbers, the room, what cannot be read, what was enrolled since


def test_what_is_of_a_numbered_person_waits_unless_the_number_was_enrolled(ward: Ward) -> None:
    ward.scan("R-1", 0)
    assert ward.owner(90, user=1) is None
    assert [ward.owner(90, NUMBERED, user=user) for user in (None, 1, 2)] == [None, None, "R-1"]
    assert [ward.owner(90, ANY_NUMBER, user=user) for user in (None, 1, 2)] == ["R-1", "R-1", "R-1"]


def test_what_is_of_the_room_is_nobodys(ward: Ward) -> None:
    ward.scan("R-1", 0)
    assert ward.owner(90, measurements=(Measurement(Vital.DOOR, Door.OPEN),)) is None


def test_what_cannot_be_decoded_is_nobodys(ward: Ward) -> None:
    ward.scan("R-1", 0)
    assert ward.owner(90, measurements=(), problem="truncated") is None


def test_what_a_sensor_measured_before_it_was_enrolled_is_nobodys(ward: Ward) -> None:
    ward.scan("R-1", 0)
    ward.register.enrol(SENSORS[0], ward.moment(100).at)
    assert ward.owner(130, age=31) is None
    assert ward.owner(130, age=29) == "R-1"
    assert ward.owner(99, stamped=101) is None, "received before, and stored after"


# --- all of it at once


@st.composite
def _rounds(draw: st.DrawFn) -> list[tuple[int, str | None]]:
    """When who was scanned; None: somebody whose wristband is not listed."""
    at, scans = 0, []
    for resident in draw(st.lists(st.sampled_from(["R-1", "R-2", None]), min_size=1, max_size=6)):
        at += draw(st.one_of(st.integers(1, 90), st.integers(1, 900)))
        scans.append((at, resident))
    return scans


@settings(max_examples=300)
@given(
    scans=_rounds(),
    measured=st.integers(0, 3000),
    late=st.one_of(st.integers(0, 60), st.integers(0, 4000)),
    ahead=st.one_of(st.integers(-20, 10), st.integers(-300, 10)),
    tells_time=st.booleans(),
    waited=st.sampled_from([0, 0, 30, 300]),
)
def test_whoever_was_measured_nobody_else_is_given_it(
    scans: list[tuple[int, str | None]],
    measured: int,
    late: int,
    ahead: int,
    tells_time: bool,
    waited: int,
) -> None:
    """Carers scan, then measure. What tells a time may come as late as it likes, by a clock that is slow or
    strays; what tells none comes within a minute."""
    ward = Ward()
    truth = None
    for at, resident in scans:
        if resident is None:
            ward.scan_nobodys(at)
        else:
            ward.scan(resident, at)
        if at <= measured:
            truth = resident
    lateness = late if tells_time else min(late, 60)
    received = measured + lateness
    age = float(lateness) if tells_time else None
    given_to = ward.owner(received, age=age, ahead=ahead, stamped=received + waited)
    assert given_to in (truth, None)


@settings(max_examples=200)
@given(scans=_rounds(), into=st.integers(0, 700), indicated_after=st.integers(0, 5), tells_time=st.booleans())
def test_what_is_measured_as_it_should_be_is_the_residents(
    scans: list[tuple[int, str | None]], into: int, indicated_after: int, tells_time: bool
) -> None:
    ward = Ward()
    for at, resident in scans:
        if resident is None:
            ward.scan_nobodys(at)
        else:
            ward.scan(resident, at)
    ward.scan("R-1", scans[-1][0] + 1000)
    received = scans[-1][0] + 1000 + into
    given_to = ward.owner(received, age=indicated_after if tells_time else None)
    theirs = into < 600 and (into - indicated_after >= 10 if tells_time else into >= 60)
    assert given_to == ("R-1" if theirs else None)


# --- a clock that was read


def test_what_a_meter_kept_by_a_clock_that_was_fast_is_nobodys_though_it_is_set_now(ward: Ward) -> None:
    """Anna was measured half an hour ago by a clock that is half an hour fast: that says "now", when it is
    Bert's turn."""
    ward.scan("R-2", 0)
    assert ward.owner(70, age=2, number=7) == "R-2", "by a clock that is right"
    ahead = timedelta(minutes=30)
    ward.attribution.learned(CUFF, DeviceInformation(clock_ahead=ahead), ward.moment(69).stamp)
    assert ward.owner(70, age=ahead.total_seconds() + 2, ahead=ahead.total_seconds(), number=7) is None
    assert ward.owner(80, age=2, number=8) is None
    ward.scan("R-2", 2 * 3600)
    assert ward.owner(2 * 3600 + 60, age=2, number=9) == "R-2", "what it kept was told by then"


@pytest.mark.parametrize("ahead", [None, timedelta(seconds=10), -timedelta(days=1)])
def test_a_clock_that_was_not_ahead_takes_nothing_away(ward: Ward, ahead: timedelta | None) -> None:
    ward.scan("R-2", 0)
    ward.attribution.learned(CUFF, DeviceInformation(clock_ahead=ahead), ward.moment(60).stamp)
    assert ward.owner(70, age=2, number=7) == "R-2"


# --- handed on


def test_what_was_received_before_a_sensor_was_handed_on_is_not_the_next_ones(ward: Ward) -> None:
    """It waited for a card that was full, and whose it is is asked when it is stored."""
    assert ward.owner(0, PERSONAL) == "R-1"
    ward.register.forget(PERSONAL)
    ward.register.enrol(Sensor(address=PERSONAL, driver="blood_pressure", resident="R-2"), ward.moment(5).at)
    assert ward.owner(0, PERSONAL) is None
    assert ward.owner(5, PERSONAL) == "R-2"


def test_a_clock_that_was_set_back_after_that_does_not_keep_alerts_from_coming(ward: Ward) -> None:
    ward.register.enrol(Sensor(address=PERSONAL, driver="blood_pressure", resident="R-1"), ward.moment(0).at)
    ward.wall_ahead = -timedelta(days=1)
    assert ward.owner(10, PERSONAL) == "R-1"
