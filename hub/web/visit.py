"""One request of somebody: who they are, what they sent, and what they may ask of the hub."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from hub.staff.rights import Right, Role
from hub.store.staff import member

if TYPE_CHECKING:
    import sqlite3

    from hub.web.house import House
    from hub.web.sessions import Session

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in."""

    name: str
    role: Role

    def may(self, right: Right) -> bool:
        """Whether their role has this right."""
        return right in self.role.rights


class Visit:
    """One request, of which the guard has found that it may be made."""

    def __init__(
        self,
        request: Request,
        house: House,
        person: Person | None,
        csrf: str,
        form: FormData,
        session: Session | None = None,
    ) -> None:
        """`form` is empty where nothing was sent; `csrf` is what every form of this session has to bring."""
        self.request = request
        self.house = house
        self._person = person
        self.csrf = csrf
        self.form = form
        self.session = session

    @property
    def person(self) -> Person:
        """Who is signed in; only where the route needs that somebody is."""
        assert self._person is not None, "the route asks for nobody"
        return self._person

    @property
    def signed_in(self) -> bool:
        """Whether anybody is."""
        return self._person is not None

    async def still_signed_in(self) -> bool:
        """Whether whoever asked still is: for an answer that goes on for long, as `/news`. It wakes nobody.

        Raises `StoreError` where the hub's database cannot be read.
        """
        if self.session is None or not self.house.sessions.is_on(self.session):
            return False
        key = self.session.row.key
        return self.session.is_of(await self.look(lambda connection: member(connection, key)))

    def part(self, name: str) -> str:
        """A part of the path, as "resident" in "/residents/{resident}"."""
        return str(self.request.path_params[name])

    def field(self, name: str) -> str:
        """What the form says of a field, without the blanks around it; empty where it says nothing."""
        value = self.form.get(name)
        return value.strip() if isinstance(value, str) else ""

    async def look(self, question: Callable[[sqlite3.Connection], Found]) -> Found:
        """Ask the database something, in a thread. Raises `StoreError` where it cannot be read."""
        return await self.house.looking.ask(question)

    async def ask(self, command: str, **arguments: object) -> Mapping[str, Any]:
        """Have the daemon do something, in the name of who is signed in (`by`).

        Raises:
            ControlError: it does not run, or refuses: the words are for whoever asked.
        """
        return await self.house.asking.ask(command, by=self.person.name, **arguments)

    def page(self, template: str, /, status: int = 200, **shown: Any) -> Response:
        """A page, or a part of one, from a template of `templates/`."""
        text = self.house.templates.get_template(template).render(
            visit=self, person=self._person, csrf=self.csrf, settings=self.house.settings, **shown
        )
        return Response(text, status, media_type="text/html")

    def go(self, path: str) -> Response:
        """Go on to another page, after something was done."""
        return RedirectResponse(path, 303)
