"""Who lives here: those of the configuration, and those who were entered on the page, by command or by table.

Both are the same to all who use them. Of either kind more may be known (`hub.residents.care.Care`): where
they are, whether they consent, what is normal for them, what was agreed on. Who is in the configuration is
named there: name, room, year of birth, scale and wristband are changed in the file. Somebody in both places
is the configuration's: who was entered is then left to it at the next start, and what is known of them stays.

**Who is not watched owns nothing** (`hub/residents/register.py`). In hospital, moved, died, or without
consent: from the moment in which that is said nothing that is measured is theirs, their round is closed, and
so is their open alert, in the same commit. What was measured until then stays theirs. Back again, what is
measured from then on is theirs, and not what their sensor measured meanwhile and kept.

**Nobody is ever removed,** since what is kept of them would be of nobody: who has left is said to have left.
A pseudonym of which anything is kept is given to nobody else: whoever enters one must say that it is the same
person.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Self
from zoneinfo import ZoneInfo

from hub.clock import now
from hub.configuration.file import Config, Resident
from hub.residents import trail as resident_trail
from hub.residents.care import Care, Consent
from hub.residents.fields import FIELDS, ResidentError, care_from, differing, of_the_file, resident_from
from hub.residents.listed import Listed, care_data, residents_of, row_of, with_care, with_troubles
from hub.residents.register import Register, UnknownResidentError
from hub.residents.table import ONE_PERSON, Plan, Planned, Problem, plan, rows_of
from hub.store import people
from hub.store.database import FILE_NAME, open_for_reading
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from hub.trail import Moment

__all__ = ["CareSaid", "Household", "Listed", "residents_of"]

_log = logging.getLogger(__name__)
_LONGEST_NAME = 200
_UNREADABLE = (
    "what was known of them could not be read on the card, and they are watched: say again where they are,"
    " whether they consent, what is normal, and what was agreed on"
)
_WAS_SOMEBODYS = (
    "was somebody's here before, and what is kept of them would be this resident's: give another, or none,"
    " and"
    " the hub makes one"
)
CloseAlert = Callable[[Transaction, str, str, str, datetime], object]
"""Closes the open alert of a resident, if there is one: whose, why, by whom, when."""


@dataclass(frozen=True, slots=True)
class CareSaid:
    """What became of what was said of a resident's care: whether they were watched before, and now."""

    listed: Listed
    changed: tuple[str, ...]
    was_watched: bool


