"""The staff page of the demonstration: it is started, somebody signs in, and looks at the home."""

from __future__ import annotations

import asyncio
import http.client
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urlencode

from hub.control.control_socket import ControlError, ask
from hub.demo.stage import DemoError, last_words
from hub.staff.rights import Role

NAME, PIN = "Sam", "481620"
"""Who may sign in on the demonstration's page."""

_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class PageSeen:
    """Where the staff page is, and the text of the home as whoever signed in saw it."""

    address: str
    text: str

    def shows_in_order(self, words: Sequence[str]) -> bool:
        """Whether these words are all on it, each behind the one before."""
        at = 0
        for each in words:
            at = self.text.find(each, at)
            if at < 0:
                return False
        return True


async def enter_staff(directory: Path, config: Path) -> None:
    """Let somebody sign in, as soon as the hub answers. Raises `DemoError` where it refuses or never does."""
    deadline = monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            await asyncio.to_thread(ask, directory / "control.sock", "status")
            break
        except ControlError as error:
            if monotonic() > deadline:
                raise DemoError(f"the hub does not answer:\n{last_words(directory, 'hub')}") from error
            await asyncio.sleep(0.1)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub", "staff", "add", NAME, "--role", Role.SENIOR.value, "--by", "the demo",
        "--config", str(config),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate(f"{PIN}\n{PIN}\n".encode())
    if process.returncode != 0:
        raise DemoError(f"nobody can sign in on the staff page: {said.decode(errors='replace').strip()}")


async def look_at(directory: Path, port: int) -> PageSeen:
    """Sign in as soon as the page is served, and look at the home. Raises `DemoError` where it is not."""
    try:
        return await asyncio.to_thread(_look_at, port)
    except (OSError, http.client.HTTPException) as error:
        raise DemoError(
            f"the staff page does not answer ({error}):\n{last_words(directory, 'page')}"
        ) from error


def _look_at(port: int) -> PageSeen:
    deadline = monotonic() + _PATIENCE_SECONDS
    form = {"name": NAME, "pin": PIN}
    while True:
        try:
            status, cookie, _ = _ask(port, "POST", "/sign-in", form=form)
            break
        except OSError:
            if monotonic() > deadline:
                raise
            sleep(0.1)
    if status != http.client.SEE_OTHER:
        raise http.client.HTTPException(f"signing in has status {status}")
    status, _, text = _ask(port, "GET", "/", cookie)
    if status != http.client.OK:
        raise http.client.HTTPException(f"/ has status {status}")
    words = unescape(re.sub(r"<[^>]+>", " ", text))
    return PageSeen(f"http://127.0.0.1:{port}/", " ".join(words.split()))


def _ask(
    port: int, method: str, path: str, cookie: str = "", form: dict[str, str] | None = None
) -> tuple[int, str, str]:
    """The status, the cookie that is set (name=value) and the body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        headers = {"Cookie": cookie, "Origin": f"http://127.0.0.1:{port}"}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, urlencode(form) if form is not None else None, headers)
        answer = connection.getresponse()
        set_cookies = [
            value.partition(";")[0] for key, value in answer.getheaders() if key.lower() == "set-cookie"
        ]
        return answer.status, "; ".join(set_cookies), answer.read().decode()
    finally:
        connection.close()
