"""The properties of what the hub publishes over MQTT 5."""

from __future__ import annotations

from paho.mqtt.properties import Properties, VariableByteIntegers

from hub.uplink.cloudevents import Message


class PublishProperties(Properties):
    """The properties of a PUBLISH, ready packed (MQTT 5, sections 3.3.2.3.6, 3.3.2.3.8 and 3.3.2.3.9).

    paho's own class looks every name up in lists, at a third of the whole cost of a message.
    """

    def __init__(self, message: Message, correlation: bytes | None = None) -> None:
        block = bytearray()
        if correlation is not None:
            block += b"\x09" + len(correlation).to_bytes(2, "big") + correlation
        if message.content_type is not None:
            block += b"\x03" + _utf8(message.content_type)
        for name, value in message.user_properties:
            block += b"\x26" + _utf8(name) + _utf8(value)
        length = VariableByteIntegers.encode(len(block))  # type: ignore[no-untyped-call]  # paho gives no types
        object.__setattr__(self, "packed", length + bytes(block))  # paho's class allows no names but MQTT's

    packed: bytes

    def pack(self) -> bytes:
        """What goes into the packet."""
        return self.packed


def _utf8(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(2, "big") + encoded
