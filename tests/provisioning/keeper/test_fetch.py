"""What the centre names is fetched, over real HTTPS, and tried: whatever network, power and centre do, once
at the most, and never what is not signed."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from provisioning.keeper import fetch as fetching
from provisioning.keeper.asked_for import try_for_the_centre
from provisioning.keeper.centre import NOT_AGAIN, Asked, Centre
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.fetch import REQUEST_NAME, SOURCE_NAME, Pace, fetch, finish, take
from provisioning.keeper.health import hindrance
from provisioning.keeper.places import UNIT, Places
from provisioning.keeper.requested import Request
from provisioning.keeper.state import Last, Named
from provisioning.keeper.trial import Keeper, Verdict
from tests.rigs.release_source import ReleaseSource
from tests.rigs.releases import Machine, Signer

ID = str(uuid.uuid4())
AT_ONCE = Pace(least=0.01, most=0.02, gives_up=60)
BRIEFLY = Pace(least=0.01, most=0.02, gives_up=0.1)
MUCH = 600_000
"""Bytes of a bundle that comes in pieces."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReleaseSource]:
    with ReleaseSource(tmp_path_factory.mktemp("source")) as source:
        yield source


@pytest.fixture
def allowed(machine: Machine, source: ReleaseSource) -> Machine:
    """A machine whose site has updates from the centre, as provisioning leaves it."""
    places = machine.places
    for directory in (places.data, places.cache, places.state):
        directory.mkdir(parents=True)
    source.asked.clear()
    said = {"source": source.address, "ca": source.ca}
    (places.etc / SOURCE_NAME).write_text(json.dumps(said))
    return machine


def ask(machine: Machine, sha256: str, *, name: str = ID, **changes: str) -> None:
    """As the hub asks."""
    said = {"id": name, "manifest_sha256": sha256, "version": "1.1", "build": "two", **changes}
    (machine.places.data / REQUEST_NAME).write_text(json.dumps(said))


def large(machine: Machine) -> Path:
    """A bundle with something behind it that takes a while: the outer tar's end."""
    path = machine.bundle(version="1.1", build="two")
    with path.open("ab") as file:
        file.write(bytes(MUCH))
    return path


