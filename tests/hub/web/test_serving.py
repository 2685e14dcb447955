"""The page over real sockets: TLS, certificates that are renewed, and who is too slow or too many."""

from __future__ import annotations

import asyncio
import re
import socket
import sqlite3
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from hub.configuration.file import load
from hub.staff.rights import Role
from hub.store.errors import StoreError
from hub.web import guard, lock_out, serving
from hub.web.app import application
from hub.web.serving import BoundedProtocol, PageError, Renewing, context_of, draws, serve, server_of
from tests.rigs.certificates import Authority
from tests.rigs.house import House, write_configuration
from tests.rigs.staff_page import NAMES, PAGE, PINS, staff_page

HERE = "127.0.0.1"


@asynccontextmanager
async def served(
    directory: Path, context: ssl.SSLContext | None = None, listening: socket.socket | None = None
) -> AsyncIterator[int]:
    """The page at the port that is told."""
    bound = listening or socket.create_server((HERE, 0))
    page = "[page]\n" if context is not None else PAGE
    house = House(directory, page)
    async with staff_page(directory, house=house) as rig:
        server = server_of(application(rig.page), context)
        task = asyncio.create_task(server.serve(sockets=[bound]))
        while not server.started:
            await asyncio.sleep(0.005)
        try:
            yield bound.getsockname()[1]
        finally:
            server.should_exit = True
            await task
            bound.close()
            house.connection.close()


