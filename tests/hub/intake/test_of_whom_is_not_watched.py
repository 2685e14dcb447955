"""Of whom nothing may be taken, nothing is: no reading is theirs, none is scored, no alert is raised."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import pytest

from hub.clock import Step, StepKind
from hub.configuration.file import Resident
from hub.residents.care import Care, Consent, Whereabouts
from hub.residents.register import NotWatchedError
from hub.store.transaction import Transaction
from hub.trail import Moment
from tests.rigs.house import ILL, SHARED, WELL, House, cuff, entry, oximeter

AWAY = [Care(whereabouts=Whereabouts.IN_HOSPITAL), Care(consent=Consent.WITHDRAWN)]
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def leaves(house: House, care: Care, since: datetime | None = None) -> None:
    house.register.list_resident(house.register.resident(ILL), care, since)


@pytest.mark.parametrize("care", AWAY)
def test_their_own_cuff_is_nobodys_while_they_are_away(house: House, noon: datetime, care: Care) -> None:
    leaves(house, care)
    assert house.take(cuff(70, noon)).resident is None
    assert (house.alerts(), house.assessments()) == ([], [])
    assert house.count("reading") == 1, "it is kept, and waits for a person"
    leaves(house, Care())
    assert house.take(cuff(71, noon + MINUTE)).resident == ILL
    assert len(house.open_alerts()) == 1, "it is their being away that made it nobody's"


def test_what_their_cuff_kept_of_others_is_not_theirs_when_they_are_back(
    house: House, noon: datetime
) -> None:
    leaves(house, Care(), noon)
    assert house.take(cuff(70, noon + MINUTE, measured=noon - HOUR)).resident is None
    assert house.alerts() == []
    assert house.take(cuff(71, noon + 2 * MINUTE, measured=noon + MINUTE)).resident == ILL


def test_what_was_received_just_before_they_were_back_is_not_theirs(house: House, noon: datetime) -> None:
    """It waited for a card that was full."""
    leaves(house, Care(), noon)
    assert house.take(cuff(70, noon - MINUTE)).resident is None


@pytest.mark.parametrize("care", AWAY)
def test_nobody_can_enter_anything_of_them(house: House, noon: datetime, care: Care) -> None:
    leaves(house, care)
    with pytest.raises(NotWatchedError, match=ILL):
        house.take(entry(noon), resident=ILL)
    assert house.count("reading") == 0


@pytest.mark.parametrize("care", AWAY)
def test_in_a_round_that_is_still_open_nothing_is_theirs(house: House, noon: datetime, care: Care) -> None:
    moment = Moment(noon, house.clock.stamp())
    house.rounds.open(None, ILL, "USB:0C2E:0204:S1", moment)
    settled = house.config.rounds.settle + MINUTE
    at = noon + settled
    reading = oximeter(80, at, device=SHARED)
    stamp = moment.stamp
    later = type(stamp)(stamp.boot, stamp.since_boot + settled, stamp.quality)
    assert house.intake.attribution.owner(reading, later) == house.register.resident(ILL)
    leaves(house, care)
    assert house.intake.attribution.owner(reading, later) is None


def test_they_are_not_assessed_anew_when_the_clock_is_set(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An alert of somebody who has died would call people to an empty room."""
    asked: list[str] = []

    def note(_transaction: Transaction, resident: Resident, _boot: uuid.UUID) -> bool:
        asked.append(resident.id)
        return False

    monkeypatch.setattr(house.intake.assessing, "assess_anew", note)
    leaves(house, Care(whereabouts=Whereabouts.DECEASED))
    step = Step(StepKind.FIRST_SET, house.clock.stamp(), timedelta(0), HOUR)
    with house.transaction() as transaction:
        house.intake._first_set(transaction, step)
    assert asked == [WELL]
