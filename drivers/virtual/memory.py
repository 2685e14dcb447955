"""The memory of a virtual sensor, and the Record Access Control Point (2A52) by which it is asked for.

Written from the Glucose Service 1.0.1, section 3.3, whose numbers the Pulse Oximeter Service shares.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum


class Operation(IntEnum):
    """Op codes."""

    REPORT = 0x01
    DELETE = 0x02
    ABORT = 0x03
    COUNT = 0x04
    COUNTED = 0x05
    RESPONSE = 0x06


class Operator(IntEnum):
    """Which of the records are meant."""

    NULL = 0x00
    ALL = 0x01
    AT_MOST = 0x02
    AT_LEAST = 0x03
    WITHIN = 0x04
    FIRST = 0x05
    LAST = 0x06


class Answer(IntEnum):
    """Response codes."""

    SUCCESS = 0x01
    NO_SUCH_OPERATION = 0x02
    INVALID_OPERATOR = 0x03
    NO_SUCH_OPERATOR = 0x04
    INVALID_OPERAND = 0x05
    NO_RECORDS = 0x06
    ABORT_UNSUCCESSFUL = 0x07
    NOT_COMPLETED = 0x08
    NO_SUCH_OPERAND = 0x09


_SEQUENCE_NUMBER = 0x01


@dataclass(frozen=True, slots=True)
class Record:
    """One stored measurement: its sequence number, and what is sent of it: characteristic and bytes each."""

    sequence: int
    told: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """What was written to the control point, understood; or `refusal`, why it cannot be done."""

    operation: int
    least: int = 0
    most: int = 0xFFFF
    only: Operator | None = None
    refusal: Answer | None = None

    def among(self, records: Iterable[Record]) -> list[Record]:
        """The records that are meant, oldest first."""
        meant = [record for record in records if self.least <= record.sequence <= self.most]
        if self.only is Operator.FIRST:
            return meant[:1]
        return meant[-1:] if self.only is Operator.LAST else meant


def understood(written: bytes) -> Request:
    """What is asked for by these bytes: op code, operator, operand."""
    operation = written[0] if written else 0
    operator = written[1] if len(written) > 1 else Operator.NULL
    operand = written[2:]
    if operation not in (Operation.REPORT, Operation.DELETE, Operation.ABORT, Operation.COUNT):
        return Request(operation, refusal=Answer.NO_SUCH_OPERATION)
    if operation == Operation.ABORT:
        return Request(operation, refusal=None if operator == Operator.NULL else Answer.INVALID_OPERATOR)
    if operator == Operator.NULL:
        return Request(operation, refusal=Answer.INVALID_OPERATOR)
    if operator in (Operator.ALL, Operator.FIRST, Operator.LAST):
        only = None if operator == Operator.ALL else Operator(operator)
        return Request(operation, only=only, refusal=Answer.INVALID_OPERAND if operand else None)
    if operator not in (Operator.AT_MOST, Operator.AT_LEAST, Operator.WITHIN):
        return Request(operation, refusal=Answer.NO_SUCH_OPERATOR)
    return _filtered(operation, Operator(operator), operand)


def _filtered(operation: int, operator: Operator, operand: bytes) -> Request:
    if operand and operand[0] != _SEQUENCE_NUMBER:
        return Request(operation, refusal=Answer.NO_SUCH_OPERAND)
    numbers = [int.from_bytes(operand[at : at + 2], "little") for at in range(1, len(operand), 2)]
    wanted = 2 if operator is Operator.WITHIN else 1
    if len(operand) != 1 + 2 * wanted or (wanted == 2 and numbers[0] > numbers[1]):
        return Request(operation, refusal=Answer.INVALID_OPERAND)
    least = 0 if operator is Operator.AT_MOST else numbers[0]
    most = 0xFFFF if operator is Operator.AT_LEAST else numbers[-1]
    return Request(operation, least, most)


def response(operation: int, answer: Answer) -> bytes:
    """A Response Code: the null operator, the op code that was asked for, and how it went."""
    return bytes([Operation.RESPONSE, Operator.NULL, operation, answer])


def counted(number: int) -> bytes:
    """A Number of Stored Records Response."""
    return bytes([Operation.COUNTED, Operator.NULL]) + number.to_bytes(2, "little")


class RecordMemory:
    """What a sensor has stored, oldest first.

    `repeated` makes it send each record so many times, `backwards` the newest first. `asked` is all that was
    written to its control point, whatever it was.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.repeated = 1
        self.backwards = False
        self.asked: list[bytes] = []

    def meant_by(self, request: Request) -> list[Record]:
        """The records that a request is about."""
        return request.among(self.records)

    def sent_for(self, request: Request) -> Iterator[Record]:
        """The records as this sensor sends them, misbehaviour and all."""
        meant = self.meant_by(request)
        for record in reversed(meant) if self.backwards else meant:
            for _ in range(self.repeated):
                yield record

    def delete(self, request: Request) -> int:
        """Delete the records that are meant, and say how many they were."""
        gone = {id(record) for record in self.meant_by(request)}
        self.records = [record for record in self.records if id(record) not in gone]
        return len(gone)
