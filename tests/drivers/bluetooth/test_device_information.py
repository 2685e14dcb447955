"""What a sensor says about itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bluetooth.device_information import TO_READ, DailyReads, DeviceInformation, noted

NOTHING = DeviceInformation()
HOUR, DAY = 3600.0, 86_400.0


def test_a_battery_is_a_percentage() -> None:
    assert noted(NOTHING, "2a19", b"\x57").battery == 87
    assert noted(NOTHING, "2a19", b"\x00").battery == 0
    assert noted(NOTHING, "2a19", b"\x64").battery == 100


@pytest.mark.parametrize("payload", [b"", b"\x65", b"\xff", b"\x32\x00"])
def test_what_is_no_percentage_tells_nothing_of_a_battery(payload: bytes) -> None:
    known = DeviceInformation(battery=50)
    assert noted(known, "2a19", payload) == known


def test_each_text_is_where_it_belongs() -> None:
    told = NOTHING
    for characteristic in ("2a29", "2a24", "2a25", "2a26", "2a27", "2a28"):
        told = noted(told, characteristic, characteristic.encode())
    assert told == DeviceInformation(
        manufacturer="2a29",
        model="2a24",
        serial_number="2a25",
        firmware="2a26",
        hardware="2a27",
        software="2a28",
    )


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b"UA-651BLE\0\0\0", "UA-651BLE"),
        (b" 1.0 \r\n", "1.0"),
        ("Größe".encode(), "Größe"),
        (b"a\0b", "a"),
        (b"x" * 512, "x" * 64),
    ],
)
def test_texts_are_cleaned(payload: bytes, text: str) -> None:
    assert noted(NOTHING, "2a24", payload).model == text


def test_an_empty_text_tells_nothing() -> None:
    known = DeviceInformation(model="BM85")
    assert noted(known, "2a24", b"") == noted(known, "2a24", b"\0\0") == known


@given(st.sampled_from(TO_READ), st.binary(max_size=512))
def test_any_bytes_are_borne_and_bounded(characteristic: str, payload: bytes) -> None:
    told = noted(NOTHING, characteristic, payload)
    for text in (told.manufacturer, told.model, told.serial_number, told.firmware, told.software):
        assert text is None or (0 < len(text) <= 64 and text.isprintable())


def test_all_is_read_once_a_day() -> None:
    reads = DailyReads()
    assert reads.due(5.0) == TO_READ
    for characteristic in TO_READ:
        reads.begun(characteristic, 5.0)
        reads.answered(characteristic, 5.0)
    assert reads.due(5.0 + DAY - 1) == ()
    assert reads.due(5.0 + DAY) == TO_READ


def test_what_was_asked_in_vain_is_asked_again_in_an_hour() -> None:
    reads = DailyReads()
    reads.begun("2a19", 0.0)
    assert "2a19" not in reads.due(HOUR - 1)
    assert "2a19" in reads.due(HOUR)
