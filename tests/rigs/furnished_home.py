"""A home that has been lived in: many residents, observed for months, in a database of a hub.

The past is written as rows, in the store's own form (`hub/store/encoding.py`): through the intake it would
take an hour. What is of now goes through the real intake (`House.take`): the alerts that are open, the
readings that are nobody's yet. Names and rooms are invented. By hand, to look at the page or to measure it:

    python -m tests.rigs.furnished_home DIRECTORY [--residents 60] [--days 365] [--rounds 4]
"""

from __future__ import annotations

import argparse
import random
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from time import perf_counter

from hub.assessment import news2
from hub.assessment.news2 import OxygenScale
from hub.clock import now, to_microseconds
from hub.configuration.file import load
from hub.readings import Breathing, Consciousness, Measurement, Value, Vital
from hub.store.database import FILE_NAME, open_for_writing
from hub.store.encoding import measurements_text, observations_text
from tests.rigs.house import House, cuff, entry, oximeter, thermometer, write_configuration

TROLLEY = "trolley"
"""The kit of the sensors that go from room to room."""
CUFF, OXIMETER, THERMOMETER = (f"C4:F2:17:00:01:{last}" for last in ("01", "02", "03"))

_FIRST = ("Ada", "Basil", "Clara", "Denis", "Elsie", "Frank", "Grace", "Hugh", "Iris", "Jack", "Kitty", "Leo")
_LAST = ("Alder", "Birch", "Cherry", "Dogwood", "Elm", "Fern", "Gorse", "Hazel", "Ivy", "Juniper", "Larch")
_KINDS = ("cuff", "oximeter", "thermometer", "entry")  # the readings of a round, in their order
_WALKED = timedelta(seconds=90)  # from one resident to the next
_TOGETHER = 5_000


@dataclass(frozen=True, slots=True)
class Usual:
    """What somebody's vitals are about."""

    rate: int
    saturation: int
    systolic: int
    pulse: int
    celsius: float


def pseudonyms(residents: int) -> list[str]:
    """Those of the furnished home: the house's own two first."""
    return ["R-0412", "R-0077", *(f"R-1{number:03}" for number in range(3, residents + 1))][:residents]


def further_configuration(residents: int) -> str:
    """What makes a plain house (`tests/rigs/house.py`) one of so many residents, with a kit for all."""
    people = [
        f'[[residents]]\nid = "{pseudonym}"\nname = "{_FIRST[number % 12]} {_LAST[number % 11]}"\n'
        f'room = "{number}"\nbirth_year = {1930 + number % 20}\n'
        + ('oxygen_scale = 2\noxygen_scale_prescriber = "Dr Sloe"\n' if number % 15 == 0 else "")
        for number, pseudonym in enumerate(pseudonyms(residents), start=1)
        if number > 2
    ]
    sensors = [
        f'[[sensors]]\naddress = "{address}"\ndriver = "{driver}"\nkit = "{TROLLEY}"\nlabel = "{label}"\n'
        for address, driver, label in (
            (CUFF, "blood_pressure", "Trolley cuff"),
            (OXIMETER, "pulse_oximeter", "Trolley oximeter"),
            (THERMOMETER, "thermometer", "Trolley thermometer"),
        )
    ]
    return "".join([*people, *sensors])


def furnished(
    directory: Path,
    residents: int = 60,
    days: int = 365,
    rounds: int = 4,
    *,
    further: str = "",
    present: bool = True,
) -> House:
    """A house of which so many residents were observed so often a day for so many days, until now.

    Args:
        further: tables for its configuration.
        present: whether something is the matter now: two open alerts, a reading that is nobody's.
    """
    directory.mkdir(parents=True, exist_ok=True)
    more = further_configuration(residents) + further
    config = load(write_configuration(directory, more))
    config.hub.data_directory.mkdir(parents=True, exist_ok=True)
    connection = open_for_writing(config.hub.data_directory / FILE_NAME)
    scales = {each.id: each.oxygen_scale for each in config.residents}
    fill(connection, {each: scales[each] for each in pseudonyms(residents)}, days, rounds, now())
    connection.close()
    house = House(directory, more)
    if present:
        something_is_the_matter(house, pseudonyms(residents))
    return house


