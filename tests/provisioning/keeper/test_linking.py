"""A release that is switched to brings its new units and rules along, and takes them with it when it goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioning.keeper.atomic import Disk
from provisioning.keeper.linking import follow, listed
from provisioning.keeper.places import Places

IN_FORCE = "/opt/carehub/current/systemd"
BEFORE = "hub.service /etc/systemd/system/hub.service\n"
NEW = BEFORE + "# new\nudev/new.rules /etc/udev/rules.d/new.rules\n"


class Release:
    """A slot that has these files."""

    def __init__(self, directory: Path, links: str, *names: str) -> None:
        self.slot = directory
        for name in names:
            file = directory / "systemd" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        (directory / "systemd/links").write_text(links)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    Release(tmp_path / "a", BEFORE, "hub.service")
    Release(tmp_path / "b", NEW, "hub.service", "udev/new.rules")
    hub = tmp_path / "etc/systemd/system/hub.service"
    hub.parent.mkdir(parents=True)
    hub.symlink_to(f"{IN_FORCE}/hub.service")
    return Places(tmp_path)


def switch(places: Places, now: str, before: str) -> dict[str, str]:
    """The links that are there then."""
    follow(places, Disk(), places.root / now, places.root / before)
    etc = places.root / "etc"
    return {
        str(each.relative_to(etc)): str(each.readlink())
        for each in sorted(etc.rglob("*"))
        if each.is_symlink()
    }


def test_what_is_new_is_linked_and_is_gone_on_the_way_back(places: Places) -> None:
    before = switch(places, "a", "b")
    assert before == {"systemd/system/hub.service": f"{IN_FORCE}/hub.service"}
    assert switch(places, "b", "a") == before | {"udev/rules.d/new.rules": f"{IN_FORCE}/udev/new.rules"}
    assert switch(places, "b", "a") == switch(places, "b", "a")
    assert switch(places, "a", "b") == before


def test_what_a_release_has_no_more_is_unlinked_and_comes_back_with_the_one_before(places: Places) -> None:
    switch(places, "b", "a")
    both = switch(places, "b", "a")
    assert "udev/rules.d/new.rules" not in switch(places, "a", "b")
    assert switch(places, "b", "a") == both


def test_what_is_in_both_is_as_provisioning_left_it(places: Places) -> None:
    """A site's file may have left it out."""
    (places.root / "etc/systemd/system/hub.service").unlink()
    assert switch(places, "a", "b") == {}


def test_what_is_somebody_elses_is_left_alone(places: Places) -> None:
    rules = places.root / "etc/udev/rules.d/new.rules"
    rules.parent.mkdir(parents=True)
    rules.write_text("theirs")
    switch(places, "b", "a")
    switch(places, "a", "b")
    assert rules.read_text() == "theirs"
    rules.unlink()
    rules.symlink_to("elsewhere")
    switch(places, "b", "a")
    assert switch(places, "a", "b")["udev/rules.d/new.rules"] == "elsewhere"


@pytest.mark.parametrize("place", ["/usr/bin/new", "/etc/../usr/bin/new", "etc/new", "/etc/a b"])
def test_nothing_is_linked_outside_of_etc(places: Places, place: str) -> None:
    (places.root / "b/systemd/links").write_text(f"udev/new.rules {place}\n")
    assert listed(places.root / "b") == {}


def test_a_release_without_a_list_links_nothing(places: Places) -> None:
    (places.root / "b/systemd/links").unlink()
    assert switch(places, "b", "a") == switch(places, "a", "b")
