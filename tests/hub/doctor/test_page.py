"""Whether the staff page answers, with a certificate that browsers take: a real page, real certificates."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from hub.clock import now
from hub.configuration.file import Config, load
from hub.doctor import page
from hub.doctor.findings import Finding, Verdict
from hub.doctor.looking import in_thread
from hub.web.serving import serve
from tests.rigs.broker import free_port
from tests.rigs.certificates import Authority
from tests.rigs.house import House
from tests.rigs.recommended_broker import HUB, AuthorityScript

PASS, WARN, FAIL = Verdict.PASS, Verdict.WARN, Verdict.FAIL


@pytest.fixture
def authority(tmp_path: Path) -> AuthorityScript:
    """The programme's own small authority, which makes clients' certificates and servers'."""
    return AuthorityScript(tmp_path / "authority")


def configured(tmp_path: Path, page_table: str, broker: str = "") -> Config:
    """A house whose page is served on this machine alone."""
    House(tmp_path).connection.close()
    file = tmp_path / "hub.toml"
    text = file.read_text()
    if broker:
        text = text.replace("tls = false\n", broker)
    file.write_text(f'{text}[page]\naddress = "127.0.0.1"\nport = {free_port()}\n{page_table}')
    return load(file)


def named(certificate: Path, key: Path) -> str:
    """The keys of the configuration for a certificate."""
    return f'certificate_file = "{certificate}"\nkey_file = "{key}"\n'


@asynccontextmanager
async def served(config: Config) -> AsyncIterator[None]:
    """The page, as `carehub page` serves it."""
    task = asyncio.create_task(serve(config))
    try:
        async with asyncio.timeout(15):
            while True:
                try:
                    socket.create_connection(("127.0.0.1", config.page.port), 1).close()
                    break
                except OSError:
                    await asyncio.sleep(0.05)
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def examined(config: Config) -> dict[str, Finding]:
    async with served(config):
        return {each.part: each for each in await in_thread(lambda: page.page(config))}


async def test_a_page_with_a_servers_certificate_for_its_names_is_well(
    tmp_path: Path, authority: AuthorityScript
) -> None:
    authority("broker", "hub.rose-house.lan", "127.0.0.1")
    files = [authority.directory / f"hub.rose-house.lan.{ending}" for ending in ("crt", "key")]
    config = configured(tmp_path, named(*files) + 'names = ["hub.rose-house.lan"]\n')
    found = await examined(config)
    assert found["page"].told == f"answers at https://hub.rose-house.lan:{config.page.port}"
    assert found["page's certificate"].verdict is PASS
    assert found["page's certificate"].words.startswith("for hub.rose-house.lan, 127.0.0.1; ends on ")


async def test_a_name_that_the_certificate_has_not_is_a_failure(
    tmp_path: Path, authority: AuthorityScript
) -> None:
    authority("broker", "127.0.0.1")
    files = [authority.directory / f"127.0.0.1.{ending}" for ending in ("crt", "key")]
    config = configured(tmp_path, named(*files) + 'names = ["kitchen.lan"]\n')
    finding = (await examined(config))["page's certificate"]
    assert finding.verdict is FAIL
    assert "and not for kitchen.lan: browsers refuse the page" in finding.words


async def test_the_hubs_certificate_to_its_broker_is_none_for_the_page(
    tmp_path: Path, authority: AuthorityScript
) -> None:
    files = authority.client(HUB)
    broker = f'ca_file = "{files.ca}"\n' + named(files.certificate, files.key)
    finding = (await examined(configured(tmp_path, "", broker)))["page's certificate"]
    assert finding.verdict is FAIL
    assert finding.words.startswith("the page has none of its own and shows the hub's to the broker")
    assert "browsers refuse" in finding.words
    assert "certificate_file" in finding.todo


@pytest.mark.parametrize(("days", "verdict"), [(31, PASS), (20, WARN), (3, FAIL), (-1, FAIL)])
async def test_its_end_is_told_before_it_comes(tmp_path: Path, days: int, verdict: Verdict) -> None:
    ends = now() + timedelta(days=days, hours=1)
    files = Authority(tmp_path).certify("page", address="127.0.0.1", ends=ends)
    finding = (await examined(configured(tmp_path, named(*files))))["page's certificate"]
    assert finding.verdict is verdict
    assert finding.words.endswith(f"ends on {ends:%Y-%m-%d}")


async def test_a_page_without_tls_has_no_certificate_to_look_at(tmp_path: Path) -> None:
    found = await examined(configured(tmp_path, "tls = false\n"))
    assert [(part, each.verdict) for part, each in found.items()] == [("page", PASS)]


def test_a_page_that_is_not_served_is_said_with_what_starts_it(tmp_path: Path) -> None:
    (finding,) = page.page(configured(tmp_path, "tls = false\n"))
    assert (finding.verdict, finding.words.split(" at ")[0]) == (WARN, "nothing answers")
    assert "systemctl start carehub-page" in finding.todo


def test_a_page_that_cannot_have_a_certificate_is_said_and_nothing_is_asked(tmp_path: Path) -> None:
    (finding,) = page.page(configured(tmp_path, ""))
    assert (finding.verdict, finding.words) == (WARN, "it has no certificate, so it is not served")


def test_what_takes_connections_and_says_nothing_is_a_failure(tmp_path: Path) -> None:
    config = configured(tmp_path, "tls = false\n")
    with socket.create_server(("127.0.0.1", config.page.port)):
        (finding,) = page.page(config)
    assert finding.verdict is FAIL
    assert "does not answer within 3 s" in finding.words
