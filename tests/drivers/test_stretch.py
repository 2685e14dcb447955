"""A stretch keeps every payload and its time, in few bytes, and damaged bytes are no stretch."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.catalogue import driver
from drivers.stretch import StretchError, is_stretch, joined, pack, payloads, unpack
from drivers.virtual import encoding
from hub.readings import Origin, RawPayload

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

SAMPLES = [(0, b"\x00\x60\x48"), (990, b"\x00\x60"), (2010, b""), (3000, b"\x00\x61\x49")]
FIELDS = bytes.fromhex(
    "03"  # four, less one
    "b8 17"  # 3000 ms: 0x38 + 0x17 * 128
    "13"  # 990 came 10 ms before 1000: 2 * 10 - 1
    "14"  # 2010 came 10 ms after 2000: 2 * 10
    "03 02 00 03"  # lengths
    "00 00 00"  # all first bytes
    "60 60 61"
    "48 49"
)


def raw(payload: bytes, at: datetime, characteristic: str = "2a5f") -> RawPayload:
    return RawPayload("C4:F2:17:00:00:02", "pulse_oximeter", payload, at, characteristic, Origin.REPLAY)


def test_its_fields_are_those_of_its_description() -> None:
    packed = pack(SAMPLES)
    assert packed[:1] == b"\x01"
    assert zlib.decompress(packed[1:]) == FIELDS
    assert unpack(b"\x01" + zlib.compress(FIELDS, 0)) == SAMPLES


@given(st.lists(st.tuples(st.integers(0, 70_000), st.binary(max_size=30)), min_size=1, max_size=40))
def test_what_is_packed_comes_back_byte_for_byte_with_its_times(samples: list[tuple[int, bytes]]) -> None:
    samples.sort(key=lambda sample: sample[0])
    first = samples[0][0]
    samples = [(after - first, payload) for after, payload in samples]
    assert unpack(pack(samples)) == samples


def test_a_stretch_is_read_again_by_its_driver_as_each_of_its_payloads_was() -> None:
    name = driver("heart_rate")
    sent = [
        RawPayload("C4:F2:17:00:00:05", "heart_rate", payload, NOON + at * MILLISECOND, "2a37")
        for at, payload in (
            (0, encoding.heart_rate(72, contact=True, beat_intervals=(0.83, 0.84))),
            (1004, encoding.heart_rate(73, contact=True)),
            (1990, encoding.heart_rate(73, contact=False)),
        )
    ]
    stretch = joined(sent)
    assert is_stretch(stretch)
    assert not any(map(is_stretch, sent))
    assert stretch.received_at == sent[-1].received_at
    assert payloads(stretch) == sent
    assert [name.read(each) for each in payloads(stretch)] == [name.read(each) for each in sent]
    assert name.read(payloads(stretch)[0]).beat_intervals == pytest.approx((0.83, 0.84), abs=0.001)


def test_no_driver_takes_a_packed_stretch_for_a_payload() -> None:
    stretch = joined([raw(encoding.continuous(97, 72), NOON)])
    assert driver("pulse_oximeter").read(stretch).problem is not None


def test_times_are_kept_to_a_millisecond() -> None:
    sent = [raw(b"\x01", NOON + timedelta(microseconds=at)) for at in (0, 1_000_600, 1_999_400)]
    kept = payloads(joined(sent))
    assert all(
        abs(one.received_at - two.received_at) < MILLISECOND for one, two in zip(kept, sent, strict=True)
    )


def test_what_is_no_stretch_is_itself() -> None:
    single = raw(b"\x00\x60", NOON)
    assert payloads(single) == [single]


def test_a_minute_of_an_oximeter_is_a_few_bytes_a_sample() -> None:
    """Times that scatter by 20 ms and a pulse that wanders: less than 4 bytes where 9 were sent."""
    sent = [
        (
            1000 * second + (second * 7919 % 20 if 0 < second < 59 else 0),
            encoding.continuous(97 - second // 20, 70 + second * 31 % 7) + bytes(4),
        )
        for second in range(60)
    ]
    assert len(pack(sent)) < 60 * 4


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        (b"", "no fields"),
        (b"\x01\xe8\x07\x01\x01\x41", "two payloads of a byte, and one byte"),
        (b"\x00\x01\x41\x42", "one payload of a byte, and two bytes"),
        (b"\x02\x64\xff\xff\xff\xff\xff\x01\x00\x00\x00", "a number of six digits"),
        (b"\x02\x64\xff\x7f\x00\x00\x00", "the one between comes before the first"),
        (b"\x02\x64\xfe\x7f\x00\x00\x00", "the one between comes after the last"),
        (b"\xff\xff\xff\xff\x0f\x64", "2 ** 32 payloads"),
        (b"\x7f\x64", "128 payloads, and nothing of them"),
    ],
)
def test_fields_that_do_not_fit_together_are_no_stretch(fields: bytes, what: str) -> None:
    with pytest.raises(StretchError):
        unpack(b"\x01" + zlib.compress(fields))


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\x01",
        b"\x02" + zlib.compress(FIELDS),
        b"\x01" + zlib.compress(FIELDS) + b"\x00",
        b"\x01" + zlib.compress(bytes(10_000_000)),
    ],
    ids=["empty", "a form alone", "another form", "more behind it", "a bomb"],
)
def test_what_is_not_of_this_form_is_no_stretch(packed: bytes) -> None:
    with pytest.raises(StretchError):
        unpack(packed)


@given(st.binary(max_size=60), st.booleans())
def test_any_bytes_are_a_stretch_or_an_error_of_one_kind(octets: bytes, inflated: bool) -> None:
    try:
        found = unpack(b"\x01" + zlib.compress(octets) if inflated else octets)
    except StretchError:
        return
    assert unpack(pack(found)) == found


@given(st.data())
def test_a_flipped_bit_is_noticed_or_changes_nothing(data: st.DataObject) -> None:
    packed = bytearray(pack(SAMPLES))
    at = data.draw(st.integers(0, len(packed) * 8 - 1))
    packed[at // 8] ^= 1 << at % 8
    try:
        found = unpack(bytes(packed))
    except StretchError:
        return
    assert found == SAMPLES


@pytest.mark.parametrize("samples", [[], [(1, b"")], [(0, b""), (2, b""), (1, b"")]])
def test_what_is_not_in_order_is_not_packed(samples: list[tuple[int, bytes]]) -> None:
    with pytest.raises(ValueError, match="in order"):
        pack(samples)
