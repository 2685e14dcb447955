"""Asking a sensor for what it has stored: bytes from the Glucose Service 1.0.1, by hand."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bluetooth.records import ABORT, REPORT_ALL, Answer, StoredRecords, answer, report_from

ALL_RECORDS = bytes.fromhex(
    "01"  # report stored records
    "01"  # all records
)
FROM_298 = bytes.fromhex(
    "01"  # report stored records
    "03"  # greater than or equal to
    "01"  # filter type: sequence number
    "2a01"  # 298
)
STOP = bytes.fromhex(
    "03"  # abort operation
    "00"  # null operator
)
SUCCESS = bytes.fromhex(
    "06"  # response code
    "00"  # null operator
    "01"  # to: report stored records
    "01"  # success
)
NO_RECORDS = bytes.fromhex("06000106")


def test_requests_are_as_the_service_has_them() -> None:
    assert REPORT_ALL == ALL_RECORDS
    assert report_from(298) == FROM_298
    assert ABORT == STOP


def test_answers_are_read_and_have_words() -> None:
    assert answer(SUCCESS, ALL_RECORDS) is Answer.SUCCESS
    assert answer(NO_RECORDS, FROM_298) is Answer.NO_RECORDS_FOUND
    assert answer(bytes.fromhex("06000104"), FROM_298) is Answer.OPERATOR_NOT_SUPPORTED
    assert Answer.OPERATOR_NOT_SUPPORTED.words == "operator not supported"


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "060001",  # too short
        "0600010100",  # too long
        "05000300",  # a number of stored records, which nobody asked for
        "06000301",  # to another request: abort
        "06010101",  # with an operator
        "0600010a",  # a response code that is reserved
    ],
)
def test_what_is_no_answer_is_none(payload: str) -> None:
    assert answer(bytes.fromhex(payload), ALL_RECORDS) is None


@given(st.binary(max_size=20))
def test_any_bytes_are_borne(payload: bytes) -> None:
    assert answer(payload, ALL_RECORDS) in (None, *Answer)


def record(number: int) -> bytes:
    return f"record {number}".encode()


def told(records: StoredRecords, *numbers: int) -> None:
    for number in numbers:
        assert records.record(number, record(number))


def after_all_of(*numbers: int) -> StoredRecords:
    records = StoredRecords()
    assert records.begin() == ALL_RECORDS
    told(records, *numbers)
    assert records.ended(Answer.SUCCESS) is None
    return records


def test_the_first_link_asks_for_all_and_the_next_from_the_last_one_known() -> None:
    records = after_all_of(296, 297, 298)
    assert records.begin() == FROM_298
    told(records, 298, 299)
    assert records.ended(Answer.SUCCESS) is None
    assert records.begin() == report_from(299)


def test_a_memory_with_nothing_new_is_asked_once() -> None:
    records = after_all_of(298)
    records.begin()
    told(records, 298)
    assert records.ended(Answer.SUCCESS) is None
    assert records.begin() == FROM_298


def test_a_memory_that_was_emptied_is_asked_for_all() -> None:
    records = after_all_of(298)
    records.begin()
    assert records.ended(Answer.NO_RECORDS_FOUND) == ALL_RECORDS
    told(records, 0, 1)
    assert records.ended(Answer.SUCCESS) is None
    assert records.begin() == report_from(1)


def test_a_memory_that_was_emptied_and_filled_up_again_is_asked_for_all() -> None:
    records = after_all_of(298)
    records.begin()
    assert records.record(298, b"another one of that number")
    assert records.record(299, record(299))
    assert records.ended(Answer.SUCCESS) == ALL_RECORDS


def test_a_memory_without_the_last_one_known_is_asked_for_all() -> None:
    records = after_all_of(298)
    records.begin()
    told(records, 299)
    assert records.ended(Answer.SUCCESS) == ALL_RECORDS


def test_an_empty_memory_is_asked_for_all_the_next_time() -> None:
    records = StoredRecords()
    records.begin()
    assert records.ended(Answer.NO_RECORDS_FOUND) is None
    assert records.begin() == ALL_RECORDS


def test_records_without_numbers_are_asked_for_all_each_time() -> None:
    records = StoredRecords()
    records.begin()
    for payload in (b"one", b"two"):
        assert records.record(None, payload)
    assert records.ended(Answer.SUCCESS) is None
    assert records.begin() == ALL_RECORDS


@pytest.mark.parametrize(
    "refused",
    [
        Answer.OP_CODE_NOT_SUPPORTED,
        Answer.INVALID_OPERATOR,
        Answer.OPERATOR_NOT_SUPPORTED,
        Answer.INVALID_OPERAND,
        Answer.OPERAND_NOT_SUPPORTED,
    ],
)
def test_a_sensor_that_cannot_filter_is_asked_for_all_from_then_on(refused: Answer) -> None:
    records = after_all_of(298)
    records.begin()
    assert records.ended(refused) == ALL_RECORDS
    told(records, 298, 299)
    assert records.ended(Answer.SUCCESS) is None
    assert records.begin() == ALL_RECORDS


@pytest.mark.parametrize("answered", Answer)
def test_no_link_sees_more_than_two_requests(answered: Answer) -> None:
    records = after_all_of(298)
    records.begin()
    if records.ended(answered) is not None:
        assert records.ended(answered) is None


def test_what_came_in_order_need_not_come_again_where_a_link_broke_off() -> None:
    records = StoredRecords()
    records.begin()
    told(records, 1, 2, 3)
    records.broken_off()
    assert records.begin() == report_from(3)


def test_what_came_backwards_comes_again_where_a_link_broke_off() -> None:
    records = StoredRecords()
    records.begin()
    told(records, 9, 8, 7)
    records.broken_off()
    assert records.begin() == ALL_RECORDS


def test_what_came_in_no_order_comes_again_where_a_link_broke_off() -> None:
    records = StoredRecords()
    records.begin()
    told(records, 5, 6, 1)
    records.broken_off()
    assert records.begin() == ALL_RECORDS


def test_what_could_not_be_taken_comes_again_however_it_ended() -> None:
    records = after_all_of(298)
    records.begin()
    told(records, 298, 299)
    records.missed()
    told(records, 301)
    assert records.ended(Answer.SUCCESS) is None
    assert records.begin() == FROM_298
    told(records, 298, 299)
    records.missed()
    records.broken_off()
    assert records.begin() == FROM_298


def test_a_measurement_taken_meanwhile_hides_no_record_before_it() -> None:
    records = StoredRecords()
    records.begin()
    told(records, 1, 2, 50)
    records.broken_off()
    assert records.begin() == report_from(2)


def test_a_single_record_is_not_taken_for_the_first() -> None:
    records = StoredRecords()
    records.begin()
    told(records, 50)
    records.broken_off()
    assert records.begin() == ALL_RECORDS


def test_a_sensor_that_never_ends_is_noticed() -> None:
    records = StoredRecords()
    records.begin()
    came = 0
    while records.record(came % 1000, b"again"):
        came += 1
    assert 65_536 <= came < 1_000_000
    records.begin()
    assert records.record(1, b"again")


@dataclass
class Meter:
    """A glucose meter that keeps to the service, and says what of it was asked for and came."""

    can_filter: bool = True
    stored: list[tuple[int, bytes]] = field(default_factory=list)
    next_number: int = 0
    measured: int = 0
    received: set[bytes] = field(default_factory=set)

    def measure(self, times: int) -> None:
        for _ in range(times):
            self.measured += 1
            self.stored.append((self.next_number, f"measurement {self.measured}".encode()))
            self.next_number += 1

    def reset(self) -> None:
        self.stored, self.next_number = [], 0

    def link(self, records: StoredRecords, *, drops_after: int | None, repeats: int, backwards: bool) -> None:
        """A link that drops after so many notifications, if it does."""
        left = drops_after if drops_after is not None else 10**6
        request: bytes | None = records.begin()
        asked = 0
        while request is not None:
            asked += 1
            assert asked <= 2
            if request[1] == 0x03 and not self.can_filter:
                request = records.ended(Answer.OPERATOR_NOT_SUPPORTED)
                continue
            least = int.from_bytes(request[3:5], "little") if request[1] == 0x03 else 0
            meant = [each for each in self.stored if each[0] >= least]
            for number, payload in reversed(meant) if backwards else meant:
                for _ in range(repeats):
                    if left == 0:
                        records.broken_off()
                        return
                    left -= 1
                    self.received.add(payload)
                    records.record(number, payload)
            request = records.ended(Answer.SUCCESS if meant else Answer.NO_RECORDS_FOUND)
        assert {payload for _, payload in self.stored} <= self.received


LINKS = st.lists(
    st.tuples(
        st.integers(0, 6),  # measurements taken before it
        st.booleans(),  # the memory was reset before them
        st.integers(0, 2),  # records that were deleted one by one
        st.none() | st.integers(0, 12),  # notifications after which it drops
    ),
    max_size=12,
)


@given(links=LINKS, can_filter=st.booleans(), repeats=st.integers(1, 3), backwards=st.booleans())
def test_after_a_link_that_was_not_dropped_every_stored_record_has_come(
    links: list[tuple[int, bool, int, int | None]], can_filter: bool, repeats: int, backwards: bool
) -> None:
    meter, records = Meter(can_filter), StoredRecords()
    for measured, reset, deleted, drops_after in [*links, (0, False, 0, None)]:
        if reset:
            meter.reset()
        meter.measure(measured)
        del meter.stored[1 : 1 + deleted]
        meter.link(records, drops_after=drops_after, repeats=repeats, backwards=backwards)


@given(st.lists(st.integers(2, 9), min_size=20, max_size=20))
def test_a_sensor_whose_links_never_last_is_read_to_its_end_all_the_same(lengths: list[int]) -> None:
    meter, records = Meter(), StoredRecords()
    meter.measure(20)
    for drops_after in lengths:
        meter.link(records, drops_after=drops_after, repeats=1, backwards=False)
    assert {payload for _, payload in meter.stored} <= meter.received
