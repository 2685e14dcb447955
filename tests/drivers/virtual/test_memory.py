"""The record access control point of virtual sensors: the numbers of the Glucose Service 1.0.1, 3.3."""

from __future__ import annotations

import pytest

from drivers.virtual.memory import Record, RecordMemory, counted, response, understood


def memory() -> RecordMemory:
    filled = RecordMemory()
    filled.records = [Record(number, ()) for number in (3, 4, 7, 9)]
    return filled


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("01 01", [3, 4, 7, 9]),  # report, all
        ("01 02 01 0400", [3, 4]),  # at most 4
        ("01 03 01 0400", [4, 7, 9]),  # at least 4
        ("01 04 01 0400 0700", [4, 7]),  # from 4 to 7
        ("01 05", [3]),  # the first
        ("01 06", [9]),  # the last
        ("01 03 01 0a00", []),
        ("02 04 01 0400 0400", [4]),  # delete
        ("04 01", [3, 4, 7, 9]),  # count
    ],
)
def test_every_operator_means_its_records(written: str, meant: list[int]) -> None:
    request = understood(bytes.fromhex(written))
    assert request.refusal is None
    assert [record.sequence for record in memory().meant_by(request)] == meant


@pytest.mark.parametrize(
    ("written", "answer"),
    [
        ("", "06 00 00 02"),  # op code not supported
        ("07 01", "06 00 07 02"),
        ("01", "06 00 01 03"),  # invalid operator
        ("01 00", "06 00 01 03"),
        ("03 01", "06 00 03 03"),
        ("01 07", "06 00 01 04"),  # operator not supported
        ("01 01 01", "06 00 01 05"),  # invalid operand
        ("01 03", "06 00 01 05"),
        ("01 03 01 04", "06 00 01 05"),
        ("01 04 01 0700 0400", "06 00 01 05"),
        ("01 03 02 ea070b160c053b", "06 00 01 09"),  # by time: operand not supported
    ],
)
def test_what_makes_no_sense_is_refused_with_the_right_number(written: str, answer: str) -> None:
    request = understood(bytes.fromhex(written))
    assert request.refusal is not None
    assert response(request.operation, request.refusal) == bytes.fromhex(answer)


def test_an_abort_takes_the_null_operator() -> None:
    assert understood(bytes.fromhex("03 00")).refusal is None


def test_a_count_is_two_bytes() -> None:
    assert counted(258) == bytes.fromhex("05 00 0201")


def test_what_is_deleted_is_gone() -> None:
    filled = memory()
    assert filled.delete(understood(bytes.fromhex("02 03 01 0700"))) == 2
    assert [record.sequence for record in filled.records] == [3, 4]


def test_a_sensor_may_send_each_record_twice_and_the_newest_first() -> None:
    filled = memory()
    filled.repeated, filled.backwards = 2, True
    sent = [record.sequence for record in filled.sent_for(understood(b"\x01\x01"))]
    assert sent == [9, 9, 7, 7, 4, 4, 3, 3]
