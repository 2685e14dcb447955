"""What is read out on the telephone: what is known, in the order in which it is asked for, and what is
not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hub.alerts.concern import Concern, SoftSign
from hub.alerts.life import Alert
from hub.assessment.news2 import PARAMETERS, Band, News2, OxygenScale, score
from hub.configuration.file import Resident, Rung
from hub.overview.hand_over import Act, Known, Observed, hand_over, value_in_words
from hub.readings import Breathing, Consciousness, Value, Vital
from hub.residents.care import Care, Normal
from tests.rigs.assessments import raised

NOW = datetime(2026, 7, 1, 3, 20, tzinfo=UTC)  # 04:20 in the home
LONDON = ZoneInfo("Europe/London")
HOUR = timedelta(hours=1)
EDITH = Resident(id="R-0412", name="Edith Quincey", room="4", birth_year=1938)
WELL: dict[Vital, Value] = {
    Vital.RESPIRATION_RATE: 16.0,
    Vital.OXYGEN_SATURATION: 97.0,
    Vital.SUPPLEMENTAL_OXYGEN: Breathing.AIR,
    Vital.SYSTOLIC_PRESSURE: 130.0,
    Vital.PULSE_RATE: 72.0,
    Vital.CONSCIOUSNESS: Consciousness.ALERT,
    Vital.TEMPERATURE: 36.6,
}
ILL: dict[Vital, Value] = {**WELL, Vital.RESPIRATION_RATE: 24.0, Vital.OXYGEN_SATURATION: 91.0}
LADDER = (
    Rung(after=timedelta(minutes=5), tell="senior carer"),
    Rung(after=timedelta(minutes=10), tell="999"),
)


def observed(values: dict[Vital, Value], before: timedelta) -> Observed:
    return Observed(NOW - before, values, score(values, OxygenScale.SCALE_1))


def an_alert(values: dict[Vital, Value]) -> Alert:
    found = score(values, OxygenScale.SCALE_1)
    alert = raised(dict(found.sub_scores))
    return replace(alert, news2=found, band=found.band, raised_at=NOW - timedelta(minutes=12))


def of_concern(**said: object) -> Alert:
    nothing = News2(OxygenScale.SCALE_1, {}, PARAMETERS)
    concern = replace(Concern(NOW - timedelta(minutes=9)), **said)  # type: ignore[arg-type]
    return replace(an_alert(ILL), news2=nothing, band=Band.ZERO, contributing=frozenset(), concern=concern)


KNOWN = Known(
    alert=an_alert(ILL),
    resident=EDITH,
    care=Care(),
    now=NOW,
    zone=LONDON,
    sets=(observed(WELL, 30 * HOUR), observed(WELL, 8 * HOUR), observed(ILL, timedelta(minutes=12))),
    ladder=LADDER,
    by="Asha",
)


def test_the_situation_is_who_and_what_in_two_sentences() -> None:
    assert hand_over(KNOWN).situation.splitlines() == [
        "This is Asha. I am calling about Edith Quincey, room 4, born 1938.",
        "An alert was raised at 04:08: NEWS2 5 (medium): oxygen saturation 3, respiration rate 2.",
        "Nobody has taken the alert on the hub yet.",
    ]


def test_a_concern_comes_first_in_the_words_of_whoever_has_it() -> None:
    alert = of_concern(signs=(SoftSign.OFF_LEGS,), words="she will not drink", by="Tola")
    said = hand_over(replace(KNOWN, alert=alert))
    assert said.situation.splitlines()[1:3] == [
        "A concern was raised by Tola at 04:11: off legs.",
        'In their words: "she will not drink"',
    ]
    assert "NEWS2" not in said.situation, "no score raised it"
    assert said.recommendation.startswith("Concern counts whatever the score")
    assert "For this score" not in said.recommendation


def test_a_concern_that_was_settled_is_none_any_more() -> None:
    settled = replace(an_alert(ILL), concern=Concern(NOW - HOUR, words="pale", settled_at=NOW))
    told = hand_over(replace(KNOWN, alert=settled)).as_text()
    assert "concern" not in told.casefold()


def test_what_is_not_known_of_somebody_is_said_and_no_no() -> None:
    said = hand_over(replace(KNOWN, resident=Resident(id="R-0412"))).as_text()
    assert "a resident known here as R-0412, year of birth not known to the hub" in said
    assert "What is normal for this person was not entered." in said
    assert "look in their records before you say that there is none" in said
    assert "Illnesses, medicines and allergies are not known to the hub" in said


def test_what_was_agreed_on_and_what_is_normal_for_them_is_background() -> None:
    care = Care(
        escalation_plan="ReSPECT: not for hospital",
        reviewed=date(2026, 5, 2),
        normals={Vital.OXYGEN_SATURATION: Normal(lowest=94, highest=97)},
    )
    said = hand_over(replace(KNOWN, care=care))
    assert "Agreed on beforehand (last reviewed 2 May 2026): ReSPECT: not for hospital" in said.background
    assert "Normal for this person: oxygen saturation 94 to 97 %." in said.background
    assert "Not as usual for this person: oxygen saturation is below their normal." in said.assessment
    assert "Act within what was agreed on beforehand" in said.recommendation


def test_a_plan_without_a_date_says_so() -> None:
    said = hand_over(replace(KNOWN, care=Care(escalation_plan="DNACPR")))
    assert "Agreed on beforehand (review date not known): DNACPR" in said.background


def test_the_lower_target_is_told_with_who_prescribed_it() -> None:
    on_2 = Resident(id="R-0412", oxygen_scale=OxygenScale.SCALE_2, oxygen_scale_prescriber="Dr Hale")
    said = hand_over(replace(KNOWN, resident=on_2)).background
    assert "scale 2: the prescribed target is 88 to 92 % (prescribed by Dr Hale)" in said
    assert "scale 1, the usual one" in hand_over(KNOWN).background


def test_the_assessment_is_what_is_now_what_changed_and_the_course() -> None:
    said = hand_over(KNOWN).assessment.splitlines()
    assert said[0].startswith("Newest observations, 04:08 (12 min ago): NEWS2 5 (medium)")
    assert "respiration rate 24 a minute" in said[1]
    assert "breathing air" in said[1]
    assert said[2] == (
        "Changed since 20:20 yesterday (NEWS2 then 0): respiration rate from 16 a minute to 24 a minute;"
        " oxygen saturation from 97 % to 91 %."
    )
    assert said[3] == "NEWS2 in order of time: 0 (20:20 yesterday), 5 (04:08)."


def test_what_was_not_measured_is_named_and_the_score_is_the_least() -> None:
    partial: dict[Vital, Value] = {Vital.OXYGEN_SATURATION: 91.0}
    known = replace(KNOWN, sets=(observed(partial, timedelta(0)),), questionable={Vital.OXYGEN_SATURATION})
    said = hand_over(known).assessment
    assert "NEWS2 at least 3" in said
    assert "oxygen saturation 91 % (its sensor doubted it)" in said
    assert "Not known: respiration rate, supplemental oxygen" in said
    assert "There are no complete observations before these to compare them with." in said


def test_half_a_set_does_not_hide_what_was_bad_before_it() -> None:
    pulse: dict[Vital, Value] = {Vital.PULSE_RATE: 72.0}
    sets = (observed(WELL, 30 * HOUR), observed(ILL, 2 * HOUR), observed(pulse, timedelta(minutes=2)))
    told = hand_over(replace(KNOWN, sets=sets)).assessment
    assert "oxygen saturation 91 % at 02:20" in told
    assert "pulse rate 72" not in told.split("Last known")[1].split("\n")[0]
    old = hand_over(replace(KNOWN, sets=(observed(ILL, 25 * HOUR), sets[-1]))).assessment
    assert "Last known" not in old


def test_a_partial_score_in_the_course_is_no_number_of_its_own() -> None:
    partial: dict[Vital, Value] = {Vital.OXYGEN_SATURATION: 93.0}
    known = replace(KNOWN, sets=(observed(WELL, HOUR), observed(partial, timedelta(0))))
    assert "NEWS2 in order of time: 0 (03:20), at least 2 (04:20)." in hand_over(known).assessment


def test_half_a_round_is_no_course() -> None:
    half: dict[Vital, Value] = {Vital.OXYGEN_SATURATION: 91.0}
    sets = (observed(WELL, 5 * HOUR), observed(half, 2 * timedelta(minutes=1)), observed(ILL, timedelta(0)))
    said = hand_over(replace(KNOWN, sets=sets)).assessment
    assert "NEWS2 in order of time: 0 (23:20 yesterday), 5 (04:20)." in said


def test_what_is_compared_is_an_hour_old_at_the_least_where_there_is_such_a_set() -> None:
    """A round of single readings makes several sets in a few minutes, the first of which says nothing of
    change."""
    minutes = timedelta(minutes=1)
    sets = (observed(WELL, 5 * HOUR), observed(ILL, 3 * minutes), observed(ILL, 2 * minutes))
    assert "Changed since 23:20 yesterday" in hand_over(replace(KNOWN, sets=sets)).assessment
    assert "Changed since 04:17 (NEWS2 then 5): no value that is known at both times" in (
        hand_over(replace(KNOWN, sets=sets[1:])).assessment
    )


def test_without_any_observation_that_is_said() -> None:
    said = hand_over(replace(KNOWN, sets=()))
    assert "No observations are known. Measure now, if that delays no help." in said.assessment


def test_what_a_clock_that_was_ahead_has_told_is_left_out() -> None:
    ahead = Observed(NOW + HOUR, WELL, score(WELL, OxygenScale.SCALE_1))
    assert hand_over(replace(KNOWN, sets=(*KNOWN.sets, ahead))).assessment == hand_over(KNOWN).assessment


def test_a_time_that_is_doubtful_is_marked() -> None:
    doubtful = replace(KNOWN.alert, doubtful_time=frozenset({Vital.PULSE_RATE}))
    assert (
        "its sensor's clock may be wrong: pulse rate" in hand_over(replace(KNOWN, alert=doubtful)).assessment
    )


def test_what_is_recommended_is_the_charts_and_the_homes_own() -> None:
    said = hand_over(KNOWN).recommendation
    assert "For this score NEWS2 asks for: urgent assessment; observe at least every hour." in said
    assert "this home tells: senior carer after 5 min, then 999 after 10 min." in said
    assert "If you think that this is an emergency, ring 999 first." in said
    assert "ladder for such an alert is not known" in hand_over(replace(KNOWN, ladder=())).recommendation


def test_what_was_done_stands_before_what_is_to_be_written_down() -> None:
    done = (Act(NOW - 2 * HOUR, "taken by Asha"),)
    assert hand_over(replace(KNOWN, acts=done)).decision.splitlines()[:2] == [
        "Done so far:", "02:20: taken by Asha",
    ]  # fmt: skip
    assert hand_over(KNOWN).decision.startswith("Nothing is noted as done so far.")


@pytest.mark.parametrize(
    ("vital", "value", "words"),
    [
        (Vital.TEMPERATURE, 38.0, "38.0 °C"),
        (Vital.PULSE_RATE, 61.0, "61 a minute"),
        (Vital.SYSTOLIC_PRESSURE, 128.0, "128 mmHg"),
        (Vital.CONSCIOUSNESS, Consciousness.NEW_CONFUSION, "newly confused"),
        (Vital.SUPPLEMENTAL_OXYGEN, Breathing.OXYGEN, "given oxygen"),
        (Vital.GLUCOSE, float("-inf"), "less than the sensor can say"),
    ],
)
def test_values_are_told_as_they_are_read_out(vital: Vital, value: Value, words: str) -> None:
    assert value_in_words(vital, value) == words


def test_it_is_one_text_to_be_copied() -> None:
    text = hand_over(KNOWN).as_text()
    headings = [line for line in text.splitlines() if line.isupper()]
    assert headings == ["SITUATION", "BACKGROUND", "ASSESSMENT", "RECOMMENDATION", "DECISION"]
