"""A row's scores are those of the hub for this person's rows up to it, whatever else is in the table."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.assessment.deterioration import DeteriorationModel
from hub.assessment.news2 import OxygenScale, score
from hub.assessment.reason import in_words
from hub.assessment.recalibration import CalibrationError, FittedOn, Recalibration
from hub.readings import Value, Vital
from hub.tables.cells import Account
from hub.tables.csv_text import Table, text_of
from hub.tables.observation_sets import ObservationColumns, ObservedRow
from hub.tables.scoring import ADDED, Scorer, score_table

MODEL = DeteriorationModel.configured(None)
HEADER = ("patient", "HR", "O2Sat", "Temp", "SBP", "DBP", "Resp", "FiO2", "consciousness", "Age", "note")

number = st.integers(10, 130).map(str)
a_row = st.tuples(
    st.sampled_from(["a", "b", "c", ""]),
    *[st.just("") | number] * 2,
    st.just("") | st.integers(340, 400).map(lambda tenths: f"{tenths / 10}"),
    *[st.just("") | number] * 3,
    st.sampled_from(["", "0.21", "0.4"]),
    st.sampled_from(["", "A", "C", "U"]),
    st.sampled_from(["", "44", "91"]),
    st.text(st.sampled_from('x,"'), max_size=2),
)
rows = st.lists(a_row, max_size=16)
few = settings(max_examples=15)


def scored(table_rows: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """What was added to each row; that the rest is as it was is seen to."""
    text = "".join(f"{text_of(row)}\n" for row in (HEADER, *table_rows))
    out = io.StringIO(newline="")
    table = Table(io.StringIO(text, newline=""), "t.csv")
    score_table(table, ObservationColumns(table), Scorer(MODEL), out, Account())
    written = Table(io.StringIO(out.getvalue(), newline=""), "out.csv")
    assert written.columns == (*HEADER, *ADDED)
    found = [row.cells for row in written]
    assert [tuple(cells[: len(HEADER)]) for cells in found] == [tuple(row) for row in table_rows]
    return [tuple(cells[len(HEADER) :]) for cells in found]


@few
@given(rows)
def test_it_is_the_same_whether_the_rows_of_patients_are_mixed_or_not(mixed: list[tuple[str, ...]]) -> None:
    order = sorted(range(len(mixed)), key=lambda number: mixed[number][0])  # stable: time's order stays
    grouped = scored([mixed[number] for number in order])
    found = scored(mixed)
    assert [found[number] for number in order] == grouped


@few
@given(rows, rows)
def test_no_row_sees_a_later_one(table: list[tuple[str, ...]], later: list[tuple[str, ...]]) -> None:
    assert scored(table + later)[: len(table)] == scored(table)


@few
@given(rows)
def test_each_row_is_what_the_hub_says_of_it(table: list[tuple[str, ...]]) -> None:
    text = "".join(f"{text_of(row)}\n" for row in (HEADER, *table))
    read = Table(io.StringIO(text, newline=""), "t.csv")
    columns = ObservationColumns(read)
    observed = [columns.read(row) for row in read]
    for number, (row, found) in enumerate(zip(observed, scored(table), strict=True)):
        before = [each.values for each in observed[:number] if each.patient == row.patient != ""]
        earlier = [values for values in before if values][-8:]
        news2 = score(row.values, OxygenScale.SCALE_1)
        risk = MODEL.risk(row.values, earlier, row.age_years)
        said = ("", "")
        if risk is not None:
            assert risk.reasons is not None
            said = (f"{risk.probability:.9g}", in_words(risk.reasons))
        assert found == (str(news2.total), " ".join(news2.missing), news2.band.value, *said)


def row_of(patient: str, **values: float) -> ObservedRow:
    """A row that measured only this."""
    measured: dict[Vital, Value] = {Vital(name): value for name, value in values.items()}
    return ObservedRow(patient, measured, 70, OxygenScale.SCALE_1, ())


def test_a_row_in_which_nothing_was_measured_has_no_risk_and_is_nobodys_earlier_row() -> None:
    with_them, without = Scorer(MODEL), Scorer(MODEL)
    for scorer in (with_them, without):
        scorer.added(row_of("a", pulse_rate=70))
    for _ in range(8):
        empty = with_them.added(row_of("a"))
        assert (empty[0], len(empty[1].split()), *empty[2:]) == ("0", 7, "zero", "", "")
    row = row_of("a", pulse_rate=130)
    assert with_them.added(row) == without.added(row) != Scorer(MODEL).added(row)


def test_the_ninth_row_before_is_forgotten() -> None:
    def last_of(first: float, others: int) -> tuple[str, ...]:
        scorer = Scorer(MODEL)
        scorer.added(row_of("a", pulse_rate=first))
        for _ in range(others):
            scorer.added(row_of("a", pulse_rate=70))
        return scorer.added(row_of("a", pulse_rate=72))

    assert last_of(150, 8) == last_of(40, 8)
    assert last_of(150, 7) != last_of(40, 7)
    scorer = Scorer(MODEL, with_reasons=False)
    for _ in range(30):
        scorer.added(row_of("a", pulse_rate=70))
    assert [len(earlier) for earlier in scorer._earlier.values()] == [8]


def test_of_nobody_there_are_no_earlier_rows() -> None:
    scorer, alone = Scorer(MODEL), Scorer(MODEL)
    scorer.added(row_of("", pulse_rate=40, temperature=39.5))
    assert scorer.added(row_of("", pulse_rate=100)) == alone.added(row_of("", pulse_rate=100))
    assert scorer.people == 0


def test_digits_tell_any_two_risks_apart() -> None:
    scorer = Scorer(MODEL, with_reasons=False)
    told = [scorer.added(row_of("", pulse_rate=60 + tenth / 10))[3] for tenth in range(500)]
    exact = [
        MODEL.probabilities(row_of("", pulse_rate=60 + tenth / 10).values, (), 70) for tenth in range(500)
    ]
    assert len(set(told)) == len(set(exact))


def test_without_reasons_the_rest_is_the_same() -> None:
    row = row_of("a", pulse_rate=130, temperature=39.0, respiration_rate=28)
    with_reasons, without = Scorer(MODEL).added(row), Scorer(MODEL, with_reasons=False).added(row)
    assert without == (*with_reasons[:4], "")


def test_a_recalibration_changes_the_risk_and_none_of_its_reasons() -> None:
    recalibrated = DeteriorationModel.configured(None)
    recalibrated.recalibration = Recalibration(
        model_sha256=MODEL.sha256,
        slope=0.5,
        intercept=-3.0,
        fitted_on=FittedOn(sets=1000, events=50),
        at=datetime(2026, 3, 1, tzinfo=UTC),
        by="a test",
        expected_calibration_error=CalibrationError(before=0.1, after=0.02),
    )
    row = row_of("p", pulse_rate=118.0, respiration_rate=26.0, oxygen_saturation=90.0)
    *_, own, why = Scorer(MODEL).added(row)
    *_, of_site, why_there = Scorer(recalibrated).added(row)
    assert float(of_site) < float(own)
    assert why == why_there
    assert "breathing faster than typical" in why