def something_is_the_matter(house: House, residents: Sequence[str]) -> None:
    """Two alerts of now, through the real intake, and a reading of which nobody said whose it is."""
    at = now() - timedelta(minutes=3)
    for resident, saturation, rate in zip(residents[:2], (84, 91), (26, 22), strict=False):
        at += timedelta(seconds=20)
        house.take(cuff(96, at, pulse=112), resident)
        house.take(oximeter(saturation, at, pulse=112), resident)
        house.take(thermometer(38.6, at), resident)
        house.take(entry(at, rate=rate, by="Ann Carer"), resident)
    house.take(oximeter(97, now(), device=OXIMETER))


def fill(
    connection: sqlite3.Connection,
    residents: dict[str, OxygenScale],
    days: int,
    rounds: int,
    until: datetime,
    chance: random.Random | None = None,
) -> None:
    """Write the rows of so many rounds a day, the last of them within the hours before `until`.

    Of every tenth resident the last day has no round: they are overdue. Every readings' row is as the intake
    leaves it; nothing waits in the outbox, and no alert was raised of what was bad then.
    """
    chance = chance or random.Random(412)
    sources, boot, model = _numbers(connection)
    usual = {
        each: Usual(
            chance.randint(13, 18),
            chance.randint(88, 91) if scale is OxygenScale.SCALE_2 else chance.randint(96, 98),
            chance.randint(112, 150),
            chance.randint(58, 84),
            chance.choice([36.4, 36.6, 36.8, 37.0]),
        )
        for each, scale in residents.items()
    }
    begun = until - timedelta(days=days)
    readings: list[tuple[object, ...]] = []
    assessments: list[tuple[object, ...]] = []
    (sequence,) = connection.execute("SELECT coalesce(max(sequence), 0) FROM reading").fetchone()
    (assessed,) = connection.execute("SELECT coalesce(max(sequence), 0) FROM assessment").fetchone()
    connection.execute("BEGIN")
    for moment in _moments(begun, until, days * rounds):
        for number, (resident, scale) in enumerate(residents.items()):
            at = moment + number * _WALKED
            if at >= until - timedelta(minutes=5) or (number % 10 == 9 and at > until - timedelta(days=1)):
                continue
            known: dict[Vital, tuple[Value, int]] = {}
            for kind, said in zip(_KINDS, _measured(usual[resident], chance), strict=True):
                sequence += 1
                assessed += 1
                at += timedelta(seconds=7)
                readings.append(
                    _reading_row(sequence, resident, sources[kind], boot, kind, at, begun, said, chance)
                )
                known |= {vital: (value, sequence) for vital, value in said}
                assessments.append(_set_row(assessed, resident, sequence, scale, known, model, chance))
        if len(readings) > _TOGETHER:
            _write(connection, readings, assessments)
    _write(connection, readings, assessments)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


_Said = tuple[tuple[Vital, Value], ...]


def _moments(begun: datetime, until: datetime, rounds: int) -> Iterator[datetime]:
    apart = (until - begun) / rounds
    # The last begins two hours and a half before the end, so that a walk through sixty rooms is over.
    return (begun + (number + 1) * apart - timedelta(minutes=150) for number in range(rounds))


def _measured(usual: Usual, chance: random.Random) -> tuple[_Said, ...]:
    """What each of a round's readings says: about what is usual, and now and then something is not."""
    ill = 1 if chance.random() < 0.01 else 0
    systolic = float(usual.systolic + chance.randint(-8, 8) - 35 * ill)
    diastolic = float(round(systolic * 0.6))
    pulse = float(usual.pulse + chance.randint(-6, 6) + 30 * ill)
    return (
        (
            (Vital.SYSTOLIC_PRESSURE, systolic),
            (Vital.DIASTOLIC_PRESSURE, diastolic),
            (Vital.MEAN_ARTERIAL_PRESSURE, float(round((systolic + 2 * diastolic) / 3))),
            (Vital.PULSE_RATE, pulse),
        ),
        (
            (Vital.OXYGEN_SATURATION, float(usual.saturation + chance.randint(-1, 1) - 6 * ill)),
            (Vital.PULSE_RATE, pulse + chance.randint(-1, 1)),
        ),
        ((Vital.TEMPERATURE, round(usual.celsius + chance.uniform(-0.3, 0.3) + 1.5 * ill, 1)),),
        (
            (Vital.CONSCIOUSNESS, Consciousness.ALERT),
            (Vital.SUPPLEMENTAL_OXYGEN, Breathing.AIR),
            (Vital.RESPIRATION_RATE, float(usual.rate + chance.randint(-2, 2) + 8 * ill)),
        ),
    )


