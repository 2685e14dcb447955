"""What the centre asks for is tried like any other release, once at the most, never what is not signed, and
not at a bad moment."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from provisioning.keeper.centre import NOT_AGAIN, Centre
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.fetch import fetch, finish, take
from provisioning.keeper.health import hindrance
from provisioning.keeper.places import UNIT
from provisioning.keeper.trial import Keeper
from tests.rigs.fetching import AT_ONCE, ID, Started, ask, brought, last, left
from tests.rigs.release_source import ReleaseSource
from tests.rigs.releases import Machine, Signer


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


def test_a_digest_is_of_the_manifest_as_it_is_in_the_slot(allowed: Machine, source: ReleaseSource) -> None:
    """By which the hub knows that it runs already what is asked for."""
    sha256 = source.serve(allowed.bundle())
    allowed.with_hub()
    text = (allowed.places.slots / "a/manifest.json").read_bytes()
    assert hashlib.sha256(text).hexdigest() == sha256


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


def test_the_hub_is_asked_and_one_that_does_not_answer_is_left_alone(
    allowed: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provisioning.keeper.health._AGAIN_SECONDS", 0.02)
    assert "did not answer" in str(hindrance(allowed.places, 0.1, 0.1))
    allowed.keeper().update(allowed.bundle(hub={"says": {"hindered": None}}))
    allowed.services.start([UNIT])
    assert hindrance(allowed.places, 2, 10) is None, "one that is only starting is waited for"
