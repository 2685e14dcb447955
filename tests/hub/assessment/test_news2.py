"""NEWS2 against the chart itself, against two independent implementations, and against its own promises."""

import itertools
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.assessment.news2 import PARAMETERS, Band, News2, OxygenScale, score
from hub.readings import Breathing, Consciousness, Value, Vital
from tests.hub.assessment.chart import SATURATION_CELLS, TENTHS_OF_A_DEGREE_CELLS, WHOLE_NUMBER_CELLS
from tests.hub.assessment.oracles import CLINCALC_BAND, VITALSCORE_RISK, by_clincalc, by_vitalscore

WELL: dict[Vital, Value] = {
    Vital.RESPIRATION_RATE: 16.0,
    Vital.OXYGEN_SATURATION: 97.0,
    Vital.SUPPLEMENTAL_OXYGEN: Breathing.AIR,
    Vital.SYSTOLIC_PRESSURE: 120.0,
    Vital.PULSE_RATE: 70.0,
    Vital.CONSCIOUSNESS: Consciousness.ALERT,
    Vital.TEMPERATURE: 37.0,
}


def filled(cells: list[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """Every value of the cells with its points."""
    return [(value, points) for first, last, points in cells for value in range(first, last + 1)]


@pytest.mark.parametrize("vital", WHOLE_NUMBER_CELLS)
def test_every_whole_number_scores_what_its_cell_of_the_chart_says(vital: Vital) -> None:
    for value, points in filled(WHOLE_NUMBER_CELLS[vital]):
        assert score({vital: float(value)}, OxygenScale.SCALE_1).sub_scores == {vital: points}, value


def test_every_tenth_of_a_degree_scores_what_its_cell_of_the_chart_says() -> None:
    for tenths, points in filled(TENTHS_OF_A_DEGREE_CELLS):
        news2 = score({Vital.TEMPERATURE: float(Decimal(tenths) / 10)}, OxygenScale.SCALE_1)
        assert news2.sub_scores == {Vital.TEMPERATURE: points}, tenths


@pytest.mark.parametrize(("scale", "breathing"), SATURATION_CELLS)
def test_every_saturation_scores_what_its_cell_of_the_chart_says(scale: int, breathing: Breathing) -> None:
    for value, points in filled(SATURATION_CELLS[scale, breathing]):
        values: dict[Vital, Value] = {
            Vital.OXYGEN_SATURATION: float(value),
            Vital.SUPPLEMENTAL_OXYGEN: breathing,
        }
        news2 = score(values, OxygenScale(scale))
        assert news2.sub_scores[Vital.OXYGEN_SATURATION] == points, value


def test_oxygen_scores_2_and_air_0() -> None:
    for breathing, points in ((Breathing.AIR, 0), (Breathing.OXYGEN, 2)):
        news2 = score({Vital.SUPPLEMENTAL_OXYGEN: breathing}, OxygenScale.SCALE_1)
        assert news2.sub_scores == {Vital.SUPPLEMENTAL_OXYGEN: points}


@pytest.mark.parametrize(("code", "points"), [("A", 0), ("C", 3), ("V", 3), ("P", 3), ("U", 3)])
def test_everything_but_alert_scores_3(code: str, points: int) -> None:
    news2 = score({Vital.CONSCIOUSNESS: Consciousness(code)}, OxygenScale.SCALE_1)
    assert news2.sub_scores == {Vital.CONSCIOUSNESS: points}


def test_37_5_degrees_scores_0_whatever_uk_cores_example_bundle_says() -> None:
    assert score({Vital.TEMPERATURE: 37.5}, OxygenScale.SCALE_1).total == 0


# Both sides of every boundary, for the oracles.
BOUNDARIES: dict[Vital, list[Value]] = {
    Vital.RESPIRATION_RATE: [8.0, 9.0, 11.0, 12.0, 20.0, 21.0, 24.0, 25.0],
    Vital.OXYGEN_SATURATION: [float(value) for value in range(83, 98)],
    Vital.SUPPLEMENTAL_OXYGEN: list(Breathing),
    Vital.SYSTOLIC_PRESSURE: [90.0, 91.0, 100.0, 101.0, 110.0, 111.0, 219.0, 220.0],
    Vital.PULSE_RATE: [40.0, 41.0, 50.0, 51.0, 90.0, 91.0, 110.0, 111.0, 130.0, 131.0],
    Vital.CONSCIOUSNESS: list(Consciousness),
    Vital.TEMPERATURE: [35.0, 35.1, 36.0, 36.1, 38.0, 38.1, 39.0, 39.1],
}


@pytest.mark.parametrize("scale", OxygenScale)
@pytest.mark.parametrize("pair", list(itertools.combinations(PARAMETERS, 2)), ids="-".join)
def test_both_oracles_agree_on_every_pair_of_boundary_values(
    pair: tuple[Vital, Vital], scale: OxygenScale
) -> None:
    # Breathing is varied throughout, since scale 2 depends on it.
    varied = dict.fromkeys((*pair, Vital.SUPPLEMENTAL_OXYGEN))
    for boundary in itertools.product(*(BOUNDARIES[vital] for vital in varied)):
        values = WELL | dict(zip(varied, boundary, strict=True))
        news2 = score(values, scale)
        points = [news2.sub_scores[vital] for vital in PARAMETERS]
        assert (points, VITALSCORE_RISK[news2.band]) == by_vitalscore(values, scale), values
        assert (points, CLINCALC_BAND[news2.band]) == by_clincalc(values, scale), values


ANY_VALUE: dict[Vital, st.SearchStrategy[Value]] = {
    Vital.RESPIRATION_RATE: st.floats(1, 60),
    Vital.OXYGEN_SATURATION: st.floats(60, 100),
    Vital.SUPPLEMENTAL_OXYGEN: st.sampled_from(Breathing),
    Vital.SYSTOLIC_PRESSURE: st.floats(50, 290),
    Vital.PULSE_RATE: st.floats(20, 250),
    Vital.CONSCIOUSNESS: st.sampled_from(Consciousness),
    Vital.TEMPERATURE: st.floats(30, 43),
}
COMPLETE = st.fixed_dictionaries(ANY_VALUE)
PARTIAL = st.fixed_dictionaries({}, optional=ANY_VALUE)
SCALE = st.sampled_from(OxygenScale)


@given(COMPLETE, SCALE)
def test_both_oracles_agree_on_any_values_that_were_rounded_for_them(
    values: dict[Vital, Value], scale: OxygenScale
) -> None:
    rounded: dict[Vital, Value] = {
        vital: round(value, 1 if vital is Vital.TEMPERATURE else None) * 1.0
        if isinstance(value, float)
        else value
        for vital, value in values.items()
    }
    news2 = score(rounded, scale)
    points = [news2.sub_scores[vital] for vital in PARAMETERS]
    assert (points, VITALSCORE_RISK[news2.band]) == by_vitalscore(rounded, scale)
    assert (points, CLINCALC_BAND[news2.band]) == by_clincalc(rounded, scale)


@given(PARTIAL, SCALE)
def test_the_total_is_the_sum_of_the_sub_scores_and_every_parameter_is_scored_or_missing(
    values: dict[Vital, Value], scale: OxygenScale
) -> None:
    news2 = score(values, scale)
    assert news2.total == sum(news2.sub_scores.values())
    assert tuple(vital for vital in PARAMETERS if vital not in news2.sub_scores) == news2.missing
    assert set(news2.not_scorable) == set(news2.missing) & set(values)
    assert news2.complete == (not news2.missing)


@given(COMPLETE, SCALE, st.data())
def test_leaving_parameters_out_never_raises_the_total_or_the_band(
    values: dict[Vital, Value], scale: OxygenScale, data: st.DataObject
) -> None:
    whole = score(values, scale)
    left = values
    for vital in data.draw(st.permutations(PARAMETERS)):
        before = score(left, scale)
        left = {other: value for other, value in left.items() if other is not vital}
        after = score(left, scale)
        assert after.total <= before.total <= whole.total
        assert after.band.rank <= before.band.rank <= whole.band.rank
        assert after.sub_scores.items() <= before.sub_scores.items()


@pytest.mark.parametrize(
    ("vital", "value", "points"),
    [
        (Vital.TEMPERATURE, 36.05, 0),  # 36.1, though the binary number is 36.0499999...
        (Vital.TEMPERATURE, 36.04999, 1),
        (Vital.TEMPERATURE, 35.05, 1),
        (Vital.TEMPERATURE, 38.05, 1),
        (Vital.TEMPERATURE, 39.05, 2),
        (Vital.TEMPERATURE, 39.04, 1),
        (Vital.OXYGEN_SATURATION, 91.5, 2),
        (Vital.OXYGEN_SATURATION, 91.49, 3),
        (Vital.OXYGEN_SATURATION, 94.5, 1),  # half up, not half to even
        (Vital.OXYGEN_SATURATION, 93.5, 1),
        (Vital.RESPIRATION_RATE, 20.5, 2),
        (Vital.RESPIRATION_RATE, 24.5, 3),
        (Vital.SYSTOLIC_PRESSURE, 90.5, 2),
        (Vital.SYSTOLIC_PRESSURE, 90.49, 3),
        (Vital.PULSE_RATE, 130.5, 3),
        (Vital.PULSE_RATE, 40.5, 1),
    ],
)
def test_a_value_between_two_cells_is_rounded_half_up(vital: Vital, value: float, points: int) -> None:
    assert score({vital: value}, OxygenScale.SCALE_1).sub_scores == {vital: points}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_scores_nothing_and_says_so(value: float) -> None:
    news2 = score({Vital.PULSE_RATE: value}, OxygenScale.SCALE_1)
    assert news2.sub_scores == {}
    assert news2.not_scorable == {Vital.PULSE_RATE: "its value is no number"}
    assert Vital.PULSE_RATE in news2.missing


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(list(WHOLE_NUMBER_CELLS)))
def test_a_wild_number_breaks_nothing(value: float, vital: Vital) -> None:
    assert score({vital: value}, OxygenScale.SCALE_1).sub_scores[vital] in range(4)


def test_a_value_of_another_vitals_type_is_refused() -> None:
    for values in (
        {Vital.CONSCIOUSNESS: 3.0},
        {Vital.CONSCIOUSNESS: Breathing.AIR},
        {Vital.SUPPLEMENTAL_OXYGEN: 1.0},
        {Vital.PULSE_RATE: Consciousness.ALERT},
    ):
        with pytest.raises(ValueError, match=r"is no|could not convert"):
            score(values, OxygenScale.SCALE_1)


def test_vitals_that_are_no_parameter_of_news2_are_ignored() -> None:
    news2 = score(WELL | {Vital.DIASTOLIC_PRESSURE: 20.0}, OxygenScale.SCALE_1)
    assert news2.complete
    assert news2.total == 0


def test_on_scale_2_a_saturation_above_92_waits_for_air_or_oxygen() -> None:
    news2 = score({Vital.OXYGEN_SATURATION: 92.5}, OxygenScale.SCALE_2)
    assert news2.sub_scores == {}
    assert "on air or oxygen" in news2.not_scorable[Vital.OXYGEN_SATURATION]
    for value, points in ((92.4, 0), (88.0, 0), (87.0, 1), (83.0, 3)):
        news2 = score({Vital.OXYGEN_SATURATION: value}, OxygenScale.SCALE_2)
        assert news2.sub_scores == {Vital.OXYGEN_SATURATION: points}
        assert not news2.not_scorable


def with_points(*points: int) -> News2:
    """A complete score with these points for the first parameters and 0 for the others."""
    sub_scores = dict.fromkeys(PARAMETERS, 0) | dict(zip(PARAMETERS, points, strict=False))
    return News2(OxygenScale.SCALE_1, sub_scores, ())


@pytest.mark.parametrize(
    ("points", "band"),
    [
        ((), Band.ZERO),
        ((1,), Band.LOW),
        ((2, 0, 0, 2), Band.LOW),
        ((3,), Band.SINGLE_RED),
        ((3, 1), Band.SINGLE_RED),
        ((3, 2), Band.MEDIUM),
        ((2, 2, 0, 1), Band.MEDIUM),
        ((2, 2, 2), Band.MEDIUM),
        ((3, 2, 2), Band.HIGH),
        ((3, 3, 2, 3, 3, 3, 3), Band.HIGH),
    ],
)
def test_the_band_is_chart_4s(points: tuple[int, ...], band: Band) -> None:
    assert with_points(*points).band is band


def test_the_bands_rise_in_rank_and_each_has_words_and_a_response() -> None:
    assert [band.rank for band in Band] == [0, 1, 2, 3, 4]
    assert Band.HIGH.words == "high"
    assert Band.HIGH.response == "emergency assessment; observe continuously"
    assert len({band.words for band in Band}) == len({band.response for band in Band}) == 5


def test_a_complete_score_is_described_with_what_scores_worst_first() -> None:
    values = WELL | {Vital.PULSE_RATE: 115.0, Vital.OXYGEN_SATURATION: 90.0, Vital.RESPIRATION_RATE: 22.0}
    assert score(values, OxygenScale.SCALE_1).describe() == (
        "NEWS2 7 (high): oxygen saturation 3, respiration rate 2, pulse rate 2"
    )
    assert score(WELL, OxygenScale.SCALE_1).describe() == "NEWS2 0: no parameter scores"


def test_a_partial_score_is_described_as_at_least_and_names_what_is_missing() -> None:
    values = WELL | {Vital.PULSE_RATE: 115.0, Vital.OXYGEN_SATURATION: 90.0}
    del values[Vital.RESPIRATION_RATE], values[Vital.CONSCIOUSNESS]
    assert score(values, OxygenScale.SCALE_1).describe(questionable={Vital.PULSE_RATE}) == (
        "NEWS2 at least 5 (at least medium): oxygen saturation 3, pulse rate 2 (questionable); "
        "partial: respiration rate, consciousness not measured"
    )


def test_what_was_measured_but_not_scored_is_described_with_its_reason() -> None:
    values = WELL | {Vital.TEMPERATURE: 34.0}
    del values[Vital.SUPPLEMENTAL_OXYGEN]
    assert score(values, OxygenScale.SCALE_2).describe() == (
        "NEWS2 at least 3 (at least 3 in one parameter): temperature 3; partial: supplemental oxygen not "
        "measured; oxygen saturation not scored, 93 % or more on scale 2 needs to know if on air or oxygen"
    )
    values = WELL | {Vital.OXYGEN_SATURATION: 84.0}
    assert "oxygen saturation (scale 2) 2" in score(values, OxygenScale.SCALE_2).describe()


def test_a_score_of_nothing_is_unknown_not_zero() -> None:
    assert score({}, OxygenScale.SCALE_1).describe().startswith("NEWS2 unknown: respiration rate, ")
