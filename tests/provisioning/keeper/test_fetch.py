"""What the hub was asked becomes an order, where the site allows it; an order ends in words whatever happens,
and before systemd starts it no more."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from provisioning.keeper import fetch as fetching
from provisioning.keeper import wall_clock
from provisioning.keeper.centre import Centre, Order
from provisioning.keeper.fetch import REQUEST_NAME, SOURCE_NAME, Pace, fetch, finish, take
from tests.rigs.fetching import AT_ONCE, ID, Started, allow, ask, brought, last, left
from tests.rigs.release_source import ReleaseSource
from tests.rigs.releases import Machine


@pytest.fixture
def asked(allowed: Machine, source: ReleaseSource) -> Machine:
    """A machine whose hub was asked for a release that lies there."""
    ask(allowed, source.serve(allowed.bundle(version="1.1", build="two")))
    return allowed


@pytest.fixture
def clock_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wall_clock, "_TIMESYNCD_HAS_SET_IT", tmp_path)


def standing(machine: Machine) -> Order:
    found = Centre(machine.places).order()
    assert found is not None
    return found


def given(machine: Machine, *, days_ago: float) -> None:
    """Have the order that stands be one of that time."""
    Centre(machine.places).give(replace(standing(machine), at=time.time() - days_ago * 86400))


# --- the site's word


def test_a_site_that_does_not_allow_it_fetches_nothing(allowed: Machine, source: ReleaseSource) -> None:
    (allowed.places.etc / SOURCE_NAME).unlink()
    ask(allowed, source.serve(allowed.bundle(version="1.1", build="two")))
    assert brought(allowed).requests == []
    assert source.asked == []
    assert left(allowed) == set()
    assert last(allowed).outcome == "refused"
    assert "from_centre = true" in last(allowed).words


def test_a_site_that_allows_it_no_more_has_the_order_dropped(asked: Machine, source: ReleaseSource) -> None:
    take(asked.places, print)
    (asked.places.etc / SOURCE_NAME).unlink()
    assert brought(asked).requests == []
    assert source.asked == []
    assert left(asked) == set()
    assert last(asked).outcome == "refused"


def test_a_site_that_allows_it_no_more_has_nothing_tried_that_was_being_fetched(asked: Machine) -> None:
    started = Started(asked)
    take(asked.places, print)
    fetch(asked.places, print, AT_ONCE)
    (asked.places.etc / SOURCE_NAME).unlink()
    finish(asked.places, print, started)
    assert started.requests == []
    assert left(asked) == set()
    assert "from_centre = true" in last(asked).words


def test_an_order_goes_on_from_where_the_site_has_releases_now(asked: Machine, source: ReleaseSource) -> None:
    allow(asked, "https://127.0.0.1:9/before", "")
    take(asked.places, print)
    allow(asked, source.address, source.ca)
    assert len(brought(asked).requests) == 1


def test_a_site_whose_word_is_damaged_is_told_so(asked: Machine) -> None:
    (asked.places.etc / SOURCE_NAME).write_text("{")
    assert brought(asked).requests == []
    assert (last(asked).id, last(asked).outcome) == (ID, "refused")
    assert "is damaged: provision the hub anew" in last(asked).words


# --- how long an order stands


def test_an_order_of_a_day_ago_is_dropped(asked: Machine, clock_is_set: None) -> None:
    take(asked.places, print)
    given(asked, days_ago=1.01)
    assert brought(asked).requests == []
    assert left(asked) == set()
    assert "more than 24 hours ago: ask again" in last(asked).words


def test_an_order_that_grows_old_while_it_is_fetched_is_not_tried(asked: Machine, clock_is_set: None) -> None:
    """As of a hub that was without power for a month: its clock is set only while it fetches."""
    started = Started(asked)
    take(asked.places, print)
    fetch(asked.places, print, AT_ONCE)
    given(asked, days_ago=30)
    finish(asked.places, print, started)
    assert started.requests == []
    assert "ask again" in last(asked).words


def test_by_a_clock_that_is_not_set_no_order_is_old(asked: Machine) -> None:
    take(asked.places, print)
    assert standing(asked).at == 0
    given(asked, days_ago=30)
    assert len(brought(asked).requests) == 1


@pytest.mark.parametrize("at", [0.0, 4e9])
def test_an_order_given_by_a_clock_that_was_not_set_or_wrong_counts_from_when_it_is_set(
    asked: Machine, clock_is_set: None, at: float
) -> None:
    take(asked.places, print)
    Centre(asked.places).give(replace(standing(asked), at=at))
    take(asked.places, print)
    assert time.time() - 60 < standing(asked).at <= time.time()
    assert len(brought(asked).requests) == 1


def test_an_order_of_a_keeper_before_this_one_is_followed(asked: Machine, clock_is_set: None) -> None:
    take(asked.places, print)
    path = Centre(asked.places).order_path
    before = json.loads(path.read_text())
    del before["at"]
    path.write_text(json.dumps(before))
    assert len(brought(asked).requests) == 1


def test_an_order_that_is_cut_off_again_and_again_is_dropped(asked: Machine) -> None:
    for _ in range(fetching._MOST_STARTS + 1):
        assert left(asked)
        take(asked.places, print)
    assert left(asked) == set()
    assert last(asked).outcome == "not fetched"
    assert f"cut off {fetching._MOST_STARTS} times" in last(asked).words


# --- whatever ends the unit


@pytest.mark.parametrize("result", ["timeout", "exit-code", "oom-kill"])
def test_fetching_that_ended_without_a_word_ends_the_order(
    asked: Machine, monkeypatch: pytest.MonkeyPatch, result: str
) -> None:
    take(asked.places, print)
    monkeypatch.setenv("SERVICE_RESULT", result)
    finish(asked.places, print, Started(asked))
    assert left(asked) == set()
    assert last(asked).outcome == "not fetched"
    assert f"without a word ({result})" in last(asked).words


@pytest.mark.parametrize("result", ["signal", "success"])
def test_fetching_that_was_stopped_as_at_a_restart_is_taken_up_again(
    asked: Machine, monkeypatch: pytest.MonkeyPatch, result: str
) -> None:
    take(asked.places, print)
    monkeypatch.setenv("SERVICE_RESULT", result)
    finish(asked.places, print, Started(asked))
    assert left(asked) == {"order.json"}
    assert len(brought(asked).requests) == 1


def test_a_fetcher_that_can_say_nothing_ends_the_order(
    asked: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where its disk is full."""
    take(asked.places, print)
    (asked.places.cache / "said.json").mkdir()
    with pytest.raises(OSError, match=r"said\.json"):
        fetch(asked.places, print, AT_ONCE)
    monkeypatch.setenv("SERVICE_RESULT", "exit-code")
    finish(asked.places, print, Started(asked))
    assert left(asked) == set()


