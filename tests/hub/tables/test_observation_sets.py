"""A row of a table is read as what it says, and nothing that cannot be is taken for a measurement."""

from __future__ import annotations

import io
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.quality import PLAUSIBLE
from hub.assessment.news2 import OxygenScale
from hub.readings import Breathing, Consciousness, Value, Vital
from hub.tables.cells import Remark
from hub.tables.csv_text import Table, TableError, text_of
from hub.tables.observation_sets import ObservationColumns, ObservedRow

NUMERIC = {
    "HR": Vital.PULSE_RATE,
    "O2Sat": Vital.OXYGEN_SATURATION,
    "Temp": Vital.TEMPERATURE,
    "SBP": Vital.SYSTOLIC_PRESSURE,
    "DBP": Vital.DIASTOLIC_PRESSURE,
    "Resp": Vital.RESPIRATION_RATE,
}


def read(**cells: str) -> ObservedRow:
    """The one row of a table with these cells."""
    named = {"patient": "R-1", **cells}
    table = Table(io.StringIO(f"{text_of(list(named))}\n{text_of(list(named.values()))}\n"), "t.csv")
    columns = ObservationColumns(table)
    (row,) = table
    return columns.read(row)


def remarks(row: ObservedRow) -> list[tuple[str, Remark]]:
    return [(column, remark) for column, remark, _ in row.remarkable]


def test_a_whole_row_is_read_in_the_hubs_own_words() -> None:
    row = read(
        HR="77", O2Sat="95.5", Temp=" 36.9 ", SBP="1.2e2", DBP="+60", Resp="16.", FiO2="0.4",
        consciousness="c", Age="83.9", Gender="1", spo2_scale="2",
    )  # fmt: skip
    assert row == ObservedRow(
        "R-1",
        {
            Vital.PULSE_RATE: 77.0,
            Vital.OXYGEN_SATURATION: 95.5,
            Vital.TEMPERATURE: 36.9,
            Vital.SYSTOLIC_PRESSURE: 120.0,
            Vital.DIASTOLIC_PRESSURE: 60.0,
            Vital.RESPIRATION_RATE: 16.0,
            Vital.SUPPLEMENTAL_OXYGEN: Breathing.OXYGEN,
            Vital.CONSCIOUSNESS: Consciousness.NEW_CONFUSION,
        },
        83,
        OxygenScale.SCALE_2,
        [],
    )


@pytest.mark.parametrize("nothing", ["", "  ", "NA", "nan", "NaN", "N/A", "NULL", "None"])
def test_what_was_not_measured_is_nothing_and_not_remarkable(nothing: str) -> None:
    names = [*NUMERIC, "FiO2", "consciousness", "Age", "spo2_scale"]
    row = read(**dict.fromkeys(names, nothing))
    assert row == ObservedRow("R-1", {}, None, OxygenScale.SCALE_1, [])


@pytest.mark.parametrize(
    "text", ["8O", "36,6", "<90", "97%", "1_000", "0x50", "inf", "1e400", "٣", "--", "1 2"]
)
@pytest.mark.parametrize("column", [*NUMERIC, "FiO2", "Age", "spo2_scale", "consciousness"])
def test_what_is_no_number_is_not_understood(column: str, text: str) -> None:
    row = read(**{column: text})
    assert (row.values, row.age_years, row.scale) == ({}, None, OxygenScale.SCALE_1)
    assert row.remarkable == [(column, Remark.UNREADABLE, text)]


@pytest.mark.parametrize(("column", "vital"), NUMERIC.items())
def test_a_number_beyond_what_a_sensor_would_be_believed_is_not_measured(column: str, vital: Vital) -> None:
    lowest, highest = PLAUSIBLE.get(vital, (1, 80))
    for number in (lowest, highest):
        assert read(**{column: f"{number}"}).values == {vital: number}
    for number in (lowest - 0.01, highest + 0.01, -1, 1e6):
        row = read(**{column: f"{number}"})
        assert (row.values, remarks(row)) == ({}, [(column, Remark.IMPLAUSIBLE)])


def test_a_temperature_in_fahrenheit_is_not_taken_for_one_in_celsius() -> None:
    assert read(Temp="98.6").values == {}


@pytest.mark.parametrize("diastolic", ["120", "130"])
def test_a_diastolic_pressure_that_is_not_below_the_systolic_unmakes_both(diastolic: str) -> None:
    row = read(SBP="120", DBP=diastolic, HR="70")
    assert row.values == {Vital.PULSE_RATE: 70.0}
    assert row.remarkable == [("DBP", Remark.CONTRADICTORY, f"120/{diastolic}")]


