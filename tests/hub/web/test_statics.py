"""What pages are drawn with is kept by browsers for as long as it is the same."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from hub.web.statics import FOLDER, Statics
from tests.rigs.staff_page import StaffPage


async def test_a_file_at_its_address_is_kept_for_a_year_and_packed(page: StaffPage) -> None:
    browser = page.browser()
    address = page.page.statics.address("page.css")
    answer = await browser.get(address)
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.content == (FOLDER / "page.css").read_bytes()
    plain = await browser.get(address, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == answer.content


async def test_another_version_of_it_is_not_kept(page: StaffPage) -> None:
    for address in ("/static/page.css", "/static/page.css?v=0123"):
        answer = await page.browser().get(address)
        assert answer.headers["cache-control"] == "no-cache"
        again = await page.browser().get(address, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "name", ["nothing.css", "../app.py", "..%2fapp.py", "%2e%2e/app.py", "/etc/passwd", "", "README.md"]
)
async def test_nothing_else_is_served(page: StaffPage, name: str) -> None:
    assert (await page.browser().get(f"/static/{name}")).status_code == 404


def test_another_content_has_another_address(tmp_path: Path) -> None:
    (tmp_path / "x.js").write_text("1")
    first = Statics(tmp_path).address("x.js")
    (tmp_path / "x.js").write_text("2")
    assert Statics(tmp_path).address("x.js") != first


def test_notes_beside_the_files_are_not_served(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("x")
    (tmp_path / "page.css").write_text("x")
    assert set(Statics(tmp_path)._files) == {"page.css"}


def test_nothing_is_fetched_from_anywhere() -> None:
    """Home networks are down, and a request tells somebody that a page was opened."""
    for path in FOLDER.rglob("*"):
        if path.suffix in {".css", ".js"}:
            text = path.read_text()
            assert "@import" not in text, path.name
            for word in ("url(http", "url(//", 'src="http', "import(", "importScripts("):
                assert word not in text, (path.name, word)


def test_packing_is_the_same_each_time(tmp_path: Path) -> None:
    (tmp_path / "x.css").write_text("a" * 1000)
    packed = [Statics(tmp_path)._files["x.css"].packed for _ in range(2)]
    assert packed[0] is not None
    assert packed[0] == packed[1]
    assert gzip.decompress(packed[0]) == b"a" * 1000
