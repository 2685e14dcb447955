"""What a sensor has stored, and how it is asked for it: the Record Access Control Point (2A52). Pure.

Sources: Glucose Service 1.0.1 and Glucose Profile 1.0.1. A request is an op code, an operator and an operand;
the records come as notifications of the measurement, then the sensor indicates how it went. Nothing is ever
deleted from a sensor.

A glucose meter's records have sequence numbers, that only grow and start anew when its memory is reset. So it
is asked for those from the last one that is known, that one included: if it comes, and is the same, the
memory is the same; if not, the memory was reset, and all is asked for. An oximeter's have none: all is asked
for each time. What comes twice has the same identity, and counts once.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum, IntEnum


class Answer(IntEnum):
    """How a procedure went, as the sensor says."""

    SUCCESS = 1
    OP_CODE_NOT_SUPPORTED = 2
    INVALID_OPERATOR = 3
    OPERATOR_NOT_SUPPORTED = 4
    INVALID_OPERAND = 5
    NO_RECORDS_FOUND = 6
    ABORT_UNSUCCESSFUL = 7
    PROCEDURE_NOT_COMPLETED = 8
    OPERAND_NOT_SUPPORTED = 9

    @property
    def words(self) -> str:
        """It, as one would say it."""
        return self.name.lower().replace("_", " ")


_REPORT, _ABORT, _RESPONSE = 0x01, 0x03, 0x06  # op codes
_NULL, _ALL, _FROM = 0x00, 0x01, 0x03  # operators; _FROM is "greater than or equal to"
_BY_SEQUENCE_NUMBER = 0x01  # filter type
_RESPONSE_LAYOUT = struct.Struct("<BBBB")  # op code, operator, op code of the request, response code value

REPORT_ALL = bytes((_REPORT, _ALL))
ABORT = bytes((_ABORT, _NULL))

_NOT_UNDERSTOOD = frozenset(
    {
        Answer.OP_CODE_NOT_SUPPORTED,
        Answer.INVALID_OPERATOR,
        Answer.OPERATOR_NOT_SUPPORTED,
        Answer.INVALID_OPERAND,
        Answer.OPERAND_NOT_SUPPORTED,
    }
)
_MOST_RECORDS = 3 * 65_536
"""In one procedure. A memory can number 65,536; a sensor that sends more than that repeats itself."""


def report_from(sequence_number: int) -> bytes:
    """The request for all records whose number is this or greater (0 to 65535)."""
    return struct.pack("<BBBH", _REPORT, _FROM, _BY_SEQUENCE_NUMBER, sequence_number)


def answer(payload: bytes, request: bytes) -> Answer | None:
    """What an indication of the control point says of this request; None where it is no answer to it."""
    if len(payload) != _RESPONSE_LAYOUT.size:
        return None
    op_code, operator, of, value = _RESPONSE_LAYOUT.unpack(payload)
    if (op_code, operator, of) != (_RESPONSE, _NULL, request[0]):
        return None
    try:
        return Answer(value)
    except ValueError:  # reserved for future use
        return None


@dataclass(frozen=True, slots=True)
class _Record:
    number: int
    payload: bytes


class _Request(Enum):
    NOTHING = 0
    ALL = 1
    FROM_KNOWN = 2


class StoredRecords:
    """What one sensor's memory is asked for, over all its links.

    `begin` gives the first request of a link; `record` is told what comes, `ended` how a request went, and
    gives the next one, if any; `broken_off` that no more comes. At the most two requests are made on a link.
    """

    def __init__(self) -> None:
        self._known: _Record | None = None  # every record up to this one was received
        self._can_filter = True
        self._forget_request()

    def _forget_request(self) -> None:
        self._request = _Request.NOTHING
        self._count = 0
        self._newest: _Record | None = None
        self._complete_to: _Record | None = None
        self._in_order = True
        self._missed = False
        self._known_came = False

    def begin(self) -> bytes:
        """The first request on a new link."""
        if self._known is None or not self._can_filter:
            return self._start(_Request.ALL)
        return self._start(_Request.FROM_KNOWN)

    def record(self, number: int | None, payload: bytes) -> bool:
        """A record came, or a measurement that was just taken. False if no sensor can have so many."""
        self._count += 1
        if number is None:
            return self._count <= _MOST_RECORDS
        record = _Record(number, payload)
        if self._known is not None and number == self._known.number:
            self._known_came = record == self._known
        newest = self._newest
        if newest is None or number > newest.number:
            # A number that jumps may be of a measurement that was just taken, with records to come before it.
            if newest is not None:
                self._complete_to = record if number == newest.number + 1 else newest
            self._newest = record
        elif number < newest.number:
            self._in_order = False
        return self._count <= _MOST_RECORDS

    def missed(self) -> None:
        """Something came that could not be taken: what is asked for now is not complete, however it ends."""
        self._missed = True

    def ended(self, answer: Answer) -> bytes | None:
        """The request was answered: the next one on this link, or None if there is no more to ask for."""
        match self._request, answer:
            case _, Answer.SUCCESS if self._missed:
                pass
            case _Request.FROM_KNOWN, Answer.SUCCESS if self._known_came:
                self._known = self._newest or self._known
            case _Request.FROM_KNOWN, Answer.SUCCESS | Answer.NO_RECORDS_FOUND:  # its memory was reset
                self._known = None
                return self._start(_Request.ALL)
            case _Request.FROM_KNOWN, _ if answer in _NOT_UNDERSTOOD:
                self._can_filter = False
                return self._start(_Request.ALL)
            case _Request.ALL, Answer.SUCCESS:
                self._known = self._newest
            case _:
                self.broken_off()
        self._request = _Request.NOTHING
        return None

    def broken_off(self) -> None:
        """No more comes for the request. What came in order need not come again."""
        from_where_it_was = self._request is _Request.ALL or self._known_came
        if (
            self._request is not _Request.NOTHING
            and from_where_it_was
            and self._in_order
            and not self._missed
        ):
            self._known = self._complete_to or self._known
        self._request = _Request.NOTHING

    def _start(self, request: _Request) -> bytes:
        self._forget_request()
        self._request = request
        if request is _Request.FROM_KNOWN and self._known is not None:
            return report_from(self._known.number)
        return REPORT_ALL
