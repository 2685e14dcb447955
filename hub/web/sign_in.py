"""Signing in by name and PIN. A wrong PIN and an unknown name take as long, and get the same words."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from hub.staff.rights import LONGEST_NAME, key_of
from hub.store.staff import StaffRow, member
from hub.web.lock_out import LockOut
from hub.web.looking import Looking
from hub.web.noting import Noting
from hub.web.pins import DIGITS, Hashes
from hub.web.sessions import Session, Sessions

_MOST_IN_TURN = 10
"""Who waits for their PIN to be looked at; each takes a third of a second."""
WRONG = "This name and this PIN do not belong together. Look at both, and try again."
BUSY = "Too many people are signing in at this moment. Wait a few seconds, and try again."


@dataclass(frozen=True, slots=True)
class SignedIn:
    """It is them: `token` is for their browser."""

    token: str
    session: Session


@dataclass(frozen=True, slots=True)
class NotSignedIn:
    """It is not known to be them; `words` say what to do. `seconds` is for how long nobody may try."""

    words: str
    status: int = 401
    seconds: float = 0.0


class SignIn:
    """Who signs in, and who is kept out."""

    def __init__(
        self, looking: Looking, sessions: Sessions, hashes: Hashes, lock_out: LockOut, noting: Noting
    ) -> None:
        self._looking = looking
        self._sessions = sessions
        self._lock_out = lock_out
        self._hashes = hashes
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="PINs")
        self._turn = asyncio.Lock()
        self._in_turn = 0
        self.noting = noting

    async def enter(self, name: str, pin: str, address: str) -> SignedIn | NotSignedIn:
        """Sign somebody in who says that they are `name`, on the device with that address.

        One after the other, so that nobody tries two PINs before the first is counted.

        Raises:
            StoreError: the hub's database cannot be read.
        """
        key = key_of(name[: 4 * LONGEST_NAME])
        if not key or not pin:
            return NotSignedIn(f"Give your name and your PIN, {DIGITS} digits.")
        if (locked := self._locked(key, address)) is not None:
            return locked
        if self._in_turn >= _MOST_IN_TURN:
            return NotSignedIn(BUSY, 503)
        self._in_turn += 1
        try:
            async with self._turn:
                return self._locked(key, address) or await self._try(key, pin[: 4 * DIGITS], address)
        finally:
            self._in_turn -= 1

    async def hash_of(self, pin: str) -> str:
        """The hash to be kept of a PIN."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._hashes.of, pin)

    async def prove(self, row: StaffRow, pin: str, address: str) -> NotSignedIn | None:
        """None where it is the PIN of whom somebody is signed in as. A wrong one counts as at signing in."""
        async with self._turn:
            if (locked := self._locked(row.key, address)) is not None:
                return locked
            if await self._fits(row.pin, pin[: 4 * DIGITS]):
                return None
            return self._wrong(row.key, row.name, address) or NotSignedIn(
                "This is not your PIN as it is now."
            )

    def leave(self, session: Session) -> None:
        """Sign somebody out."""
        self._sessions.end(session)
        self.noting.note("signed out", session.person.name)

    def locked_names(self) -> frozenset[str]:
        """The names, as they are compared, for which nobody may try now."""
        return self._lock_out.locked_names()

    def unlock(self, row: StaffRow, by: str) -> None:
        """Let somebody try again, at once."""
        if self._lock_out.unlock(row.key):
            self.noting.note("unlocked", row.name, by)

    def close(self) -> None:
        """Nobody signs in any more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _try(self, key: str, pin: str, address: str) -> SignedIn | NotSignedIn:
        row = await self._looking.ask(lambda connection: member(connection, key))
        fits = await self._fits(None if row is None else row.pin, pin)
        if row is None or not fits:
            return self._wrong(key, None if row is None else row.name, address) or NotSignedIn(WRONG)
        self._lock_out.was_right(key)
        self.noting.note("signed in", row.name)
        return SignedIn(*self._sessions.begin(row))

    async def _fits(self, kept: str | None, pin: str) -> bool:
        look = self._hashes.fits
        return await asyncio.get_running_loop().run_in_executor(self._thread, look, kept, pin)

    def _wrong(self, key: str, name: str | None, address: str) -> NotSignedIn | None:
        """Count it; what to say where nobody may try now."""
        self._lock_out.was_wrong(key, address)
        locked = self._locked(key, address)
        self.noting.note("refused" if locked is None else "locked out", name)
        return locked

    def _locked(self, key: str, address: str) -> NotSignedIn | None:
        seconds = self._lock_out.seconds_locked(key, address)
        if seconds <= 0:
            return None
        minutes = max(1, -int(-seconds // 60))
        span = "1 minute" if minutes == 1 else f"{minutes} minutes"
        return NotSignedIn(
            f"Too many wrong PINs. Wait {span}, or ask a manager to unlock your name.", 429, seconds
        )
