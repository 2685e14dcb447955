"""A second of a stream: what was said in it, how often, and what it comes to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.driver import Decoded, DecodeError
from drivers.second import Seconds, said_by_most, things
from hub.readings import AbsentReason, Flag, Measurement, Quality, Vital

A, B = b"A", b"B"


def said(saturation: int, pulse: int = 70, *flags: Flag) -> Decoded:
    quality = Quality.UNUSABLE if Flag.SENSOR_DISPLACED in flags else Quality.GOOD
    return Decoded(
        (
            Measurement(Vital.OXYGEN_SATURATION, float(saturation), quality=quality),
            Measurement(Vital.PULSE_RATE, float(pulse), quality=quality),
        ),
        frozenset(flags),
    )


NO_NUMBER = Decoded((Measurement(Vital.OXYGEN_SATURATION, None, AbsentReason.NOT_A_NUMBER),))
OUT = said(97, 70, Flag.SENSOR_DISPLACED)


def second(*each: tuple[int, Decoded], fewest: int = 1) -> Decoded:
    """What a second says in which so many frames said each thing."""
    payload = b"".join(bytes((count, number)) for number, (count, _) in enumerate(each))
    return said_by_most(payload, 1, lambda thing: each[thing[0]][1], fewest=fewest)


def test_a_second_has_each_thing_once_with_how_many_frames_said_it() -> None:
    seconds = Seconds()
    for frame in range(60):
        assert seconds.add(A if frame % 3 else B, frame / 60) is None
    assert seconds.ended(0.999) is None
    ended = seconds.ended(1.0)
    assert ended is not None
    assert list(things(ended, 1)) == [(B, 20), (A, 40)]


def test_the_next_second_begins_where_the_last_one_ended() -> None:
    seconds = Seconds()
    ended = [seconds.add(A, frame / 60) for frame in range(600)]
    assert [payload for payload in ended if payload] == [b"\x3c" + A] * 9


def test_after_a_pause_a_second_begins_with_its_first_frame() -> None:
    seconds = Seconds()
    seconds.add(A, 0.0)
    assert seconds.add(B, 7.3) == b"\x01" + A
    assert seconds.ended(8.2) is None
    assert seconds.ended(8.3) == b"\x01" + B


@given(frames=st.lists(st.binary(min_size=2, max_size=2), max_size=400))
def test_memory_is_bounded_and_what_fits_is_counted(frames: list[bytes]) -> None:
    seconds = Seconds()
    for frame in frames:
        seconds.add(frame, 0.0)
    ended = seconds.ended(1.0)
    counted = dict(things(ended, 2)) if ended else {}
    assert len(counted) <= 64
    assert all(count == min(255, frames.count(frame)) for frame, count in counted.items())


@pytest.mark.parametrize("payload", ["", "3c", "3c4100", "0041"])
def test_what_is_no_second_is_refused(payload: str) -> None:
    with pytest.raises(DecodeError) as refused:
        said_by_most(bytes.fromhex(payload), 1, lambda _: NO_NUMBER)
    assert refused.value.payload == bytes.fromhex(payload)


def test_what_most_frames_say_is_the_value() -> None:
    assert second((20, said(97)), (40, said(96))) == said(96)


def test_one_wrong_frame_among_sixty_is_not_the_value() -> None:
    assert second((1, said(62, 190)), (59, said(97))) == said(97)
    assert second((1, said(62, 190)), (59, OUT)) == OUT
    assert second((1, OUT), (59, said(97))) == said(97)


def test_a_tie_is_the_lower_saturation_and_what_is_usable() -> None:
    assert second((30, said(97)), (30, said(88))) == said(88)
    assert second((30, OUT), (30, said(97))) == said(97)
    assert second((30, NO_NUMBER), (30, said(97))) == said(97)


def test_the_frames_of_one_saturation_count_together_however_they_are_judged() -> None:
    weak = said(97, 70, Flag.POOR_SIGNAL)
    assert second((20, weak), (21, said(88)), (19, said(97))) == weak


def test_the_pulse_is_that_of_the_frames_with_the_saturation() -> None:
    assert second((25, said(97, 60)), (20, said(97, 61)), (15, said(96, 61))) == said(97, 60)


def test_a_value_that_hardly_any_frame_says_is_not_believed() -> None:
    few = second((3, said(97)), fewest=4)
    assert few.flags == {Flag.ERRATIC_SIGNAL}
    assert not any(each.usable for each in few.measurements)
    assert second((4, said(97)), fewest=4) == said(97)
    scattered = second(*((10, said(saturation)) for saturation in range(90, 96)))
    assert scattered.flags == {Flag.ERRATIC_SIGNAL}


@given(
    st.lists(st.tuples(st.integers(1, 60), st.sampled_from([said(97), said(91), NO_NUMBER, OUT]))).filter(
        bool
    )
)
def test_a_second_says_what_one_of_its_frames_said(each: list[tuple[int, Decoded]]) -> None:
    decoded = second(*each)
    numbers = [measurement.value for measurement in decoded.measurements]
    assert numbers in [[one.value for one in frame.measurements] for _, frame in each]