class Started:
    """What carehub-update.service was started with: it runs here, with the real keeper."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.requests: list[Request] = []

    def __call__(self, _places: Places, request: Request) -> None:
        self.requests.append(request)

    def run(self) -> Verdict:
        (request,) = self.requests
        keeper = self.machine.keeper()
        return try_for_the_centre(
            self.machine.places, request, lambda: keeper.update(Path(request.bundle), older=request.older)
        )


def brought(machine: Machine, pace: Pace = AT_ONCE) -> Started:
    """The three steps of the unit."""
    words: list[str] = []
    started = Started(machine)
    take(machine.places, words.append)
    fetch(machine.places, words.append, pace)
    finish(machine.places, words.append, started)
    return started


def last(machine: Machine) -> Asked:
    found = Centre(machine.places).last()
    assert found is not None
    return found


def left(machine: Machine) -> set[str]:
    """What would have the unit started again."""
    paths = (machine.places.data / REQUEST_NAME, Centre(machine.places).order_path)
    return {path.name for path in paths if path.exists()}


def test_what_the_centre_names_is_fetched_verified_and_tried_once(
    allowed: Machine, source: ReleaseSource
) -> None:
    allowed.with_hub()
    sha256 = source.serve(allowed.bundle(version="1.1", build="two"))
    ask(allowed, sha256)
    started = brought(allowed)
    assert last(allowed).outcome == "trying"
    assert left(allowed) == set()
    verdict = started.run()
    assert verdict.outcome == "kept"
    assert (last(allowed).id, last(allowed).outcome) == (ID, "kept")
    assert source.asked == [(f"/careport/{sha256}.bundle", None)]
    assert not list(allowed.places.cache.glob("*.bundle")), "the bundle is removed"


def test_a_release_that_nobody_who_may_has_signed_is_not_installed(
    allowed: Machine, source: ReleaseSource, tmp_path: Path
) -> None:
    allowed.with_hub()
    (tmp_path / "other").mkdir()
    stranger = Machine(tmp_path / "strange", Signer(tmp_path / "other"))
    ask(allowed, source.serve(stranger.bundle(version="1.1", build="two")))
    with pytest.raises(KeeperError, match="not signed by anyone who may"):
        brought(allowed).run()
    assert allowed.slots.linked() == "a"
    assert last(allowed).outcome == "refused"


def test_a_site_that_does_not_allow_it_fetches_nothing(allowed: Machine, source: ReleaseSource) -> None:
    (allowed.places.etc / SOURCE_NAME).unlink()
    ask(allowed, source.serve(allowed.bundle(version="1.1", build="two")))
    assert brought(allowed).requests == []
    assert source.asked == []
    assert left(allowed) == set()
    assert last(allowed).outcome == "refused"
    assert "from_centre = true" in last(allowed).words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sha256": "0" * 64}, "answered 404"),
        ({"version": "9"}, "the centre calls it 9 (two)"),
    ],
)
def test_another_release_than_was_named_is_not_handed_on(
    allowed: Machine, source: ReleaseSource, changes: dict[str, str], words: str
) -> None:
    named = {"sha256": source.serve(allowed.bundle(version="1.1", build="two")), **changes}
    ask(allowed, **named)
    assert brought(allowed).requests == []
    assert last(allowed).outcome == "not fetched"
    assert words in last(allowed).words
    assert left(allowed) == set()


def test_what_lies_under_another_name_is_found_out_before_all_of_it_came(
    allowed: Machine, source: ReleaseSource
) -> None:
    source.serve(large(allowed), "1" * 64)
    source.ends_after = [300_000]  # the rest never comes
    ask(allowed, "1" * 64)
    brought(allowed)
    assert "another release under the name" in last(allowed).words
    assert len(source.asked) == 1


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"version": "0.9"}, "is older than"),
        ({"architecture": "riscv64"}, "is for riscv64"),
        ({"readable_from": 99}, "cannot be taken back"),
        ({"size": 1 << 50}, "too little room"),
    ],
)
def test_what_could_not_be_installed_is_not_handed_on(
    allowed: Machine, source: ReleaseSource, made: dict[str, Any], words: str
) -> None:
    allowed.with_hub()
    made = {"version": "1.1", "build": "two", **made}
    ask(allowed, source.serve(allowed.bundle(**made)), version=made["version"])
    assert brought(allowed).requests == []
    assert words in last(allowed).words


def test_an_outage_is_waited_for_and_what_came_before_it_is_not_fetched_again(
    allowed: Machine, source: ReleaseSource
) -> None:
    bundle = large(allowed)
    sha256 = source.serve(bundle)
    source.answers, source.ends_after = [503], [100_000, 350_000]
    ask(allowed, sha256)
    (request,) = brought(allowed).requests
    assert Path(request.bundle).read_bytes() == bundle.read_bytes()
    assert [each for _, each in source.asked] == [None, None, "bytes=100000-", "bytes=450000-"]


def test_a_power_cut_while_it_is_fetched_loses_nothing(allowed: Machine, source: ReleaseSource) -> None:
    bundle = large(allowed)
    source.ends_after = [200_000]
    ask(allowed, source.serve(bundle))
    take(allowed.places, print)
    with pytest.raises(KeyboardInterrupt):
        fetch(allowed.places, _cut, AT_ONCE)
    finish(allowed.places, print, Started(allowed))
    assert left(allowed) == {"order.json"}, "at the next start it goes on"
    (request,) = brought(allowed).requests
    assert Path(request.bundle).read_bytes() == bundle.read_bytes()
    assert source.asked[-1][1] == "bytes=200000-"
    assert left(allowed) == set()


def _cut(_words: str) -> None:
    raise KeyboardInterrupt


def test_pieces_that_do_not_fit_together_are_fetched_anew(
    allowed: Machine, source: ReleaseSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no program is needed for it: ssh-keygen runs for no user that exists only while the unit does."""
    bundle = large(allowed)
    spoilt = allowed.places.cache / f"{source.serve(bundle)}.bundle.part"
    content = bytearray(bundle.read_bytes())
    payload = content.index(b"\x1f\x8b")
    content[payload + 20] ^= 1
    spoilt.write_bytes(content[:300_000])
    ask(allowed, source.serve(bundle))
    monkeypatch.setenv("PATH", "")
    (request,) = brought(allowed).requests
    assert Path(request.bundle).read_bytes() == bundle.read_bytes()
    assert [each for _, each in source.asked] == ["bytes=300000-", None]


