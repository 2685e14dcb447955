"""Comma-separated text, row by row, each with its own text kept: what is added stands behind it, unchanged.

RFC 4180 in UTF-8: a header, commas, cells in double quotes where they hold commas, quotes or line ends; lines
may end as on Windows, and a byte order mark may stand in front. Bytes that are not UTF-8 pass through as they
are (PEP 383).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from hub.errors import CareportError

_LONGEST_SHOWN, _MOST_SHOWN = 40, 12
_MARK = "\ufeff"
_UTF_16 = "is in UTF-16. Save it as UTF-8"
_NO_TEXT = {
    b"\x1f\x8b": "is packed with gzip. Unpack it on the way: zcat FILE | carehub ... --csv -",
    b"PK\x03\x04": "is a zip archive or a spreadsheet. Save it as comma-separated text in UTF-8",
    b"PAR1": "is a Parquet file. Save it as comma-separated text in UTF-8",
    b"\xff\xfe": _UTF_16,
    b"\xfe\xff": _UTF_16,
}
"""How files begin that are no such text."""


class TableError(CareportError):
    """A table that cannot be read; the text names it, the row, and what is wrong."""


class UnreadableCellError(TableError):
    """A cell is not understood, where none may be."""


class Row(NamedTuple):
    """One row: its number, counted from 1 behind the header; the line it ends in; its text and its line end.

    `cells` is empty for an empty line, which is no row and has the number of the row before it.
    """

    number: int
    line: int
    text: str
    ending: str
    cells: list[str]

    @property
    def place(self) -> str:
        """Where it is, in words."""
        return f"row {self.number} (line {self.line})"


class Table:
    """A table whose header is read, and whose rows are yet to come: it is gone through once.

    `lines` are the lines of the text with their own line ends, as a file that is opened with newline=""
    gives them; `name` is what messages call the table.

    Raises:
        TableError: there is no header, or it is no such text. So does going through it for a row that cannot
            be read, or has more or fewer cells than the header: which of them is missing nobody knows.
    """

    def __init__(self, lines: Iterable[str], name: str) -> None:
        self.name = name
        self._texts: list[str] = []  # the lines of the row that is being read
        self._cells = csv.reader(self._keeping(lines), strict=True)
        header = next(self._records(), None)
        if header is None or not header.cells:
            raise TableError(f"{name}: is empty: its first line must name the columns")
        self.header = header
        self.columns: tuple[str, ...] = tuple(cell.strip() for cell in header.cells)
        """The columns' names, without the spaces around them."""

    def __iter__(self) -> Iterator[Row]:
        """Each row in turn, and each empty line, so that nothing is lost."""
        width, number = len(self.columns), 0
        for record in self._records():
            if not record.cells:
                yield record._replace(number=number)
                continue
            number += 1
            row = record._replace(number=number)
            if len(row.cells) != width:
                raise TableError(
                    f"{self.name}: {row.place} has {len(row.cells)} cells, the header {width}: nobody knows "
                    "which is which"
                )
            yield row

    def position(self, column: str) -> int | None:
        """Where a column stands; None where there is none of that name.

        Raises:
            TableError: there are several.
        """
        found = [number for number, name in enumerate(self.columns) if name == column]
        if len(found) > 1:
            raise TableError(f"{self.name}: has the column {column} {len(found)} times: which one is meant?")
        return found[0] if found else None

    def needed(self, column: str) -> int:
        """Where a column stands that must be there.

        Raises:
            TableError: there is none of that name, or several.
        """
        found = self.position(column)
        if found is None:
            some = ", ".join(shown(name) for name in self.columns[:_MOST_SHOWN])
            more = f" and {len(self.columns) - _MOST_SHOWN} more" if len(self.columns) > _MOST_SHOWN else ""
            raise TableError(f"{self.missing(column)}; its first line names {some}{more}")
        return found

    def missing(self, column: str) -> str:
        """That there is no such column, in words, with what may be meant instead."""
        alike = [name for name in self.columns if name.casefold() == column.casefold()]
        hint = f" (but {shown(alike[0])}: names are read as written)" if alike else ""
        if len(self.columns) == 1 and any(mark in self.columns[0] for mark in ";\t|"):
            hint = " (columns must be separated by commas, and numbers have a decimal point)"
        return f"{self.name}: has no column {column}{hint}"

    def _keeping(self, lines: Iterable[str]) -> Iterator[str]:
        first = True
        for line in lines:
            self._texts.append(line)
            yield self._checked(line) if first else line
            first = False

    def _checked(self, first_line: str) -> str:
        beginning = first_line[:4].encode("utf-8", "surrogateescape")
        for bytes_, what in _NO_TEXT.items():
            if beginning.startswith(bytes_):
                raise TableError(f"{self.name}: {what}")
        if b"\0" in beginning:
            raise TableError(f"{self.name}: {_UTF_16}")
        return first_line.removeprefix(_MARK)

    def _records(self) -> Iterator[Row]:
        while True:
            self._texts.clear()
            begins_in = self._cells.line_num + 1
            try:
                cells = next(self._cells, None)
            except csv.Error as error:
                line = self._cells.line_num
                begun = "" if line == begins_in else f", in a row that begins in line {begins_in},"
                raise TableError(f"{self.name}: line {line}{begun} cannot be read: {error}") from error
            if cells is None:
                return
            text = self._texts[0] if len(self._texts) == 1 else "".join(self._texts)
            bare = text.rstrip("\r\n") if text.endswith(("\n", "\r")) else text
            yield Row(0, self._cells.line_num, bare, text[len(bare) :], cells)


def shown(text: str) -> str:
    """A cell as it may be shown on a terminal, whatever is in it."""
    letters = "".join(letter if letter.isprintable() else "?" for letter in text[: _LONGEST_SHOWN + 1])
    return f'"{letters[:_LONGEST_SHOWN]}..."' if len(letters) > _LONGEST_SHOWN else f'"{letters}"'


def text_of(cells: Sequence[str]) -> str:
    """Cells as the text of a row, quoted where they must be; without a line end."""
    return ",".join(
        f'"{cell.replace(chr(34), chr(34) * 2)}"' if any(mark in cell for mark in ',"\r\n') else cell
        for cell in cells
    )
