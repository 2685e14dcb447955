"""Enrolment as the daemon has it, from one start to the next, over a database of its own."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import lru_cache
from pathlib import Path

from hub.configuration.file import Config, Sensor, load
from hub.sensors.enrolment import Enrolment
from hub.store.database import FILE_NAME, open_for_writing
from hub.store.writer import Writer
from tests.rigs.house import ILL, write_configuration

NEW, OTHER = "C4:F2:17:00:00:77", "C4:F2:17:00:00:78"
SAM = "Sam Field"


@lru_cache(maxsize=1)
def _new_database() -> bytes:
    """To make one takes longer than all that is done with it."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / FILE_NAME
        with closing(open_for_writing(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return path.read_bytes()


def new_home(directory: Path) -> Config:
    """The configuration of a hub that has its database and was never started."""
    (directory / "data").mkdir()
    (directory / "data" / FILE_NAME).write_bytes(_new_database())
    return load(write_configuration(directory))


@asynccontextmanager
async def running(config: Config) -> AsyncIterator[Enrolment]:
    """From a start to its end."""
    async with Writer(config.hub.data_directory / FILE_NAME, reserve_bytes=0) as writer:
        enrolment = await Enrolment.load(config, writer)
        await writer.write(enrolment.begin, urgent=True)
        yield enrolment


def sensor(address: str = NEW, resident: str | None = ILL, **said: object) -> Sensor:
    """A sensor to enrol."""
    return Sensor.model_validate(
        {"address": address, "driver": "blood_pressure", "resident": resident, **said}
    )


def owner(enrolment: Enrolment, address: str = NEW, user: int | None = None) -> str | None:
    """Whose a reading of the sensor would be now."""
    resident = enrolment.register.owner_of(address, user)
    return None if resident is None else resident.id