def test_what_cannot_be_reached_is_given_up_in_the_end(allowed: Machine, source: ReleaseSource) -> None:
    said = {"source": "https://127.0.0.1:9/careport", "ca": source.ca}
    (allowed.places.etc / SOURCE_NAME).write_text(json.dumps(said))
    ask(allowed, "0" * 64)
    assert brought(allowed, BRIEFLY).requests == []
    assert "cannot be reached" in last(allowed).words
    assert left(allowed) == set()


def test_a_server_that_nobody_vouches_for_is_not_believed(allowed: Machine, source: ReleaseSource) -> None:
    (allowed.places.etc / SOURCE_NAME).write_text(json.dumps({"source": source.address, "ca": ""}))
    ask(allowed, source.serve(allowed.bundle(version="1.1", build="two")))
    assert brought(allowed).requests == []
    assert "its certificate is not trusted" in last(allowed).words
    assert source.asked == []


def test_a_redirection_is_not_followed(allowed: Machine, source: ReleaseSource) -> None:
    source.answers = [301]
    ask(allowed, "0" * 64)
    brought(allowed)
    assert "answered 301" in last(allowed).words


# --- what was tried is not tried again


def rolled_back(machine: Machine, source: ReleaseSource) -> str:
    machine.with_hub()
    sha256 = source.serve(machine.bundle(version="1.1", build="two", hub={"ends": 1}))
    ask(machine, sha256)
    assert brought(machine).run().outcome == "rolled back"
    return sha256


def test_a_release_that_was_taken_back_is_not_tried_again_for_hours(
    allowed: Machine, source: ReleaseSource
) -> None:
    sha256 = rolled_back(allowed, source)
    assert last(allowed).outcome == "rolled back"
    ask(allowed, sha256, name=str(uuid.uuid4()))
    with pytest.raises(KeeperError, match="taken back here less than 6 hours ago"):
        brought(allowed).run()
    ask(allowed, source.serve(allowed.bundle(version="1.1", build="three")), name=ID, build="three")
    assert brought(allowed).run().outcome == "kept", "another one is"


def test_hours_later_it_may_be_asked_for_again(allowed: Machine, source: ReleaseSource) -> None:
    sha256 = rolled_back(allowed, source)
    centre, before = Centre(allowed.places), datetime.now(UTC) - NOT_AGAIN
    centre.note(replace(last(allowed), at=before))
    release = allowed.slots.in_force()
    assert release is not None
    centre.refuse_again(sha256, release, None)
    centre.note(replace(last(allowed), at=before + timedelta(minutes=1)))
    with pytest.raises(KeeperError):
        centre.refuse_again(sha256, release, None)


def test_what_an_engineer_tried_in_vain_is_not_tried_at_the_centres_word(
    allowed: Machine, source: ReleaseSource
) -> None:
    allowed.with_hub()
    bundle = allowed.bundle(version="1.1", build="two", hub={"ends": 1})
    assert allowed.keeper().update(bundle).outcome == "rolled back"
    ask(allowed, source.serve(bundle))
    with pytest.raises(KeeperError, match="taken back here"):
        brought(allowed).run()


