"""Whole talks with a newer Contec oximeter, a virtual one: its memory, its clock, and live packets."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from drivers.bluetooth.device_information import DeviceInformation
from drivers.contec_cms50 import DRIVER, Cms50Conversation, decode_live
from drivers.driver import Decoded
from drivers.virtual.contec import Cms50, Finger, Recording
from hub.readings import DeviceTime, Flag, Quality, RawPayload
from tests.rigs.talking import Talk, oximeter

RECORDING = Recording(datetime(2026, 2, 27, 22, 10, 0), tuple((90 + n % 7, 60 + n % 3) for n in range(200)))  # noqa: DTZ001 - a sensor's clock has no zone


def test_a_sensor_is_asked_for_its_memory_and_then_for_live_packets() -> None:
    sensor = Cms50(recordings=[RECORDING])
    talk = Talk(Cms50Conversation(), sensor)
    talk.go_on(6.0)
    assert [f"{command:x}" for command in sensor.commands[:11]] == [
        *("a7", "a2", "a3", "a4", "a5", "a6", "b2", "b1", "a8", "a9", "a1"),
    ]
    assert len(talk.told("stored")) == 4
    assert talk.first("live") < 2.5
    assert {decode_live(payload) for payload in talk.told("live")} == {oximeter(97.0, 68.0)}
    assert (sensor.date, sensor.time) == ((20, 26, 3, 1, 0), (13, 5, 7))  # a Sunday
    assert talk.information == [DeviceInformation(manufacturer="CONTEC", model="CMS50D+")]
    assert talk.conversation.passed_over == 0


def test_what_is_stored_is_told_byte_for_byte_the_same_at_each_link_and_counted_once(noon: datetime) -> None:
    ids = []
    for step in (0.05, 0.013):
        talk = Talk(Cms50Conversation(), Cms50(recordings=[RECORDING]), step=step)
        talk.go_on(3.0)
        ids.append(
            [
                DRIVER.read(RawPayload("USB:10C4:EA60:1", DRIVER.name, payload, noon, "stored")).id
                for payload in talk.told("stored")
            ]
        )
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 4


def test_a_stored_minute_has_the_median_and_the_time_of_its_first_sample() -> None:
    talk = Talk(Cms50Conversation(), Cms50(recordings=[RECORDING]))
    talk.go_on(3.0)
    first, *_, last = (DRIVER.characteristics["stored"](payload) for payload in talk.told("stored"))
    assert first == Decoded(
        oximeter(93.0, 61.0).measurements,
        frozenset({Flag.FROM_MEMORY}),
        DeviceTime(2026, 2, 27, 22, 10, 0),
        sequence_number=0,
    )
    assert last.device_time == DeviceTime(2026, 2, 27, 22, 13, 0)
    assert last.sequence_number == 3


def test_several_recordings_are_told_and_one_with_the_perfusion_index_as_well() -> None:
    later = Recording(datetime(2026, 2, 28, 22, 0, 0), ((91, 150), (127, 255), (92, 151)))  # noqa: DTZ001 - as above
    plain, with_index = (
        Talk(Cms50Conversation(), Cms50(recordings=[RECORDING, later], with_index=index))
        for index in (False, True)
    )
    plain.go_on(3.0)
    with_index.go_on(3.0)
    assert len(plain.told("stored")) == 5
    assert plain.told("stored") == with_index.told("stored")
    assert plain.told("stored")[-1].hex() == "141a021c160000" + "000000" + "01" + "5b967fff5c97"


def test_a_sensor_without_a_clock_has_a_memory_that_is_never_scored() -> None:
    talk = Talk(Cms50Conversation(), Cms50(recordings=[Recording(None, RECORDING.samples)]))
    talk.go_on(3.0)
    decoded = DRIVER.characteristics["stored"](talk.told("stored")[0])
    assert decoded.flags == {Flag.FROM_MEMORY, Flag.CLOCK_NOT_SET}
    assert decoded.device_time is None
    assert not any(each.usable for each in decoded.measurements)


def test_a_hub_whose_own_clock_is_not_believed_sets_none() -> None:
    sensor = Cms50()
    Talk(Cms50Conversation(), sensor, local=None).go_on(3.0)
    assert (sensor.date, sensor.time) == ((), ())


def test_its_clock_is_set_by_the_homes_zone_though_it_was_switched_on_after_the_clocks_changed() -> None:
    opened = datetime(2026, 3, 29, 0, 30, tzinfo=ZoneInfo("Europe/London"))  # in half an hour, summer time
    talk = Talk(Cms50Conversation(), sensor := Cms50(switched_on=False), local=opened, step=1.0)
    talk.go_on(3600)
    sensor.switched_on = True
    talk.step = 0.05
    talk.go_on(5)
    assert (sensor.date[:4], sensor.time[:2]) == ((20, 26, 3, 29), (2, 30))


def test_a_memory_that_comes_damaged_is_asked_for_again_and_none_of_it_is_told_before() -> None:
    hit: list[int] = []

    def once(octets: bytes) -> bytes:
        at = octets.find(b"\x0f", 20)
        if at < 0 or hit:
            return octets
        hit.append(at)
        return octets[: at + 3] + octets[at + 4 :]

    undamaged = Talk(Cms50Conversation(), Cms50(recordings=[RECORDING]))
    talk = Talk(Cms50Conversation(), sensor := Cms50(recordings=[RECORDING]), noise=once)
    talk.go_on(4.0)
    undamaged.go_on(4.0)
    assert hit
    assert sensor.commands.count(0xA6) == 2
    assert talk.told("stored") == undamaged.told("stored")


def test_a_memory_that_never_comes_whole_is_given_up_and_live_packets_come_all_the_same() -> None:
    def always(octets: bytes) -> bytes:
        return octets.replace(b"\x0f", b"\x0e")

    sensor = Cms50(recordings=[RECORDING])
    talk = Talk(Cms50Conversation(), sensor, noise=always)
    talk.go_on(6.0)
    assert sensor.commands.count(0xA6) == 2
    assert talk.told("stored") == []
    assert talk.first("live") < 4.0


def test_a_sensor_that_answers_nothing_is_read_live_within_two_seconds() -> None:
    talk = Talk(Cms50Conversation(), Cms50(answers=False))
    talk.go_on(8.0)
    assert talk.first("live") <= 2.2
    assert len(talk.told("live")) >= 5


def test_a_sensor_that_is_switched_on_later_is_then_asked_everything() -> None:
    sensor = Cms50(recordings=[RECORDING], switched_on=False)
    talk = Talk(Cms50Conversation(), sensor)
    talk.go_on(60.0)
    assert talk.payloads == []
    sensor.switched_on = True
    talk.go_on(6.0)
    assert len(talk.told("stored")) == 4
    assert len(talk.told("live")) >= 2
    assert sensor.time == (13, 6, sensor.time[2])  # a minute after the link began
    sensor.switched_on = False
    talk.go_on(20.0)
    sensor.switched_on = True
    talk.go_on(6.0)
    assert talk.told("stored")[:4] == talk.told("stored")[4:]


def test_a_sensor_that_is_switched_on_soon_after_it_was_plugged_in_is_asked_everything() -> None:
    sensor = Cms50(recordings=[RECORDING], switched_on=False)
    talk = Talk(Cms50Conversation(), sensor)
    talk.go_on(5.0)
    sensor.switched_on = True
    talk.go_on(6.0)
    assert len(talk.told("stored")) == 4


def test_a_memory_of_half_a_day_is_told_once_and_then_live_packets_come() -> None:
    sensor = Cms50(recordings=[Recording(RECORDING.began, RECORDING.samples * 216)])
    talk = Talk(Cms50Conversation(), sensor, step=0.25)
    talk.go_on(20.0)
    assert sensor.commands.count(0xA6) == 1
    assert len(talk.told("stored")) == 720
    assert len(talk.told("live")) >= 5


def test_a_sensor_that_is_slow_to_stream_after_a_long_memory_is_not_taken_for_one_switched_off() -> None:
    class Slow(Cms50):
        def hear(self, octets: bytes, at: float) -> bytes:
            return super().hear(octets if at < 1012.1 or at > 1017 else b"", at)

    sensor = Slow(recordings=[Recording(RECORDING.began, RECORDING.samples * 216)])
    talk = Talk(Cms50Conversation(), sensor, step=0.25)
    talk.go_on(40.0)
    assert sensor.commands.count(0xA6) == 1
    assert len(talk.told("live")) >= 15


def test_however_much_is_stored_live_packets_come_after_a_minute() -> None:
    day = Recording(RECORDING.began, ((95, 61),) * 86_400)
    talk = Talk(Cms50Conversation(), Cms50(recordings=[day] * 5), step=0.25)
    talk.go_on(70.0)
    assert 1440 * 2 <= len(talk.told("stored")) <= 1440 * 3
    assert 60.0 < talk.first("live") < 66.0


def test_what_a_sensor_refuses_is_not_waited_for_and_costs_nothing_else() -> None:
    unknown = frozenset({0xA3, 0xA5, 0xA8, 0xA9, 0xB1, 0xB2})
    sensor = Cms50(recordings=[RECORDING], refuses=unknown)
    talk = Talk(Cms50Conversation(), sensor)
    talk.go_on(4.0)
    assert len(talk.told("stored")) == 4
    assert DRIVER.characteristics["stored"](talk.told("stored")[0]).flags >= {Flag.CLOCK_NOT_SET}
    assert talk.first("live") < 2.2
    assert talk.information == []


def test_a_sensor_that_pauses_is_asked_for_live_packets_and_not_for_its_memory() -> None:
    sensor = Cms50(recordings=[RECORDING])
    talk = Talk(Cms50Conversation(), sensor)
    talk.go_on(4.0)
    sensor.switched_on = False
    talk.go_on(3.0)
    sensor.switched_on = True
    before = len(talk.told("live"))
    talk.go_on(5.0)
    assert len(talk.told("live")) > before + 1
    assert len(talk.told("stored")) == 4


def test_a_sensor_is_told_that_the_hub_is_still_there() -> None:
    sensor = Cms50()
    talk = Talk(Cms50Conversation(), sensor)
    talk.go_on(60.0)
    assert sensor.commands.count(0xA1) == 1
    assert len(talk.told("live")) >= 57
    assert 10 <= sensor.commands.count(0xAF) <= 16


def test_nothing_is_ever_deleted_from_a_sensor() -> None:
    sensor = Cms50(recordings=[RECORDING])
    Talk(Cms50Conversation(), sensor).go_on(20.0)
    assert 0xAE not in sensor.commands


def test_a_finger_taken_out_gives_no_number() -> None:
    sensor = Cms50()
    talk = Talk(Cms50Conversation(), sensor)
    talk.go_on(4.0)
    sensor.finger = Finger(inside=False)
    talk.go_on(4.0)
    assert decode_live(talk.told("live")[0]) == oximeter(97.0, 68.0)
    assert decode_live(talk.told("live")[-1]) == oximeter(None, None, Quality.UNUSABLE, Flag.SENSOR_DISPLACED)


def test_a_saturation_that_falls_is_seen_in_the_second_in_which_it_falls() -> None:
    sensor = Cms50()
    talk = Talk(Cms50Conversation(), sensor)
    talk.go_on(5.0)
    sensor.finger = Finger(saturation=84, pulse=131)
    talk.go_on(2.0)
    assert decode_live(talk.told("live")[-1]) == oximeter(84.0, 131.0)