_measurements = lru_cache(maxsize=50_000)(
    lambda said: measurements_text([Measurement(vital, value) for vital, value in said])
)
_ENTERED = b'{"entry": "0", "by": "Ann Carer"}'


def _reading_row(
    sequence: int,
    resident: str,
    source: int,
    boot: int,
    kind: str,
    at: datetime,
    begun: datetime,
    said: _Said,
    chance: random.Random,
) -> tuple[object, ...]:
    received_at = to_microseconds(at)
    identifier = (received_at // 1000).to_bytes(6, "big") + b"\x80\x00\x80" + chance.randbytes(7)
    payload = _ENTERED if kind == "entry" else b"furnished"
    since_boot = received_at - to_microseconds(begun) + 10**9
    text = _measurements(said)
    return (sequence, identifier, resident, source, payload, received_at, boot, since_boot, 0, 0, text, "")


def _set_row(
    sequence: int,
    resident: str,
    reading: int,
    scale: OxygenScale,
    known: dict[Vital, tuple[Value, int]],
    model: int,
    chance: random.Random,
) -> tuple[object, ...]:
    band, total = _scored(tuple((vital, value) for vital, (value, _) in known.items()), scale)
    risk = round(0.01 + 0.02 * total + 0.01 * chance.random(), 4)
    text = observations_text(known, reading)
    return sequence, resident, reading, int(scale), text, band, total, risk, model


@lru_cache(maxsize=200_000)
def _scored(known: _Said, scale: OxygenScale) -> tuple[str, int]:
    score = news2.score(dict(known), scale)
    return score.band.value, score.total


def _numbers(connection: sqlite3.Connection) -> tuple[dict[str, int], int, int]:
    """The numbers of the devices, of a boot and of a model, which are made for it."""
    of = {
        "cuff": (CUFF, "blood_pressure", "2a35", "sensor"),
        "oximeter": (OXIMETER, "pulse_oximeter", "2a5e", "sensor"),
        "thermometer": (THERMOMETER, "thermometer", "2a1c", "sensor"),
        "entry": ("manual", "manual", "", "manual"),
    }
    sources = {}
    for kind, columns in of.items():
        made = connection.execute(
            "INSERT INTO source (device, driver, characteristic, origin) VALUES (?, ?, ?, ?)", columns
        )
        sources[kind] = int(made.lastrowid or 0)
    boot = connection.execute("INSERT INTO boot (id) VALUES (?)", (bytes(15) + b"\x01",)).lastrowid
    model = connection.execute(
        "INSERT INTO model (name, version, sha256) VALUES ('deterioration', '1.1.0', '0123456789abcdef')"
    ).lastrowid
    return sources, int(boot or 0), int(model or 0)


def _write(
    connection: sqlite3.Connection, readings: list[tuple[object, ...]], assessments: list[tuple[object, ...]]
) -> None:
    connection.executemany(
        "INSERT INTO reading (sequence, id, resident, source, payload, received_at, boot, since_boot, clock,"
        " time_quality, measurements, flags) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        readings,
    )
    connection.executemany(
        "INSERT INTO assessment (sequence, resident, reading, scale, observations, band, total, risk, model)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        assessments,
    )
    readings.clear()
    assessments.clear()


def main() -> None:
    """Furnish a home in a directory, and say how long it took."""
    parser = argparse.ArgumentParser(description="Furnish a home.")
    parser.add_argument("directory", type=Path)
    for name, default in (("residents", 60), ("days", 365), ("rounds", 4)):
        parser.add_argument(f"--{name}", type=int, default=default)
    said = parser.parse_args()
    begun = perf_counter()
    house = furnished(said.directory, said.residents, said.days, said.rounds)
    print(f"{house.count('reading')} readings in {perf_counter() - begun:.1f} s: {house.path}")


if __name__ == "__main__":
    main()