@pytest.mark.parametrize("cut", ["before the order is let go", "before it is tried"])
def test_a_power_cut_on_the_way_to_the_trial_has_it_tried_no_second_time(
    allowed: Machine, source: ReleaseSource, cut: str
) -> None:
    ask(allowed, source.serve(allowed.bundle(version="1.1", build="two")))
    take(allowed.places, print)
    order = Centre(allowed.places).order()
    assert order is not None
    fetch(allowed.places, print, AT_ONCE)
    finish(allowed.places, print, Started(allowed))
    if cut == "before the order is let go":
        Centre(allowed.places).give(order)
    assert Centre(allowed.places).settle(None) is not None  # at the next start
    assert last(allowed).outcome == "refused"
    assert "ask again" in last(allowed).words
    assert brought(allowed).requests == []
    assert left(allowed) == set()


def test_a_trial_that_was_cut_off_is_told_as_what_the_keeper_made_of_it(allowed: Machine) -> None:
    centre, began = Centre(allowed.places), datetime.now(UTC)
    centre.note(Asked(ID, "a" * 64, "1.1", "two", "trying", "", began))
    ended = Last(Named("1.0", "one"), Named("1.1", "two"), "interrupted", "cut off", datetime.now(UTC))
    centre.settle(ended)
    assert (last(allowed).outcome, last(allowed).words) == ("interrupted", "cut off")
    release = allowed.slots.in_force()
    assert release is None
    assert centre.settle(ended) is None


def test_an_order_that_is_cut_off_again_and_again_is_dropped(allowed: Machine, source: ReleaseSource) -> None:
    ask(allowed, source.serve(allowed.bundle(version="1.1", build="two")))
    for _ in range(fetching._MOST_STARTS + 1):
        assert left(allowed)
        take(allowed.places, print)
    assert left(allowed) == set()
    assert last(allowed).outcome == "not fetched"
    assert "cut off 20 times" in last(allowed).words


# --- what the hub leaves is a stranger's


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


def test_nothing_that_was_fetched_is_believed_of_what_it_is(allowed: Machine, source: ReleaseSource) -> None:
    """Whoever fetches has no rights but to fetch; what it hands on is looked at again."""
    allowed.with_hub()
    ask(allowed, source.serve(allowed.bundle(version="1.1", build="two")))
    started = brought(allowed)
    other = allowed.bundle(version="1.1", build="other")
    Path(started.requests[0].bundle).write_bytes(other.read_bytes())
    with pytest.raises(KeeperError, match="another release than was asked for"):
        started.run()
    assert allowed.slots.linked() == "a"


# --- the moment


def test_a_hub_that_is_needed_just_now_is_not_stopped(allowed: Machine, source: ReleaseSource) -> None:
    allowed.with_hub()
    hindered: list[str | None] = [
        "an alert waits",
        None,
        "a round is under way",
    ]  # the last once it is unpacked
    keeper = Keeper(allowed.places, services=allowed.services, hindered=lambda: hindered.pop(0))
    bundle = allowed.bundle(version="1.1", build="two")
    with pytest.raises(KeeperError, match="an alert waits"):
        keeper.update(bundle)
    assert allowed.slots.slot("b") is None
    with pytest.raises(KeeperError, match="a round is under way"):
        keeper.update(bundle)
    assert allowed.slots.linked() == "a"


def test_the_hub_is_asked_and_one_that_does_not_answer_is_left_alone(allowed: Machine) -> None:
    assert "did not answer" in str(hindrance(allowed.places, 0.1, 0.1))
    allowed.keeper().update(allowed.bundle(hub={"says": {"hindered": None}}))
    allowed.services.start([UNIT])
    assert hindrance(allowed.places, 2, 10) is None, "one that is only starting is waited for"


def test_a_digest_is_of_the_manifest_as_it_is_in_the_slot(allowed: Machine, source: ReleaseSource) -> None:
    """By which the hub knows that it runs already what is asked for."""
    sha256 = source.serve(allowed.bundle())
    allowed.with_hub()
    text = (allowed.places.slots / "a/manifest.json").read_bytes()
    assert hashlib.sha256(text).hexdigest() == sha256
