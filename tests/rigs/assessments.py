"""Assessments by the minute, and the decisions on them, for the tests of alerts."""

import uuid
from datetime import UTC, datetime, timedelta

from hub.alerts.answers import acknowledge
from hub.alerts.assessed import Assessed
from hub.alerts.life import Alert, AlertPolicy, Decision, Outcome, consider
from hub.assessment.news2 import PARAMETERS, Band, News2, OxygenScale
from hub.assessment.observation_set import Observation, ObservationSet
from hub.configuration.file import Rung
from hub.readings import Quality, Vital

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LADDER = (Rung(after=5 * MINUTE, tell="senior carer"), Rung(after=10 * MINUTE, tell="999"))
POLICY = AlertPolicy(
    from_band=Band.SINGLE_RED,
    resolve_after=30 * MINUTE,
    late=timedelta(hours=12),
    ladder={Band.SINGLE_RED: LADDER, Band.MEDIUM: LADDER, Band.HIGH: LADDER},
)

SATURATION, PULSE, MIND = Vital.OXYGEN_SATURATION, Vital.PULSE_RATE, Vital.CONSCIOUSNESS
RESPIRATION, PRESSURE = Vital.RESPIRATION_RATE, Vital.SYSTOLIC_PRESSURE
WELL = dict.fromkeys(PARAMETERS, 0)
RED = WELL | {SATURATION: 3}
MEDIUM = WELL | {SATURATION: 3, PULSE: 2}
HIGH = WELL | {SATURATION: 3, PULSE: 2, MIND: 3}


def assessed(
    points: dict[Vital, int],
    minute: float,
    *,
    measured: dict[Vital, float] | None = None,
    received: float | None = None,
    questionable: frozenset[Vital] = frozenset(),
    doubtful: frozenset[Vital] = frozenset(),
    considered: float | None = None,
) -> Assessed:
    """What was assessed so many minutes after noon; each vital measured then unless said otherwise."""
    at = NOON + minute * MINUTE
    observations = {
        vital: Observation(
            value=0.0,  # the score is given, so no test looks at the values
            measured_at=NOON + (measured or {}).get(vital, minute) * MINUTE,
            reading_id=uuid.UUID(int=0),
            quality=Quality.QUESTIONABLE if vital in questionable else Quality.GOOD,
            doubtful_time=vital in doubtful,
        )
        for vital in points
    }
    missing = tuple(vital for vital in PARAMETERS if vital not in points)
    return Assessed(
        resident="R-0412",
        observations=ObservationSet(at, observations),
        news2=News2(OxygenScale.SCALE_1, points, missing),
        received_at=at if received is None else NOON + received * MINUTE,
        considered_at=None if considered is None else NOON + considered * MINUTE,
    )


def without(points: dict[Vital, int], *vitals: Vital) -> dict[Vital, int]:
    return {vital: each for vital, each in points.items() if vital not in vitals}


def considered(alert: Alert | None, *assessments: Assessed, policy: AlertPolicy = POLICY) -> Decision:
    """The decision on the last of these, each considered after the other."""
    decision = Decision(Outcome.NOTHING, alert)
    for each in assessments:
        decision = consider(alert, each, policy, uuid.uuid4)
        alert = decision.raised or decision.existing
        if alert is not None and not alert.open:
            alert = None
    return decision


def raised(points: dict[Vital, int], minute: float = 0) -> Alert:
    alert = considered(None, assessed(points, minute)).raised
    assert alert is not None
    return alert


def seen(alert: Alert) -> Alert:
    return acknowledge(alert, "carer-7", NOON, "cli").alert


def existing(decision: Decision) -> Alert:
    assert decision.existing is not None
    return decision.existing
