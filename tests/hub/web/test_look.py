"""What every page is drawn with: whole, small, and with nothing in it that the page's own policy forbids."""

from __future__ import annotations

import gzip
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest

from hub.assessment.news2 import Band
from hub.staff.rights import Role
from hub.web.statics import FOLDER, Statics
from tests.hub.web.gallery import TEMPLATES, environment, gallery, visit, waiting

_EVERY_PAGE = ("nhsuk.css", "page.css", "htmx.js", "live.js", "clock.js", "icon.svg")
_KIB = 1024


class Page(HTMLParser):
    """The tags of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, name: str) -> list[str]:
        """What all tags say under an attribute."""
        return [value for _, attributes in self.tags if (value := attributes.get(name)) is not None]


def drawn(source: str, **shown: object) -> str:
    """What a template of one line draws, with every macro at hand."""
    names = re.findall(r"{% macro ([a-z]\w*)", (TEMPLATES / "macros.html").read_text())
    imports = f'{{% from "macros.html" import {", ".join(names)} %}}'
    return environment().from_string(imports + source).render(**shown)


def page_of(**shown: object) -> str:
    usual: dict[str, object] = {
        "visit": visit(),
        "person": None,
        "csrf": "",
        "settings": None,
        "title": "Sign in",
    }
    return environment().get_template("base.html").render(**{**usual, **shown})


def person(role: Role) -> SimpleNamespace:
    return SimpleNamespace(name="Pat Example", role=role, may=lambda right: right in role.rights)


@pytest.mark.parametrize("text", [gallery(), gallery(large=True), waiting(), page_of()])
def test_no_page_has_a_style_or_a_script_of_its_own(text: str) -> None:
    page = Page(text)
    assert "style" not in [tag for tag, _ in page.tags]
    assert page.all("style") == []
    assert [name for _, attributes in page.tags for name in attributes if name.startswith("on")] == []
    assert all("src" in attributes for tag, attributes in page.tags if tag == "script")


def test_nothing_is_fetched_from_anywhere_else() -> None:
    for text in (gallery(), page_of()):
        page = Page(text)
        addresses = [*page.all("src"), *page.all("href"), *page.all("action"), *page.all("hx-get")]
        assert [each for each in addresses if not each.startswith(("/", "#"))] == []
    for name in _EVERY_PAGE:
        text = (FOLDER / name).read_text().replace("http://www.w3.org/", "")
        assert re.findall(r"url\(\W*(?:https?:)?//|@import|@font-face", text) == [], name


def test_what_a_page_is_drawn_with_is_there_and_small() -> None:
    statics = Statics()
    sizes = {name: len(gzip.compress((FOLDER / name).read_bytes())) for name in _EVERY_PAGE}
    assert all("?v=" in statics.address(name) for name in sizes)
    assert sum(sizes.values()) < 50 * _KIB, "a page may add ten of its own"


def test_ids_are_there_once_and_every_label_hint_and_error_leads_to_its_field() -> None:
    page = Page(gallery())
    ids = page.all("id")
    assert sorted(ids) == sorted(set(ids))
    described = [each for said in page.all("aria-describedby") for each in said.split()]
    wanted = {*page.all("for"), *described, *(each[1:] for each in page.all("href") if each.startswith("#"))}
    assert wanted <= {*ids}
    assert described
    inputs = [attributes for tag, attributes in page.tags if tag in {"input", "select", "textarea"}]
    shown = [attributes.get("id") for attributes in inputs if attributes.get("type") != "hidden"]
    assert {*shown} <= {*page.all("for")}


def test_whatever_is_said_is_escaped() -> None:
    wicked = '"><script>alert(1)</script>'
    for source in (
        "{{ field('a', wicked, value=wicked, hint=wicked, error=wicked, suffix=wicked) }}",
        "{{ text_area('a', wicked, value=wicked) }}{{ select('a', wicked, [(wicked, wicked)]) }}",
        "{{ big_choices('a', wicked, [(wicked, wicked, wicked)], chosen=wicked) }}",
        "{{ error_summary([('a', wicked)]) }}{{ tag(wicked) }}{{ empty(wicked) }}",
        "{{ button(wicked, name=wicked, value=wicked) }}{{ check_box(wicked, wicked) }}",
        "{{ summary_list([(wicked, wicked, wicked)]) }}{{ row([wicked]) }}{{ link_button(wicked, wicked) }}",
        "{% call card(wicked, href=wicked, attributes={'id': wicked}) %}{{ wicked }}{% endcall %}",
        "{% call table(wicked, [wicked]) %}{% endcall %}{% call banner(wicked) %}{% endcall %}",
    ):
        assert "<script" not in drawn(source, wicked=wicked)


def test_a_choice_that_was_made_is_made_in_what_comes_back() -> None:
    text = drawn("{{ big_choices('a', 'A', [('1', 'one'), ('2', 'two')], chosen='2') }}")
    assert re.findall(r'value="(\d)" checked', text) == ["2"]
    assert " checked" not in drawn("{{ big_choices('a', 'A', [('None', 'one')]) }}{{ check_box('b', 'B') }}")
    assert re.findall(
        r'value="(\d)" selected', drawn("{{ select('a', 'A', [(1, 'one'), (2, 'two')], chosen='2') }}")
    ) == ["2"]


def test_a_score_is_read_out_with_its_band_and_nobodys_score_is_not_nought() -> None:
    assert "NEWS2 at least 5, at least medium" in drawn("{{ score(5, 'medium', complete=false) }}")
    assert "page-score--single-red" in drawn("{{ score(3, 'single_red') }}")
    unknown = drawn("{{ score(none) }}")
    assert "NEWS2 not known" in unknown
    assert "page-score--none" in unknown
    assert ">0<" not in unknown


def test_a_part_that_renews_itself_waits_for_its_topics_and_htmx_reads_them() -> None:
    text = drawn("{% call live_part('x', '/parts/x', ['home', 'resident/R-0412']) %}{% endcall %}")
    assert 'hx-trigger="news:home from:body, news:resident-R-0412 from:body"' in text


@pytest.mark.parametrize(
    ("role", "items"),
    [
        (Role.CARER, ["Home", "Tray", "Sensors", "Hub"]),
        (Role.SENIOR, ["Home", "Tray", "Sensors", "Hub"]),
        (Role.MANAGER, ["Home", "Tray", "Sensors", "Hub", "Residents", "Staff"]),
        (Role.ENGINEER, ["Sensors", "Hub", "Staff"]),
    ],
)
def test_the_menu_has_what_a_role_may_open(role: Role, items: list[str]) -> None:
    assert re.findall(r'class="page-menu__link"[^>]*>(\w+)<', page_of(person=person(role))) == items


def test_nobody_has_no_menu_and_may_still_have_large_type() -> None:
    text = page_of()
    assert "page-menu__link" not in text
    assert 'name="type" value="large"' in text
    assert 'class="page-large"' in page_of(visit=visit(large=True))


def test_the_bar_says_how_many_alerts_wait_and_is_empty_where_none_does() -> None:
    assert "2 alerts wait: highest NEWS2 high" in waiting(2, Band.HIGH)
    assert "1 alert waits: NEWS2 medium" in waiting(1, Band.MEDIUM)
    assert "3 alerts wait" in waiting(3, None), "of alerts that cannot be read no band is known"
    assert "<p" not in waiting(0, None)
    assert 'href="/"' not in waiting(2, Band.HIGH, signed_in=False)


def test_what_is_of_others_has_its_licence_and_its_version_beside_it() -> None:
    vendor = Path(TEMPLATES).parent / "vendor"
    wanted = (vendor / "package.json").read_text()
    assert '"nhsuk-frontend": "10.6.1"' in wanted
    assert 'version:"2.0.11"' in (FOLDER / "htmx.js").read_text()
    assert "MIT" in (vendor / "nhsuk-frontend.LICENSE").read_text()
    assert (vendor / "htmx.LICENSE").read_text().startswith("Zero-Clause BSD")