@pytest.mark.parametrize(
    ("fraction", "breathing"),
    [("0.21", "air"), ("0.2099999934", "air"), ("0.2", "air"), ("0.22", "oxygen"), ("1", "oxygen")],
)
def test_a_fraction_above_that_of_the_air_is_oxygen_given(fraction: str, breathing: str) -> None:
    row = read(FiO2=fraction)
    assert row.values == {Vital.SUPPLEMENTAL_OXYGEN: Breathing(breathing)}
    assert row.remarkable == []


@pytest.mark.parametrize("fraction", ["0.19", "0", "-50"])
def test_a_fraction_below_that_of_the_air_is_air_and_said(fraction: str) -> None:
    row = read(FiO2=fraction)
    assert row.values == {Vital.SUPPLEMENTAL_OXYGEN: Breathing.AIR}
    assert remarks(row) == [("FiO2", Remark.FRACTION_BELOW_AIR)]


def test_a_fraction_above_1_is_oxygen_given_and_said_since_it_may_be_a_percentage() -> None:
    row = read(FiO2="21")
    assert row.values == {Vital.SUPPLEMENTAL_OXYGEN: Breathing.OXYGEN}
    assert remarks(row) == [("FiO2", Remark.FRACTION_ABOVE_1)]


LEVELS = {
    "A": ("A", "a", "Alert", "15", "15.0"),
    "C": ("C", "confusion", "New  Confusion", "14"),
    "V": ("v", "VOICE", "13", "9"),
    "P": ("P", "pain", "8", "4"),
    "U": ("u", "unresponsive", "3"),
}


@pytest.mark.parametrize(
    ("text", "level"), [(text, level) for level, them in LEVELS.items() for text in them]
)
def test_consciousness_is_a_letter_or_a_word_or_a_sum_of_the_glasgow_scale(text: str, level: str) -> None:
    assert read(consciousness=text).values == {Vital.CONSCIOUSNESS: Consciousness(level)}


@pytest.mark.parametrize("text", ["2", "16", "14.5", "-1"])
def test_a_sum_that_the_glasgow_scale_does_not_have_is_not_measured(text: str) -> None:
    row = read(consciousness=text)
    assert (row.values, remarks(row)) == ({}, [("consciousness", Remark.IMPLAUSIBLE)])


def test_an_age_is_counted_in_whole_years_and_that_someone_is_too_young_is_said() -> None:
    assert (read(Age="15.99").age_years, remarks(read(Age="15.99"))) == (15, [("Age", Remark.UNDER_16)])
    assert (read(Age="16").age_years, remarks(read(Age="16"))) == (16, [])
    assert (read(Age="300").age_years, remarks(read(Age="300"))) == (None, [("Age", Remark.IMPLAUSIBLE)])


def test_a_row_without_a_patient_is_nobodys() -> None:
    row = read(patient=" ", HR="70")
    assert (row.patient, remarks(row)) == ("", [("patient", Remark.NOBODY)])


def columns(header: str) -> ObservationColumns:
    return ObservationColumns(Table([header], "t.csv"))


def test_without_patients_a_table_is_refused() -> None:
    with pytest.raises(TableError, match=r"no column patient; its first line names"):
        columns("HR,Temp")


@pytest.mark.parametrize("name", ["patient", "Temp", "Age", "spo2_scale"])
def test_a_column_that_is_there_twice_is_refused(name: str) -> None:
    with pytest.raises(TableError, match=f"column {name} 2 times"):
        columns(f"patient,{name},x,{name}" if name != "patient" else "patient,patient")


def test_of_a_column_that_is_not_there_what_follows_is_said() -> None:
    missing = columns("patient,HR,O2Sat,Temp,SBP,DBP,Resp,fio2,Gender,x,x").missing
    assert missing == [
        't.csv: has no column FiO2 (but "fio2": names are read as written): supplemental oxygen counts as '
        "not measured throughout",
        "t.csv: has no column consciousness: consciousness counts as not measured throughout",
        "t.csv: has no column Age: the age counts as not known throughout",
    ]


ALMOST = st.text(st.sampled_from("0159.,-+eEaVnN<% \x00é"), max_size=6)


@given(ALMOST, st.sampled_from([*NUMERIC, "FiO2", "consciousness", "Age", "spo2_scale"]))
def test_whatever_stands_in_a_cell_gives_a_value_or_nothing_or_is_remarked(text: str, column: str) -> None:
    row = read(**{column: text})
    values: Mapping[Vital, Value] = row.values
    assert all(not isinstance(value, float) or 0 < value <= 300 for value in values.values())
    if text.strip() and not values and row.age_years is None and column != "spo2_scale":
        assert row.remarkable or text.strip().lower() in {"na", "n/a", "nan", "null", "none"}
