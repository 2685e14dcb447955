"""A transaction of many pieces of work, each of which is kept whole or undone alone.

What a piece adds is gathered in memory, under numbers that it has at once, and written together with that of
other pieces. What a piece writes at once is written behind a savepoint, which is opened when it is first
needed: most pieces need none. Before that, what was gathered before the piece is written, so that its
savepoint undoes nothing but its own. A piece may have pieces of its own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Self

from hub.store.errors import is_fault_of_database
from hub.store.gathered import Gathered
from hub.store.numbers import Numbers
from hub.store.recent import Recent


@dataclass(slots=True)
class _Piece:
    """A piece of work, or the transaction itself: what it has gathered, and how things were at its start."""

    recent: int
    reading: int
    assessment: int
    told: int = 0
    gathered: Gathered = field(default_factory=Gathered)
    protected: bool = False
    """Whether its savepoint is open."""


class Pieces:
    """One open transaction, and the pieces of work that are being done in it."""

    def __init__(self, connection: sqlite3.Connection, recent: Recent, numbers: Numbers) -> None:
        self._connection = connection
        self._recent = recent
        self._numbers = numbers
        # Of a rehearsal beside a commit that the card has in hand, what that has added is not undone with it.
        self._pieces = [_Piece(recent.mark(), numbers.reading, numbers.assessment, protected=True)]
        """The transaction itself, the piece that is being done, if one is, a piece of that, ..."""
        self._failed: Exception | None = None
        self.urgently_told: list[str] = []
        """The urgent events of all pieces that were not undone."""

    def begin_piece(self) -> int:
        """Begin a piece of work, which `keep_piece` or `undo_piece` ends; return how deep it is."""
        numbers, told = self._numbers, len(self.urgently_told)
        self._pieces.append(_Piece(self._recent.mark(), numbers.reading, numbers.assessment, told))
        return len(self._pieces) - 1

    def do_alone(self, work: Callable[[Self], object]) -> Exception | None:
        """Do a piece of work, which is undone alone where it raises; says what it raised.

        A fault of the card (full, read-only, unreadable, damaged) is raised on: it ends the whole
        transaction.
        """
        depth = self.begin_piece()
        try:
            work(self)
            self.keep_piece()
        except Exception as error:  # it is said to whoever asked for the work
            if is_fault_of_database(error):
                raise
            self.undo_piece(depth)
            return error
        return None

    def keep_piece(self) -> None:
        """The piece is done: what becomes of it becomes of what it is a piece of.

        Raises what has ended the whole transaction, also where the work has passed over it.
        """
        self._still_open()
        piece = self._pieces.pop()
        if piece.protected:
            self._connection.execute("RELEASE piece")
        piece.gathered.add_to(self._gathered)

    def undo_piece(self, depth: int = -1) -> None:
        """Leave nothing of the piece, on the card or beside it. Raises as `keep_piece`.

        With the `depth` of `begin_piece` also nothing of its own pieces that a fault has left open.
        """
        self._still_open()
        piece, *within = self._pieces[depth:]
        for each in (*within, piece):
            self._pieces.pop()
            if each.protected:
                self._connection.execute("ROLLBACK TO piece")
                self._connection.execute("RELEASE piece")
        self._forget(piece)

    def undo_all(self) -> None:
        """The whole transaction was undone on the card: leave nothing of it beside the card."""
        del self._pieces[1:]
        self._gathered.clear()
        self._forget(self._pieces[0])

    def _forget(self, piece: _Piece) -> None:
        self._recent.undo_to(piece.recent)
        self._numbers.reading, self._numbers.assessment = piece.reading, piece.assessment
        self._numbers.forget()
        del self.urgently_told[piece.told :]

    @property
    def recent(self) -> Recent:
        """What was measured of late, beside the card."""
        return self._recent

    @property
    def _gathered(self) -> Gathered:
        """Of the piece that is being done."""
        return self._pieces[-1].gathered

    def _is_gathered(self, reading_id: bytes) -> bool:
        """Whether there is a reading with this id that is not on the card yet."""
        return any(reading_id in piece.gathered.readings for piece in self._pieces)

    def _at_once(self) -> sqlite3.Connection:
        """The connection, to write by what is not gathered."""
        if not self._pieces[-1].protected:
            self._still_open()
            for before, piece in pairwise(self._pieces):
                if not piece.protected:
                    self._write(before.gathered)
                    self._connection.execute("SAVEPOINT piece")
                    piece.protected = True
        return self._connection

    def _with_all(self) -> sqlite3.Connection:
        """The connection, now that all that was gathered is written: to read by."""
        connection = self._at_once()
        self._write(self._gathered)
        return connection

    def _write(self, gathered: Gathered) -> None:
        try:
            gathered.write(self._connection)
        except Exception as error:
            # Perhaps the fault of a piece that is done, and perhaps half is written: no piece can go on.
            self._failed = error
            raise

    def _still_open(self) -> None:
        if self._failed is not None:
            raise self._failed
        if len(self._pieces) > 1 and not self._connection.in_transaction:
            # SQLite itself undoes all after some faults of the card: nothing may be written after that.
            raise sqlite3.OperationalError("the transaction is over")
