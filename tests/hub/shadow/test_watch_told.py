"""What was found of the model is told: with each observation, in summary and status, and by the doctor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from hub.assessment.budget import Basis, Threshold
from hub.assessment.drift import InputDrift
from hub.clock import ClockQuality, now
from hub.configuration.file import Config
from hub.doctor.findings import Verdict
from hub.doctor.models import inputs
from hub.sensors.enrolment import Enrolment
from hub.shadow.record import AlertBudget
from hub.shadow.watch import ModelWatch, Watched
from hub.store.writer import Writer
from hub.telling.status import HubStatus
from hub.telling.summaries import read
from hub.telling.summary import AlertsSummary, HubState, HubSummary, Period, ShadowSummary
from hub.uplink.forwarder import Presence
from hub.uplink.heard import hub_summary_heard
from hub.uplink.hub_summary import hub_summary_event
from hub.uplink.link import LinkStatus
from tests.rigs.contract import event_faults
from tests.rigs.fhir_samples import LIVE, NOON
from tests.rigs.house import House, oximeter
from tests.rigs.made_up_model import MODEL_NAME, made_up_model

HOUR = timedelta(hours=1)
AGE = InputDrift("age", 300, 0, 0, index=4.0, own=0.01, missing_in_training=0.0)
PULSE = InputDrift("pulse_rate", 300, 9, 1, index=0.05, own=0.6, missing_in_training=0.1)
FOUND = Watched(
    MODEL_NAME, datetime(2026, 3, 1, tzinfo=UTC), 3.0, Threshold(0.4, Basis.HISTORY, 3, 120, 20), (AGE,), ()
)
CHANGED = replace(FOUND, inputs=(AGE, PULSE))
PERIOD = Period(NOON - 12 * HOUR, NOON)
STATE = HubState(9, 1, {}, "12:" + "ab" * 32, ClockQuality.SYNCHRONISED)
SUMMARY = HubSummary(PERIOD, 100, 3, 1, (), AlertsSummary(), 2, (), STATE)
LINK = LinkStatus(True, NOON, "connected to the broker", None)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, model=made_up_model(), budget=AlertBudget(0.5))
    yield house
    house.connection.close()


def keep(house: House, found: Watched) -> None:
    with house.transaction() as transaction:
        transaction.set_fact("model watch", found.to_json())


@pytest.mark.parametrize(("pulse", "said"), [(120, True), (70, False)])
def test_an_observation_says_whether_the_model_would_have_alerted(
    house: House, pulse: float, said: bool
) -> None:
    house.take(oximeter(97, now(), pulse=pulse))
    (event,) = house.events("observation")
    assert event_faults(event) == []
    (heard,) = house.told_observations()
    assert heard.risk is not None
    assert heard.risk.would_alert is said
    assert not house.alerts() or pulse > 110


def test_without_a_threshold_an_observation_says_nothing_of_it(tmp_path: Path) -> None:
    house = House(tmp_path, model=made_up_model())
    house.take(oximeter(97, now(), pulse=120))
    (heard,) = house.told_observations()
    assert heard.risk is not None
    assert heard.risk.would_alert is None
    house.connection.close()


def test_the_hubs_summary_is_told_with_its_shadow_and_heard_so() -> None:
    state = replace(STATE, inputs_differ=("age",), inputs_changed=())
    event = hub_summary_event(LIVE, replace(SUMMARY, state=state, shadow=ShadowSummary(40, 3, 2, 1)), LINK)
    assert event_faults(event) == []
    heard = hub_summary_heard(event)
    assert heard.shadow is not None
    assert heard.shadow.data() == {"scored": 40, "would_alert": 3, "news2_alerts": 2, "coincided": 1}
    assert heard.inputs is not None
    assert (heard.inputs.differ, heard.inputs.changed) == (["age"], [])


def test_a_hub_without_a_model_tells_no_shadow() -> None:
    event = hub_summary_event(LIVE, SUMMARY, LINK)
    assert event_faults(event) == []
    assert not {"shadow", "inputs"} & event.data.keys()


def test_what_was_found_is_in_the_next_summary(house: House, noon: datetime) -> None:
    keep(house, CHANGED)
    house.take(oximeter(97, noon))
    hub, _ = read(house.connection, house.config, Period(noon, noon + HOUR))
    assert (hub.state.inputs_differ, hub.state.inputs_changed) == (("age",), ("pulse_rate",))


async def test_the_status_tells_whether_inputs_differ_once_they_were_looked_at(house: House) -> None:
    async with Writer(house.path) as writer:
        enrolment = await Enrolment.load(house.config, writer)
        watch = cast(ModelWatch, type("Watching", (), {"last": None})())
        status = HubStatus(house.config, None, enrolment, None, lambda: None, watch=watch)
        assert "inputs" not in status.event(Presence.ONLINE).data
        before = status._changing()
        watch.last = CHANGED
        assert status._changing() != before, "it is told anew"
        event = status.event(Presence.ONLINE)
        assert event_faults(event) == []
        assert event.data["inputs"] == {"differ": ["age"], "changed": ["pulse_rate"]}
        assert "inputs" not in status.event(Presence.OFFLINE).data


def doctor(house: House, mode: str = "shadow") -> dict[str, tuple[Verdict, str]]:
    config: Config = house.config.model_copy(
        update={"model": house.config.model.model_copy(update={"mode": mode})}
    )
    return {each.part: (each.verdict, each.told) for each in inputs(config)}


def test_the_doctor_says_that_a_home_differs_and_warns_only_where_it_has_changed(house: House) -> None:
    assert doctor(house) == {}
    keep(house, FOUND)
    found = doctor(house)
    assert found["model's inputs"] == (Verdict.PASS, "inputs differ from training: age")
    assert found["alert budget"][0] is Verdict.PASS
    assert "by the risks of this home" in found["alert budget"][1]
    keep(house, CHANGED)
    verdict, words = doctor(house)["model's inputs"]
    assert verdict is Verdict.WARN
    assert words.startswith(
        "changed since this home's first month: pulse rate; inputs differ from training: age"
    )
    assert "carehub model show" in words
    assert doctor(house, mode="off") == {}
