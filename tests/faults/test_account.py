"""The suite's own judgement: it must find each kind of fault, or its table means nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import monotonic

from hypothesis import given
from hypothesis import strategies as st

from tests.faults.account import Account, Judgement, judge
from tests.faults.system import RAISED, READING, Heard
from tests.faults.ward import BATCH, Payload, Ward

_BATCH = Ward().batch()
_SOME = st.integers(1, 5)


def _fed() -> tuple[Account, list[Payload]]:
    account, batch = Account(), _BATCH
    account.offer(batch)
    account.confirm(batch)
    return account, batch


def _told(payloads: Sequence[Payload]) -> list[Heard]:
    """What a faithful system tells of payloads."""
    readings = [Heard(("hub", f"reading-{each.number}"), READING, each.names[0]) for each in payloads]
    alerts = [
        Heard(("hub", f"alert-{each.number}"), RAISED, each.names[1], f"alert-{each.number}")
        for each in payloads
        if each.alerts
    ]
    return [*readings, *alerts]


def _judged(account: Account, heard: Sequence[Heard]) -> Judgement:
    for item in heard:
        account.arrive(item)
    return judge(account)


def test_what_all_arrived_has_no_fault() -> None:
    account, batch = _fed()
    judgement = _judged(account, _told(batch))
    assert (judgement.confirmed, judgement.alerts, judgement.faults) == (BATCH, 2, "")


def test_a_reading_that_never_arrived_is_lost() -> None:
    account, batch = _fed()
    assert _judged(account, _told(batch)[1:]).lost_readings == 1


def test_an_alert_that_never_arrived_is_lost_though_its_reading_did_arrive() -> None:
    account, batch = _fed()
    judgement = _judged(account, _told(batch)[:-1])
    assert (judgement.lost_readings, judgement.lost_alerts) == (0, 1)


def test_what_was_being_handed_over_when_the_power_went_is_not_confirmed() -> None:
    account, batch = Account(), _BATCH
    account.offer(batch)
    began = monotonic()
    with account.power_goes():
        account.confirm(batch[:1], began)
        account.confirm(batch[1:2], monotonic())
    account.confirm(batch[2:3], began)
    judgement = _judged(account, [])
    assert (judgement.confirmed, judgement.faults) == (0, "")


def test_what_was_confirmed_before_the_power_went_or_handed_over_since_must_arrive() -> None:
    account, batch = Account(), _BATCH
    account.offer(batch)
    account.confirm(batch[:1], monotonic())
    with account.power_goes():
        pass
    account.confirm(batch[1:2], monotonic())
    assert _judged(account, []).lost_readings == 2


def test_what_was_offered_and_not_confirmed_may_be_missing() -> None:
    account = Account()
    account.offer(Ward().batch())
    assert _judged(account, []).faults == ""


def test_the_same_event_again_is_a_harmless_duplicate() -> None:
    account, batch = _fed()
    told = _told(batch)
    judgement = _judged(account, [*told, told[3]])
    assert (judgement.duplicates, judgement.faults) == (1, "")


def test_the_same_reading_under_another_identity_is_counted_twice() -> None:
    account, batch = _fed()
    again = Heard(("hub", "another"), READING, batch[3].names[0])
    assert _judged(account, [*_told(batch), again]).doubles == 1


def test_what_was_never_fed_is_a_stranger() -> None:
    account, batch = _fed()
    stranger = Heard(("hub", "x"), READING, "C4:F2:17:00:00:00/00")
    assert _judged(account, [*_told(batch), stranger]).strangers == 1


def test_an_alert_of_a_healthy_reading_is_a_stranger() -> None:
    account, batch = _fed()
    healthy = next(each for each in batch if not each.alerts)
    alert = Heard(("hub", "x"), RAISED, healthy.names[0], "x")
    assert _judged(account, [*_told(batch), alert]).strangers == 1


def test_an_alert_told_to_be_over_before_it_was_raised_is_out_of_order() -> None:
    account, batch = _fed()
    told = _told(batch)
    over = Heard(("hub", "over"), "resolved", told[-1].reading, told[-1].alert)
    assert _judged(account, [over, *told]).disorder == 1


def test_a_worse_alert_before_the_first_one_is_out_of_order() -> None:
    account, batch = _fed()
    told = _told(batch)
    assert _judged(account, [*told[:-2], told[-1], told[-2]]).disorder == 1


@st.composite
def _deliveries(draw: st.DrawFn) -> list[Heard]:
    """All that a faithful system tells, in any order, any of it any number of times."""
    return draw(st.permutations([*_TOLD, *draw(st.lists(st.sampled_from(_TOLD), max_size=10))]))


_TOLD = _told(_BATCH)
_READINGS = [item for item in _TOLD if item.kind == READING]
_some_readings = st.lists(st.sampled_from(_READINGS), min_size=1, max_size=5, unique=True)


@given(_deliveries())
def test_no_order_and_no_repetition_is_a_fault(heard: Sequence[Heard]) -> None:
    account, _ = _fed()
    judgement = _judged(account, heard)
    assert (judgement.faults, judgement.duplicates) == ("", len(heard) - len(_TOLD))


@given(_deliveries(), st.lists(st.sampled_from(_TOLD), min_size=1, max_size=5, unique=True))
def test_every_loss_is_counted(heard: Sequence[Heard], lost: Sequence[Heard]) -> None:
    account, _ = _fed()
    judgement = _judged(account, [item for item in heard if item not in lost])
    readings = sum(item.kind == READING for item in lost)
    assert (judgement.lost_readings, judgement.lost_alerts) == (readings, len(lost) - readings)
    assert "lost" in judgement.faults


@given(_deliveries(), _SOME)
def test_every_phantom_is_counted(heard: Sequence[Heard], phantoms: int) -> None:
    account, _ = _fed()
    invented = [Heard(("hub", f"x{each}"), READING, f"C4:F2:17:00:00:00/{each}") for each in range(phantoms)]
    judgement = _judged(account, [*heard, *invented])
    assert judgement.strangers == phantoms
    assert "never fed" in judgement.faults


@given(_deliveries(), _some_readings)
def test_every_id_that_changed_between_two_deliveries_is_counted(
    heard: Sequence[Heard], again: Sequence[Heard]
) -> None:
    account, _ = _fed()
    changed = [replace(item, identity=(*item.identity, "again")) for item in again]
    judgement = _judged(account, [*heard, *changed])
    assert judgement.doubles == len(again)
    assert "not to be recognised by id" in judgement.faults


@given(st.permutations(_READINGS), st.lists(st.sampled_from(_READINGS), min_size=1, max_size=5))
def test_every_duplicate_that_nothing_tells_from_the_first_is_counted(
    first: Sequence[Heard], again: Sequence[Heard]
) -> None:
    account, _ = _fed()
    judgement = _judged(account, [replace(item, identity=()) for item in (*first, *again)])
    assert (judgement.doubles, judgement.duplicates) == (len(again), 0)
    assert "not to be recognised by id" in judgement.faults


@given(_some_readings)
def test_every_reading_that_came_under_the_id_of_another_is_counted(taken: Sequence[Heard]) -> None:
    """All arrive, and yet a receiver that goes by the id keeps one of them."""
    account, _ = _fed()
    alert = _TOLD[-1]
    judgement = _judged(
        account, [replace(item, identity=alert.identity) if item in taken else item for item in _TOLD]
    )
    assert (judgement.clashes, judgement.duplicates, judgement.lost_readings) == (len(taken), 0, 0)
    assert "id of another" in judgement.faults
