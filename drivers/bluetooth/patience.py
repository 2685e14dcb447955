"""How long the collector waits for what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the collector waits, in seconds.

    `connect` is short beside BlueZ's own 25 to 30 s: one connection is made at a time, and a sensor that
    has gone must not keep the others, which advertise for about a minute, from being heard. One that was not
    heard for `gone` when its turn comes gives way to those that wait. After a connection that took longer
    than `listen`, and in vain, nobody is connected to for that long, so that the radio hears who is there.

    `radio_least` to `radio_most` lie between two looks at a radio that is not there; `scan` is what the radio
    has to start or stop scanning; after `silence_least` seconds in which nothing was heard it is made to scan
    anew, and again after twice as long, up to `silence_most`; every `watch` seconds it is looked after. A
    turn of the collector, a remedy included, takes `turn` at the most: else it hangs.

    Of one sensor: `bond` is what connecting has where a bond is made with it; after a failure it is waited
    for from `sensor_least` up to `sensor_soon`, or up to `sensor_most` if it has time (it streams), after ten
    in a row up to `sensor_long`, and from `refused_least` to `refused_most` where only a person can help. A
    sensor that was silent for `anew` is a new chance, and is waited for no longer. The same advertised data
    within `repeated` of the last time it was heard is one payload.

    On a link: `request` is what each read and write has, and `subscribe` each subscription, over which
    bluetoothd may bond by itself; `stored` how long the sensor may be silent while it
    is asked for stored records, and `late` how long a record may come after the last; what does not hurry
    (battery, firmware) is read when nothing came for `idle`, or after `busy`.
    """

    connect: float = 10.0
    gone: float = 15.0
    listen: float = 2.0
    disconnect: float = 5.0
    sensor_least: float = 1.0
    sensor_most: float = 15.0
    radio_least: float = 1.0
    radio_most: float = 5.0
    scan: float = 10.0
    silence_least: float = 20.0
    silence_most: float = 300.0
    watch: float = 2.0
    turn: float = 60.0
    drain: float = 5.0
    bond: float = 20.0
    sensor_soon: float = 4.0
    sensor_long: float = 60.0
    refused_least: float = 10.0
    refused_most: float = 120.0
    anew: float = 30.0
    repeated: float = 30.0
    request: float = 5.0
    subscribe: float = 15.0
    stored: float = 20.0
    late: float = 0.5
    idle: float = 1.5
    busy: float = 20.0
