"""The bench's own subscriber against a real broker and against streams cut anywhere."""

from __future__ import annotations

from pathlib import Path
from time import monotonic, sleep

from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from hub.demo.mosquitto import Mosquitto
from tests.bench.ear import Ear, Mouth, packet, split
from tests.bench.table import percentile


def heard(ear: Ear, messages: int) -> None:
    """Wait until so many have come, and a little for what should not."""
    until = monotonic() + 30
    while ear.count() < messages:
        assert monotonic() < until, f"{ear.count()} of {messages} came"
        sleep(0.01)
    ear.wait_until_quiet(0.2, 10)


@given(st.lists(st.binary(max_size=300)), st.integers(1, 50))
def test_a_stream_cut_anywhere_gives_the_same_packets(bodies: list[bytes], size: int) -> None:
    whole = b"".join(packet(0x30, body) for body in bodies)
    stream, found = bytearray(), []
    for start in range(0, len(whole), size):
        stream += whole[start : start + size]
        found += list(split(stream))
    assert found == [(0x30, body) for body in bodies]
    assert not stream


def test_what_paho_publishes_is_heard_with_its_properties(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, Ear(broker.port, ["bench/#"]) as ear:
        client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho gives no types
        properties.ContentType = "application/json"
        properties.MessageExpiryInterval = 60
        properties.UserProperty = [("id", "1"), ("type", "x")]
        client.publish("bench/one", b"{}", qos=1, properties=properties).wait_for_publish(10)
        client.publish("bench/two", b"plain", qos=0)
        heard(ear, 2)
        client.disconnect()
        client.loop_stop()
        one, two = ear.take()
    assert (one.topic, one.payload, one.content_type) == ("bench/one", b"{}", "application/json")
    assert one.properties == (("id", "1"), ("type", "x"))
    assert (two.topic, two.payload, two.content_type) == ("bench/two", b"plain", None)
    assert one.moment <= two.moment


def test_everything_that_the_mouth_says_arrives_though_the_window_is_small(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, Ear(broker.port, ["bench/#"]) as ear:
        mouth = Mouth(broker.port, "bench/x", window=3)
        mouth.publish([b"%d" % number for number in range(500)])
        heard(ear, 500)
        mouth.close()
        assert [message.payload for message in ear.take()] == [b"%d" % number for number in range(500)]


def test_percentiles_are_in_milliseconds_by_the_nearest_rank() -> None:
    seconds = [number / 1000 for number in range(1, 101)]
    assert percentile(seconds, 0.5) == 51
    assert percentile(seconds, 0.99) == 100
    assert percentile([], 0.5) == 0
