"""Comma-separated text: each row is read as a program reads it, and kept as it stands."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.tables.csv_text import Table, TableError, text_of


def table(text: str) -> Table:
    return Table(io.StringIO(text, newline=""), "ward.csv")


def cells(text: str) -> list[list[str]]:
    read = table(text)
    return [list(read.header.cells), *(row.cells for row in read)]


CELL = st.text(st.sampled_from('ab1.,"\r\n é\ufeff\udc80'), max_size=6)
# A first cell that is not empty, so that no row is an empty line, and no mark at the front.
ROWS = st.integers(1, 4).flatmap(
    lambda width: st.lists(
        st.lists(CELL, min_size=width - 1, max_size=width - 1).map(lambda rest: ["x", *rest]), min_size=1
    )
)


@given(ROWS, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.sampled_from(["", "\ufeff"]))
def test_what_any_program_wrote_is_read_and_stands_in_the_rows_as_it_was(
    rows: list[list[str]], ending: str, ended: bool, mark: str
) -> None:
    written = io.StringIO(newline="")
    # Python's own writer before 3.13 leaves a carriage return without quotes.
    if any("\r" in cell for row in rows for cell in row):
        csv.writer(written, lineterminator=ending, quoting=csv.QUOTE_ALL).writerows(rows)
    else:
        csv.writer(written, lineterminator=ending).writerows(rows)
    text = mark + written.getvalue()
    if not ended:
        text = text[: -len(ending)]
    read = table(text)
    found = list(read)
    assert [read.header.cells, *(row.cells for row in found)] == rows
    assert "".join(row.text + row.ending for row in (read.header, *found)) == text
    assert [row.number for row in found] == list(range(1, len(rows)))
    assert {row.ending for row in (read.header, *found)} <= {ending, ""}


@given(st.lists(CELL, min_size=2))
def test_cells_that_are_written_are_read_again(written: list[str]) -> None:
    assert cells("a" + "," * (len(written) - 1) + "\n" + text_of(written) + "\n")[1] == written


def test_the_names_of_the_columns_are_told_without_the_spaces_around_them() -> None:
    assert table("\ufeffpatient, HR ,\n").columns == ("patient", "HR", "")


def test_a_row_knows_its_number_and_the_line_it_ends_in() -> None:
    first, second = table('a,b\n"1\n2",3\n4,5')
    assert (first.place, first.text) == ("row 1 (line 3)", '"1\n2",3')
    assert (second.place, second.ending) == ("row 2 (line 4)", "")


def test_an_empty_line_is_no_row_and_is_not_lost() -> None:
    assert [(row.number, row.cells, row.ending) for row in table("a\n1\n\n2\n\n")] == [
        (1, ["1"], "\n"),
        (1, [], "\n"),
        (2, ["2"], "\n"),
        (2, [], "\n"),
    ]


@pytest.mark.parametrize("text", ["", "\n", "\ufeff"])
def test_a_table_without_a_header_is_refused(text: str) -> None:
    with pytest.raises(TableError, match=r"ward\.csv: is empty"):
        table(text)


@pytest.mark.parametrize(
    ("bytes_", "what"),
    [
        (b"\x1f\x8b\x08\x00\n", "zcat FILE"),
        (b"PK\x03\x04\x14\n", "spreadsheet"),
        (b"PAR1\x15\n", "Parquet"),
        ("patient,HR\n".encode("utf-16"), "UTF-16"),
        (b"\xfe\xff\x00p\n", "UTF-16"),
        ("patient,HR\n".encode("utf-16-le"), "UTF-16"),
        ("patient,HR\n".encode("utf-16-be"), "UTF-16"),
    ],
)
def test_what_is_no_such_text_is_named_and_what_to_do(bytes_: bytes, what: str) -> None:
    with pytest.raises(TableError, match=what):
        table(bytes_.decode("utf-8", "surrogateescape"))


@pytest.mark.parametrize(("row", "count"), [("1,2", 2), ("1,2,3,4", 4)])
def test_a_row_of_another_width_is_refused_since_its_values_may_be_shifted(row: str, count: int) -> None:
    with pytest.raises(TableError, match=rf"row 2 \(line 3\) has {count} cells, the header 3"):
        cells(f"a,b,c\n1,2,3\n{row}\n")


@pytest.mark.parametrize("row", ['1,"2', '1,"2"3,'])
def test_a_quote_that_is_wrong_is_refused_with_its_line(row: str) -> None:
    with pytest.raises(TableError, match=r"ward\.csv: line 2 cannot be read: "):
        cells(f"a,b\n{row}\n")


def test_of_a_quote_that_is_never_closed_the_row_is_named_in_which_it_was_opened() -> None:
    read = "ward\\.csv: line 4, in a row that begins in line 3, cannot be read: unexpected end of data"
    with pytest.raises(TableError, match=read):
        cells('a,b\n1,2\n"3,4\n5,6\n')


def test_a_column_is_found_by_its_name_and_a_second_of_it_refused() -> None:
    read = table("patient,HR,hr,HR\n")
    assert (read.position("patient"), read.position("Temp")) == (0, None)
    with pytest.raises(TableError, match="column HR 2 times"):
        read.position("HR")


def test_where_a_column_must_be_there_it_is_said_which_are() -> None:
    assert table("patient,HR\n").needed("HR") == 1
    with pytest.raises(TableError, match=r'no column patient; its first line names "sep=", "\?"$'):
        table("sep=,\x1b\n").needed("patient")
    with pytest.raises(TableError, match=r'"11" and 8 more$'):
        table(",".join(map(str, range(20)))).needed("patient")


def test_of_a_column_that_is_not_there_what_may_be_meant_is_said() -> None:
    assert table("Patient,HR\n").missing("patient") == (
        'ward.csv: has no column patient (but "Patient": names are read as written)'
    )
    assert (
        table("patient;HR\n")
        .missing("patient")
        .endswith("(columns must be separated by commas, and numbers have a decimal point)")
    )
    assert table("id,HR\n").missing("patient") == "ward.csv: has no column patient"
