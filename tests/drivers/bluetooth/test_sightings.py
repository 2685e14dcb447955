"""What is kept of all that goes by."""

from __future__ import annotations

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.uuids import normalize_uuid_str

from drivers.bluetooth.sightings import Sightings

CUFF = "C4:F2:17:00:00:01"
BLOOD_PRESSURE = normalize_uuid_str("1810")


def advert(name: str | None = None, *services: str, rssi: int = -60) -> AdvertisementData:
    return AdvertisementData(name, {}, {}, list(services), None, rssi, ())


def passes(sightings: Sightings, address: str, heard: AdvertisementData) -> None:
    sightings.note(BLEDevice(address, heard.local_name, None), heard)


def test_a_sighting_has_what_an_engineer_looks_for() -> None:
    sightings = Sightings()
    passes(sightings, CUFF.lower(), advert("A&D_UA-651BLE_0123AB", BLOOD_PRESSURE, rssi=-48))
    [seen] = sightings.newest_first()
    assert (seen.address, seen.name, seen.services) == (CUFF, "A&D_UA-651BLE_0123AB", (BLOOD_PRESSURE,))
    assert seen.rssi == -48
    assert seen.last_seen.tzinfo is not None


def test_ten_thousand_phones_do_not_hide_the_cuff_nor_fill_the_memory() -> None:
    sightings = Sightings()
    passes(sightings, CUFF, advert(None, BLOOD_PRESSURE))
    for number in range(10_000):
        address = f"4{number >> 16:x}:00:00:00:{number >> 8 & 0xFF:02X}:{number & 0xFF:02X}"
        passes(sightings, address, advert("phone" if number % 2 else None, normalize_uuid_str("fd6f")))
    seen = sightings.newest_first()
    assert seen[0].address == CUFF
    assert len(seen) == 201


def test_a_device_that_tells_its_service_only_now_and_then_is_listed_once() -> None:
    sightings = Sightings()
    passes(sightings, CUFF, advert())
    passes(sightings, CUFF, advert("cuff"))
    passes(sightings, CUFF, advert("cuff", BLOOD_PRESSURE))
    passes(sightings, CUFF, advert(rssi=-71))
    [seen] = sightings.newest_first()
    assert (seen.name, seen.services, seen.rssi) == ("cuff", (BLOOD_PRESSURE,), -71)


def test_what_a_device_says_without_end_is_cut_short() -> None:
    sightings = Sightings()
    passes(sightings, CUFF, advert("n" * 5000, *(normalize_uuid_str(f"{n:04x}") for n in range(500))))
    [seen] = sightings.newest_first()
    assert seen.name == "n" * 64
    assert len(seen.services) == 20