def test_where_no_note_is_taken_the_order_is_let_go_all_the_same(asked: Machine) -> None:
    take(asked.places, print)
    fetch(asked.places, print, AT_ONCE)
    (asked.places.state / ".asked.json.new").mkdir()
    started = Started(asked)
    with pytest.raises(OSError, match="asked"):
        finish(asked.places, print, started)
    assert started.requests == []
    assert left(asked) == set()


def test_where_the_card_takes_nothing_it_rests_before_systemd_starts_it_again(asked: Machine) -> None:
    take(asked.places, print)
    (asked.places.state / ".order.json.new").mkdir()
    began = time.monotonic()
    with pytest.raises(OSError, match="order"):
        take(asked.places, print, Pace(rests=0.2))
    assert time.monotonic() - began >= 0.2


# --- what the hub and the fetcher leave is a stranger's


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"id": 1}', '{"id": "../x", "manifest_sha256": "a"}', "[" * 60_000, "x" * 70_000],
)
def test_whatever_the_hub_leaves_is_taken_away_and_nothing_comes_of_it(
    allowed: Machine, content: str
) -> None:
    (allowed.places.data / REQUEST_NAME).write_text(content)
    assert brought(allowed).requests == []
    assert left(allowed) == set()


def test_a_link_that_the_hub_leaves_is_not_followed(allowed: Machine, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    said = {"id": ID, "manifest_sha256": "a" * 64, "version": "1", "build": "b"}
    elsewhere.write_text(json.dumps(said))
    (allowed.places.data / REQUEST_NAME).symlink_to(elsewhere)
    take(allowed.places, print)
    assert left(allowed) == set()
    assert elsewhere.exists()


def test_a_directory_that_the_hub_leaves_is_taken_away_too(allowed: Machine) -> None:
    (allowed.places.data / REQUEST_NAME / "in it").mkdir(parents=True)
    assert brought(allowed).requests == []
    assert left(allowed) == set()


def test_a_link_that_is_left_in_place_of_the_bundle_is_not_handed_on(asked: Machine, tmp_path: Path) -> None:
    take(asked.places, print)
    fetch(asked.places, print, AT_ONCE)
    (bundle,) = asked.places.cache.glob("*.bundle")
    bundle.rename(tmp_path / "elsewhere")
    bundle.symlink_to(tmp_path / "elsewhere")
    started = Started(asked)
    finish(asked.places, print, started)
    assert started.requests == []
    assert "is no file" in last(asked).words
