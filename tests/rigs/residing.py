"""Residents as the daemon has them, from one start to the next, over a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import datetime

from hub.configuration.file import Config
from hub.residents.household import Household
from hub.residents.register import Register
from hub.residents.requests import ResidentRequests
from hub.sensors.enrolment import Enrolment
from hub.store.audit import AuditEntry, newest
from hub.store.audit_verification import verify
from hub.store.database import FILE_NAME, open_for_reading
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from hub.trail import Audited

SAM = "Sam Field"
BAND, OTHER_BAND = "BAND-0001", "BAND-0002"
VERA = {"name": "Vera Example", "room": "12", "birth_year": "1938"}
"""Somebody who is entered: made up."""


@dataclass
class Residing:
    """A household that runs, and what it had others do."""

    household: Household
    enrolment: Enrolment
    requests: ResidentRequests
    writer: Writer
    streams_closed: list[str] = field(default_factory=list)
    rounds_closed: list[tuple[str, str]] = field(default_factory=list)
    alerts_closed: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def register(self) -> Register:
        return self.enrolment.register

    def close_alert(self, _at: Transaction, resident: str, why: str, by: str, _moment: datetime) -> None:
        self.alerts_closed.append((resident, why, by))


@asynccontextmanager
async def living(config: Config) -> AsyncIterator[Residing]:
    """From a start to its end."""
    async with Writer(config.hub.data_directory / FILE_NAME, reserve_bytes=0) as writer:
        enrolment = await Enrolment.load(config, writer)
        household = await Household.load(config, writer, enrolment.register)
        await writer.write(household.begin, urgent=True)
        residing = Residing(household, enrolment, ResidentRequests(household), writer)

        async def close_streams(address: str) -> None:
            residing.streams_closed.append(address)

        household.before_leaving = close_streams
        household.close_rounds = lambda resident, by: residing.rounds_closed.append((resident, by))
        household.close_alert = residing.close_alert
        yield residing


def newest_entry(config: Config, what: Audited) -> AuditEntry | None:
    """What the trail, which is whole, last said of this."""
    with closing(open_for_reading(config.hub.data_directory / FILE_NAME)) as connection:
        assert verify(connection).whole
        return newest(connection, what)


def all_that_is_noted(config: Config) -> str:
    """The trail's details, all of them, as text."""
    with closing(open_for_reading(config.hub.data_directory / FILE_NAME)) as connection:
        return "\n".join(text for (text,) in connection.execute("SELECT detail FROM audit"))