class Household:
    """Takes residents in, and changes what is known of them, while the hub runs; the register follows at"
    " once."""

    def __init__(self, config: Config, writer: Writer, register: Register, listed: Sequence[Listed]) -> None:
        """The register has those of the configuration already."""
        self._config = config
        self._writer = writer
        self._register = register
        self._listed: dict[str, Listed] = {}
        self._turn = asyncio.Lock()
        self.before_leaving: Callable[[str], Awaitable[None]] = _nothing
        """Is given the address of a sensor of theirs, and stores what was gathered of it: it stays theirs."""
        self.close_rounds: Callable[[str, str], object] = lambda _resident, _by: None
        """Is given whose rounds to close, and who says so."""
        self.close_alert: CloseAlert = lambda _transaction, _resident, _why, _by, _at: None
        for each in listed:
            self._take_in(each)

    @classmethod
    async def load(cls, config: Config, writer: Writer, register: Register) -> Self:
        """As the configuration and the card have it.

        Raises:
            NotCommittedError: the card cannot be read.
        """
        listed = await writer.write(
            lambda transaction: residents_of(config, transaction.connection), urgent=True
        )
        for each in listed:
            if each.trouble is not None:
                _log.error("resident %s: %s", each.resident.id, each.trouble)
        return cls(config, writer, register, listed)

    def begin(self, transaction: Transaction) -> None:
        """At the start: leave to the configuration whoever was entered and is in it by now."""
        of_file = {each.id for each in self._config.residents}
        moment = Moment.present()
        for row in people.entered(transaction.connection):
            if row.id in of_file:
                people.leave_to_the_file(transaction.connection, row.id)
                transaction.audit(resident_trail.resident_left_to_the_file(moment, row.id))

    async def look_again(self) -> None:
        """Take in who is listed and was not known at the start, when the card had no room to be opened.

        Raises:
            NotCommittedError: the card cannot be read.
        """
        async with self._turn:
            for each in await self._writer.write(
                lambda transaction: residents_of(self._config, transaction.connection), urgent=True
            ):
                if self._listed.get(each.resident.id) != each:
                    self._take_in(each)

    @property
    def all(self) -> tuple[Listed, ...]:
        """All who are listed, whether they are here or not, as `residents_of` has them."""
        return tuple(self._listed.values())

    def find(self, pseudonym: str) -> Listed:
        """Somebody who is listed. Raises `UnknownResidentError`."""
        if pseudonym not in self._listed:
            raise UnknownResidentError(pseudonym)
        return self._listed[pseudonym]

    async def add(self, given: Mapping[str, object], by: str, *, same_person: bool = False) -> Listed:
        """Enter a resident; when this returns they are on the card, and readings may be theirs.

        Without an `id` the hub makes a pseudonym. `same_person`: the pseudonym is of somebody of whom
        something is kept, and it is them who is entered.

        Raises:
            ResidentError: a field cannot be so; they are listed already; or another has the code.
            NotCommittedError: the card takes nothing; nothing was changed.
        """
        by = named(by)
        async with self._turn:
            chosen = bool(str(given.get("id") or "").strip())
            made = resident_from(given, Resident(id=self._new_pseudonym()), self._today())
            self._refuse(made)
            if chosen and not same_person and await self._somebodies([made.id]):
                raise ResidentError(
                    f"{FIELDS['id']}: {made.id} {_WAS_SOMEBODYS}; or say that it is the same person"
                )
            (listed,) = await self._enter([made], by)
        _log.info("resident %s: entered", made.id)
        return listed

    async def change(self, pseudonym: str, given: Mapping[str, object], by: str) -> tuple[Listed, list[str]]:
        """Change who an entered resident is; gives back which fields differ now.

        Raises:
            UnknownResidentError, ResidentError, NotCommittedError: nothing was changed.
        """
        by = named(by)
        async with self._turn:
            before = self.find(pseudonym)
            if before.entered_by is None:
                raise ResidentError(of_the_file(pseudonym))
            if "id" in given and given["id"] != pseudonym:
                raise ResidentError(f"{FIELDS['id']}: it stays what it is: what is kept of them goes by it")
            made = resident_from(given, before.resident, self._today())
            changed = differing(before.resident, made)
            if not changed:
                return before, []
            self._refuse(made, besides=pseudonym)
            after = replace(before, resident=made)

            def work(transaction: Transaction) -> None:
                people.enter(transaction.connection, row_of(after))
                transaction.audit(resident_trail.resident_changed(Moment.present(), made, changed, by))

            await self._writer.write(work, urgent=True)
            self._take_in(after)
        _log.info("resident %s: changed (%s)", pseudonym, ", ".join(changed))
        return self._listed[pseudonym], changed

    async def care(self, pseudonym: str, given: Mapping[str, object], by: str) -> CareSaid:
        """Say what is known of a resident, whether they were entered or are in the configuration.

        Raises:
            UnknownResidentError, ResidentError, NotCommittedError: nothing was changed.
        """
        by = named(by)
        async with self._turn:
            before = self.find(pseudonym)
            care = care_from(given, before.care, self._today())
            changed = differing(before.care, care)
            was, is_watched = before.care.watched, care.watched
            if not changed and not before.care_lost:
                return CareSaid(before, (), was)
            after = replace(before, care=care, care_lost=False)
            if not after.gone and before.gone:
                self._refuse_code(after.resident)
            if is_watched and not was:
                after = replace(after, since=now())
                changed = [*changed, "watched_since"]
            if not is_watched:
                for sensor in self._register.sensors_of(pseudonym):
                    await self.before_leaving(sensor.address)
                self._take_in(after)  # before: what is stored meanwhile must not be theirs
            try:
                await self._writer.write(lambda each: self._say_care(each, after, changed, by), urgent=True)
            except BaseException:
                self._take_in(before)
                raise
            self._take_in(after)
            if not is_watched:
                self.close_rounds(pseudonym, by)
        _log.info("resident %s: what is known of them was changed (%s)", pseudonym, ", ".join(changed))
        return CareSaid(self._listed[pseudonym], tuple(changed), was)

    def _say_care(self, transaction: Transaction, after: Listed, changed: Sequence[str], by: str) -> None:
        resident, moment = after.resident.id, Moment.present()
        body = care_data(after)
        row = people.CareRow(resident, json.dumps(body, ensure_ascii=False), moment.at, by)
        people.note_care(transaction.connection, row)
        transaction.audit(resident_trail.care_changed(moment, resident, changed, body, by))
        if not after.care.watched:
            self.close_alert(transaction, resident, _why(after.care), by, moment.at)

    async def take_table(self, text: str, by: str, *, dry_run: bool) -> Plan:
        """Enter and change residents as a table says (`hub/residents/table.py`): all of them, or none where
        anything is the matter with any. With `dry_run` nothing is changed.

        Raises:
            NotCommittedError: the card takes nothing; nothing was changed.
        """
        by = named(by)
        async with self._turn:
            rows, problems = rows_of(text)
            made = plan(
                rows, self.all, self._new_pseudonym, self._today(), one_person=self._config.site.one_person
            )
            chosen = {row.line for row in rows if "id" in row.given}
            problems += await self._of_somebody([each for each in made.added if each.line in chosen])
            made = made.with_problems(problems)
            if dry_run or made.problems or not (made.added or made.changed):
                return made
            before = self._listed
            entered = [each.resident for each in made.added]
            differ = [(replace(before[each.resident.id], resident=each.resident), each.fields)
                      for each in made.changed]  # fmt: skip
            await self._enter(entered, by, differ, table=True)
        _log.info("%d resident(s) entered and %d changed by a table", len(made.added), len(made.changed))
        return made

    async def _enter(
        self,
        residents: Sequence[Resident],
        by: str,
        changed: Sequence[tuple[Listed, Sequence[str]]] = (),
        *,
        table: bool = False,
    ) -> list[Listed]:
        at = now()

        def work(transaction: Transaction) -> list[Listed]:
            connection, moment = transaction.connection, Moment.present()
            cares = people.cares(connection)
            new = [Listed(each, entered_by=by, entered_at=at, since=at) for each in residents]
            made = [with_care(each, cares.get(each.resident.id)) for each in new]
            for each in made:
                people.enter(connection, row_of(each))
                transaction.audit(resident_trail.resident_entered(moment, each.resident, by, table=table))
            for each, fields in changed:
                people.enter(connection, row_of(each))
                transaction.audit(
                    resident_trail.resident_changed(moment, each.resident, fields, by, table=table)
                )
            return made

        made = await self._writer.write(work, urgent=True)
        for each in (*made, *(listed for listed, _ in changed)):
            self._take_in(each)
        return made

    def _take_in(self, listed: Listed) -> None:
        pseudonym = listed.resident.id
        several = with_troubles(list({**self._listed, pseudonym: listed}.values()))
        self._listed = {each.resident.id: each for each in several}
        self._register.list_resident(listed.resident, listed.care, listed.since)

    def _refuse(self, resident: Resident, besides: str | None = None) -> None:
        if besides is None:
            if resident.id in self._listed:
                raise ResidentError(f"{FIELDS['id']}: {resident.id} is listed already")
            if self._config.site.one_person:
                raise ResidentError(ONE_PERSON)
        self._refuse_code(resident)

    def _refuse_code(self, resident: Resident) -> None:
        other = None if resident.wristband is None else self._register.worn_by(resident.wristband)
        if other not in {None, resident.id}:
            raise ResidentError(f"{FIELDS['wristband']}: {other} has the same code: give one of them another")

    async def _of_somebody(self, added: Sequence[Planned]) -> list[Problem]:
        found = await self._somebodies([each.resident.id for each in added])
        return [
            Problem(
                each.line,
                f"{FIELDS['id']}: {each.resident.id} {_WAS_SOMEBODYS}; or enter them alone, and say that"
                " it is"
                " the same person",
            )
            for each in added
            if each.resident.id in found
        ]

    async def _somebodies(self, pseudonyms: Sequence[str]) -> set[str]:
        """Beside the writer, since it may take a second: no alert waits behind it."""
        path = self._config.hub.data_directory / FILE_NAME

        def look() -> set[str]:
            with closing(open_for_reading(path)) as connection:
                return people.somebodies(connection, pseudonyms)

        return await asyncio.to_thread(look) if pseudonyms else set()

    def _new_pseudonym(self) -> str:
        """By chance, so that it says nothing of who came when. Of a million: that of somebody who is not
        listed any more is not met with."""
        while (made := f"R-{secrets.randbelow(10**6):06d}") in self._listed:
            pass
        return made

    def _today(self) -> date:
        return now().astimezone(ZoneInfo(self._config.site.timezone)).date()


def _why(care: Care) -> str:
    """Why somebody is not watched any more, as the history of their alert has it."""
    return "consent withdrawn" if care.consent is Consent.WITHDRAWN else care.whereabouts.value


async def _nothing(_address: str) -> None:
    pass


def named(by: str) -> str:
    """Who says something. Raises `ResidentError` where nobody does."""
    name = by.strip()
    if not name:
        raise ResidentError("say who does this: --by NAME")
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise ResidentError(f"--by: give a name of at most {_LONGEST_NAME} letters, in one line")
    return name