async def said_to(port: int, words: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(HERE, port)
    writer.write(words)
    await writer.drain()
    return reader, writer


async def closes(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(10):
        with suppress(ConnectionError):
            while await reader.read(65536):
                pass
    return True


async def test_somebody_signs_in_over_tls_with_a_cookie_that_is_for_tls_alone(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.certify("page", address=HERE)
    trusting = ssl.create_default_context(cafile=str(authority.certificate))
    async with served(tmp_path, context_of(certificate, key)) as port:
        address = f"https://{HERE}:{port}"
        async with httpx.AsyncClient(verify=trusting, base_url=address) as browser:
            said = {"name": NAMES[Role.CARER], "pin": PINS[Role.CARER]}
            answer = await browser.post("/sign-in", data=said, headers={"Origin": address})
            assert answer.status_code == 303
            cookie = answer.headers["set-cookie"]
            assert re.match(r"__Host-carehub=[\w-]{43}; HttpOnly; Path=/; SameSite=strict; Secure$", cookie)
            assert "max-age" in answer.headers["strict-transport-security"]
            assert "server" not in answer.headers
            assert (await browser.get("/pin")).status_code == 200
        with pytest.raises(httpx.HTTPError):
            await httpx.AsyncClient().get(f"http://{HERE}:{port}/sign-in")


async def test_who_says_nothing_and_who_says_it_slowly_are_let_go_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_ASKS_WITHIN_SECONDS", 0.05)
    whole = f"GET /sign-in HTTP/1.1\r\nHost: {HERE}\r\n\r\n".encode()
    async with served(tmp_path) as port:
        for words in (b"", b"GET / HT", whole[:-2]):
            reader, writer = await said_to(port, words)
            assert await closes(reader)
            writer.close()
        monkeypatch.setattr(serving, "_ASKS_WITHIN_SECONDS", 1.5)  # for who is in time
        reader, writer = await said_to(port, whole)
        await reader.readuntil(b"</html>")
        writer.write(whole[:-2])  # the first was in time, the second is not
        assert await closes(reader)
        writer.close()


async def test_a_form_that_does_not_arrive_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "_LONGEST_SENDING_SECONDS", 0.05)
    async with served(tmp_path) as port:
        head = (
            f"POST /sign-in HTTP/1.1\r\nHost: {HERE}:{port}\r\nOrigin: http://{HERE}:{port}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nname="
        )
        reader, writer = await said_to(port, head.encode())
        async with asyncio.timeout(10):
            assert b" 408 " in await reader.readline()
        writer.close()


async def test_who_has_too_many_connections_gets_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_MOST_OF_ONE_ADDRESS", 3)
    async with served(tmp_path) as port:
        kept = [await said_to(port, b"GET") for _ in range(3)]
        while BoundedProtocol._of_address[HERE] < 3:
            await asyncio.sleep(0.005)
        reader, writer = await said_to(port, b"")
        assert await closes(reader)
        writer.close()
        for _, each in kept:
            each.close()
        while BoundedProtocol._of_address[HERE]:
            await asyncio.sleep(0.005)
        async with httpx.AsyncClient() as browser:
            assert (await browser.get(f"http://{HERE}:{port}/sign-in")).status_code == 200


async def test_what_claims_to_be_forwarded_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or whoever guesses PINs would have an address of their own for each."""
    monkeypatch.setattr(lock_out, "WRONG_BY_ADDRESS", 3)
    async with served(tmp_path) as port, httpx.AsyncClient(base_url=f"http://{HERE}:{port}") as browser:
        said = []
        for number in range(4):
            headers = {"X-Forwarded-For": f"10.0.0.{number}", "Origin": f"http://{HERE}:{port}"}
            form = {"name": f"name {number}", "pin": "609418"}
            said.append((await browser.post("/sign-in", data=form, headers=headers)).status_code)
    assert said == [401, 401, 429, 429]


def test_a_renewed_certificate_is_taken_up_and_half_of_one_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.certify("page", address=HERE)
    context = context_of(certificate, key)
    renewing = Renewing(context, certificate, key)
    other, other_key = authority.certify("other", address=HERE)
    certificate.write_bytes(other.read_bytes())
    renewing.look()
    assert "cannot be used, and the old one is" in caplog.text
    key.write_bytes(other_key.read_bytes())
    caplog.clear()
    caplog.set_level("INFO")
    renewing.look()
    assert "is used from now on" in caplog.text


def test_a_certificate_that_cannot_be_used_is_said_by_name(tmp_path: Path) -> None:
    (tmp_path / "page.crt").write_text("no certificate")
    with pytest.raises(PageError, match=r"page\.crt"):
        context_of(tmp_path / "page.crt", tmp_path / "page.key")


async def test_an_address_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.create_server((HERE, 0)) as taken:
        port = taken.getsockname()[1]
        path = write_configuration(tmp_path, f"{PAGE}port = {port}\n")
        with pytest.raises(PageError, match=rf"page\.port: {HERE}, {port} cannot be had"):
            await serve(load(path))


async def test_who_connects_and_never_begins_tls_does_not_keep_others_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_MOST_OF_ONE_ADDRESS", 3)
    authority = Authority(tmp_path)
    context = context_of(*authority.certify("page", address=HERE))
    async with served(tmp_path, context, serving._bound(HERE, 0)) as port:
        silent = [await said_to(port, b"") for _ in range(3)]
        reader, one_more = await said_to(port, b"")
        assert await closes(reader)
        trusting = ssl.create_default_context(cafile=str(authority.certificate))
        for _ in range(4):  # one that was closed counts no more
            _, other = await asyncio.open_connection(HERE, port, ssl=trusting, local_addr=("127.0.0.2", 0))
            other.close()
            await other.wait_closed()
        for _, writer in (*silent, (reader, one_more)):
            writer.close()


async def test_no_answer_waits_for_the_acknowledgement_of_its_head() -> None:
    connected: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def attend(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted = writer.get_extra_info("socket")
        connected.set_result(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    with serving._bound(HERE, 0) as bound:
        async with await asyncio.start_server(attend, sock=bound):
            _, writer = await asyncio.open_connection(HERE, bound.getsockname()[1])
            async with asyncio.timeout(5):
                assert await connected != 0
            writer.close()


async def test_the_watchdog_is_fed_while_pages_are_drawn_though_there_be_no_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with staff_page(tmp_path) as rig:
        app, asked = application(rig.page), 0
        ask = rig.page.looking.ask

        async def counted(question: Callable[[sqlite3.Connection], object]) -> object:
            nonlocal asked
            asked += 1
            return await ask(question)

        monkeypatch.setattr(rig.page.looking, "ask", counted)
        await asyncio.wait_for(draws(app), 10)
        assert asked, "the page was drawn from the database"

        async def cannot(_question: object) -> object:
            raise StoreError(tmp_path, "cannot be read")

        monkeypatch.setattr(rig.page.looking, "ask", cannot)
        await asyncio.wait_for(draws(app), 10)


async def test_a_page_that_cannot_be_drawn_any_more_starves_the_watchdog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs(_question: object) -> object:
        return await asyncio.Event().wait()

    async with staff_page(tmp_path) as rig:
        monkeypatch.setattr(rig.page.looking, "ask", hangs)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(draws(application(rig.page)), 0.5)
