"""The wire contract: which channel goes first, the hub's status, and acknowledgements as they must be."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.assessment.deterioration import Risk
from hub.assessment.reason import Reason
from hub.readings import Vital
from hub.uplink.cloudevents import Event, from_json, to_json
from hub.uplink.contract import (
    Acknowledgement,
    Channel,
    ContractError,
    Identity,
    acknowledgement_event,
    acknowledgement_of,
    risk_data,
    status_event,
)

MINUTE = timedelta(minutes=1)
IDENTITY = Identity("rose-house", "hub-1", True)
ALERT = uuid.UUID("5b0c4c52-4d5c-5b43-8a59-2f3a1d1f6c11")
NOW = datetime.fromisoformat("2026-03-01T12:00:00Z")


def test_an_alert_goes_before_all_else() -> None:
    assert sorted(Channel, key=lambda channel: channel.priority)[:2] == [Channel.ALERT, Channel.STATUS]
    assert IDENTITY.topic(Channel.ALERT) == "careport/v1/rose-house/hub-1/alert"


def test_the_models_risk_is_always_named_with_its_model_and_marked_as_a_shadow() -> None:
    said = risk_data(Risk(0.123456, "deterioration", "1", "abc", ("age",), ()))
    assert said == {
        "probability": 0.1235, "model": "deterioration", "version": "1", "sha256_prefix": "abc",
        "missing": ["age"], "out_of_range": [], "mode": "shadow", "uncalibrated": None, "reasons": None,
    }  # fmt: skip


def test_a_risk_is_told_with_the_words_of_its_reasons_and_the_models_own_where_it_was_recalibrated() -> None:
    reason = Reason(Vital.PULSE_RATE, 118.0, 76.0, usual=True, moved=0.5)
    said = risk_data(Risk(0.1, "m", "1", "abc", (), (), 0.24689, (reason,)))
    assert said is not None
    assert said["uncalibrated"] == 0.2469
    assert said["reasons"] == ["pulse faster than usual (118 a minute, usually 76)"]


def test_a_status_says_who_and_how(noon: datetime) -> None:
    event = status_event(IDENTITY, "online", noon, {"version": "1"})
    assert event.data == {
        "site": "rose-house", "hub": "hub-1", "state": "online", "test_data": True, "version": "1",
    }  # fmt: skip


# --- acknowledgements


def acknowledging(**data: Any) -> Event:
    event = acknowledgement_event("uk.example.ics", ALERT, "the desk", NOW)
    return replace(event, data={**event.data, **data})


def test_an_acknowledgement_comes_back_as_it_was_sent() -> None:
    event = acknowledgement_event("uk.example.ics", ALERT, "the desk", NOW, "on my way")
    assert acknowledgement_of(from_json(to_json(event))) == Acknowledgement(
        alert=ALERT, by="the desk", note="on my way"
    )


def test_an_acknowledgement_sent_again_has_the_same_id() -> None:
    first, second = (acknowledgement_event("ics", ALERT, "desk", NOW + n * MINUTE) for n in (0, 1))
    assert first.id == second.id


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        ({"alert": "SECRET"}, "alert"),
        ({"alert": 5}, "alert"),
        ({"by": ""}, "by"),
        ({"by": None}, "by"),
        ({"by": "SECRET" * 100}, "by"),
        ({"by": ["SECRET"]}, "by"),
        ({"note": "SECRET" * 1000}, "note"),
        ({"SECRET": 1}, "a key that is not known"),
        ({"by": 1, "note": 2, "SECRET": 3}, "by, note, a key that is not known"),
    ],
)
def test_a_wrong_acknowledgement_is_refused_by_the_key_and_never_quoted(
    data: dict[str, Any], wrong: str
) -> None:
    with pytest.raises(ContractError, match=f"wrong in: {wrong}$") as refused:
        acknowledgement_of(acknowledging(**data))
    assert "SECRET" not in str(refused.value)


@pytest.mark.parametrize("key", ["alert", "by"])
def test_an_acknowledgement_that_lacks_a_key_is_refused(key: str) -> None:
    event = acknowledging()
    with pytest.raises(ContractError, match=key):
        acknowledgement_of(replace(event, data={k: v for k, v in event.data.items() if k != key}))


def test_an_event_of_another_type_is_no_acknowledgement() -> None:
    with pytest.raises(ContractError, match="another type"):
        acknowledgement_of(replace(acknowledging(), type="uk.careport.alert.raised.v1"))


THEIRS = st.text(min_size=7).map("\N{SNOWMAN}{}".format)
"""Words that a refusal cannot have but from what it refuses: hypothesis tries our own words, too."""

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | THEIRS,
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
ANYTHING = st.dictionaries(st.sampled_from(["alert", "by", "note"]) | THEIRS, JSON, max_size=4)


@given(ANYTHING)
def test_any_data_is_an_acknowledgement_or_refused_without_quoting_it(data: dict[str, Any]) -> None:
    said = None
    refusal = ""
    try:
        said = acknowledgement_of(replace(acknowledging(), data=data))
    except ContractError as error:
        refusal = str(error)
    assert "\N{SNOWMAN}" not in refusal
    assert (said is None) == bool(refusal)
    assert said is None or 1 <= len(said.by) <= 200


def test_control_characters_in_an_acknowledgement_never_reach_a_terminal(noon: datetime) -> None:
    event = acknowledgement_event("uk.example.ics", uuid.uuid4(), "desk\x1b[2J", noon, "on\nmy\x07way")
    said = acknowledgement_of(event)
    assert (said.by, said.note) == ("desk [2J", "on my way")
