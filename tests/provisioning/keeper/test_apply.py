"""Bringing about what a machine is to have, on real files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning.keeper.resources import (
    Absent,
    Directory,
    File,
    Link,
    Outcome,
    Packages,
    Release,
    Resource,
    Run,
    Tree,
    Unit,
    from_json,
    packed,
    to_json,
)
from tests.rigs.box import Box, changes


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path / "machine")


def test_a_file_is_made_with_its_mode_and_its_parents(box: Box) -> None:
    outcome = box.one(File("/etc/deep/er/file", "one\n", "0640", group="carehub"))
    assert (outcome.change, outcome.detail) == ("changed", "new")
    assert box("/etc/deep/er/file").read_text() == "one\n"
    assert box("/etc/deep/er/file").stat().st_mode & 0o7777 == 0o640
    assert box("/etc/deep").stat().st_mode & 0o7777 == 0o755
    assert [each.name for each in box("/etc/deep/er").iterdir()] == ["file"]


def test_a_difference_is_shown(box: Box) -> None:
    box("/etc/x.conf").write_text("one\ntwo\n")
    outcome = box.one(File("/etc/x.conf", "one\n2\n"), dry_run=True)
    assert outcome.diff == "--- /etc/x.conf\n+++ /etc/x.conf\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"


def test_of_a_secret_no_value_is_shown_and_of_toml_the_keys(box: Box) -> None:
    box("/etc/hub.toml").write_text('[[residents]]\nid = "R-1"\nname = "Ada"\n[broker]\nhost = "a"\n')
    new = '[[residents]]\nid = "R-1"\nname = "Bea"\n[broker]\nhost = "a"\nport = 1\n'
    for dry_run in (True, False):
        outcome = box.one(File("/etc/hub.toml", new, secret=True), dry_run=dry_run)
        assert outcome.detail == "differs in broker.port, residents[0].name"
        assert "Ada" not in outcome.to_json()
        assert "Bea" not in outcome.to_json()
    assert box.one(File("/etc/key", "hush", secret=True)).to_json().count("hush") == 0


def test_a_mode_alone_is_put_right(box: Box) -> None:
    box("/etc/x").write_text("x")
    box("/etc/x").chmod(0o666)
    outcome = box.one(File("/etc/x", "x"))
    assert (outcome.change, outcome.detail) == ("changed", "mode 0666 -> 0644")
    assert box.one(File("/etc/x", "x")).change == "none"


def test_bytes_are_written_as_they_are(box: Box) -> None:
    content = bytes(range(256))
    assert box.one(File("/etc/x", packed(content))).diff == ""
    assert box("/etc/x").read_bytes() == content
    assert box.one(File("/etc/x", packed(content))).change == "none"


def test_of_a_directory_others_files_are_removed_where_it_is_ours_alone(box: Box) -> None:
    box("/etc/keys").mkdir()
    for name in ("pi", "before", ".hidden"):
        box(f"/etc/keys/{name}").write_text(name)
    box("/etc/keys/directory").mkdir()
    resource = Directory("/etc/keys", only=("pi",))
    assert box.one(resource, dry_run=True).detail == ".hidden removed, before removed"
    assert box("/etc/keys/before").exists()
    assert box.one(resource).change == "changed"
    assert {each.name for each in box("/etc/keys").iterdir()} == {"pi", "directory"}
    assert box.one(resource).change == "none"
    assert box.one(from_json(to_json([Directory("/etc/keys", only=())]))[0]).detail == "pi removed"
    assert box.one(Directory("/etc/keys")).change == "none"


def test_files_of_one_tree_are_changed_in_one_step(box: Box) -> None:
    first, second = (Tree("/usr/lib/x", {"p/a.py": f"a{n}", "p/b.py": packed(b"b%d" % n)}) for n in (1, 2))
    assert box.one(first, dry_run=True).change == "would change"
    assert not box("/usr/lib").exists()
    assert changes([box.one(from_json(to_json([first]))[0]), box.one(first)]) == ["changed", "none"]
    running = box("/usr/lib/x").resolve()
    assert box.one(second).change == "changed"
    assert (box("/usr/lib/x/p/a.py").read_text(), box("/usr/lib/x/p/b.py").read_text()) == ("a2", "b2")
    assert (running / "p/b.py").read_text() == "b1", "for a keeper that runs from it"
    assert box.one(Tree("/usr/lib/x", {"p/a.py": "a3"})).change == "changed"
    assert not running.exists()
    assert len(list(box("/usr/lib").iterdir())) == 3, "this version, the one before, and the link"


def test_a_file_of_a_tree_that_is_spoilt_is_put_right(box: Box) -> None:
    tree = Tree("/usr/lib/x", {"a": "a", "b": "b"})
    box.one(tree)
    box("/usr/lib/x/b").write_text("spoilt")
    assert box.one(tree).detail == "spoilt: b"
    assert box.one(tree).change == "none"


def test_a_file_in_the_place_of_a_link_leaves_alone_what_it_led_to(box: Box) -> None:
    box("/etc/other").write_text("theirs")
    box("/etc/x").symlink_to("other")
    assert box.one(File("/etc/x", "ours")).change == "changed"
    assert (box("/etc/x").read_text(), box("/etc/other").read_text()) == ("ours", "theirs")


def test_what_was_refused_leaves_the_old_one_and_no_other_behind(box: Box) -> None:
    box("/etc/x").write_text("good")
    outcome = box.one(File("/etc/x", "bad", check="grep -q good {} || { echo 'line 1: bad'; exit 1; }"))
    assert outcome.change == "failed"
    assert "line 1: bad" in outcome.detail
    assert box("/etc/x").read_text() == "good"
    assert not list(box("/etc").glob(".x*"))


def test_a_check_sees_the_new_file_in_a_dry_run_too_and_leaves_nothing(box: Box) -> None:
    before = box.everything()
    assert box.one(File("/etc/x", "bad", check="grep -q good {}"), dry_run=True).change == "failed"
    assert box.one(File("/etc/x", "good", check="grep -q good {}"), dry_run=True).change == "would change"
    assert box.everything() == before


def test_a_check_whose_program_is_yet_to_come_stops_no_dry_run(box: Box) -> None:
    check = "/opt/carehub/current/bin/carehub check-config --config {}"
    assert box.one(File("/etc/x", "x", check=check), dry_run=True).change == "would change"
    assert box.one(File("/etc/x", "x", check=check)).change == "failed"


def test_what_a_check_says_of_a_secret_is_reduced_to_the_keys(box: Box) -> None:
    check = "printf 'x: 1 problem(s)\\n  residents[0].name: too long (it is Ada)\\n'; exit 1; : {}"
    outcome = box.one(File("/etc/x", "Ada", secret=True, check=check))
    assert "residents[0].name" in outcome.detail
    assert "Ada" not in outcome.to_json()


def test_no_such_group_is_a_failure_and_the_rest_goes_on(box: Box) -> None:
    outcomes = box.apply(File("/etc/x", "x", group="nobody-here"), File("/etc/y", "y"))
    assert changes(outcomes) == ["failed", "changed"]
    assert "there is no group nobody-here" in outcomes[0].detail
    assert not box("/etc/x").exists()


def test_users_and_groups_are_the_machines_and_not_those_of_whoever_makes_it(box: Box) -> None:
    box("/etc/group").write_text("carehub:x:54321:\n")
    outcome = box.one(File("/etc/x", "x", group="carehub"))
    if os.getuid() == 0:
        assert box("/etc/x").stat().st_gid == 54321
    else:
        assert outcome.change == "failed"
        assert "not permitted" in outcome.detail


def test_a_directory_a_link_and_an_absence_are_brought_about_once(box: Box) -> None:
    box("/etc/old").write_text("theirs")
    resources = (
        Directory("/srv/data", "0700", "carehub", "carehub"),
        Link("/etc/unit", "/opt/carehub/current/unit"),
        Absent("/etc/old"),
    )
    assert changes(box.apply(*resources, dry_run=True)) == ["would change"] * 3
    assert changes(box.apply(*resources)) == ["changed"] * 3
    assert changes(box.apply(*resources)) == ["none"] * 3
    assert box("/etc/unit").readlink() == Path("/opt/carehub/current/unit")
    assert box("/srv/data").stat().st_mode & 0o777 == 0o700
    assert changes(box.apply(Link("/etc/unit", "elsewhere"))) == ["changed"]


def test_nothing_is_removed_that_is_more_than_a_file(box: Box) -> None:
    box("/etc/dir").mkdir()
    for resource in (Absent("/etc/dir"), Link("/etc/dir", "x"), File("/etc/dir", "x")):
        assert box.one(resource).change == "failed"
    box("/etc/file").write_text("x")
    assert box.one(Directory("/etc/file")).change == "failed"
    assert box("/etc/file").read_text() == "x"


def test_a_full_or_read_only_card_is_said_with_the_path(box: Box) -> None:
    box("/etc/file").write_text("x")
    outcome = box.one(File("/etc/file/below", "x"))
    assert outcome.change == "failed"
    assert "Not a directory" in outcome.detail or "File exists" in outcome.detail


def test_what_a_change_owes_is_run_once_at_the_end(box: Box) -> None:
    log = box("/log")
    then = (f"echo reload >>{log}",)
    outcomes = box.apply(File("/etc/a", "a", then=then), File("/etc/b", "b", then=then), File("/etc/c", "c"))
    assert changes(outcomes) == ["changed"] * 4
    assert outcomes[-1].title == f"run {then[0]}"
    assert log.read_text() == "reload\n"
    assert changes(box.apply(File("/etc/a", "a", then=then))) == ["none"]
    assert log.read_text() == "reload\n"


def test_what_fails_stays_owed_until_it_is_done(box: Box) -> None:
    file = File("/etc/a", "a", then=(f"test -e {box('/ready')}",))
    assert changes(box.apply(file)) == ["changed", "failed"]
    assert changes(box.apply(file)) == ["none", "failed"]
    assert changes(box.apply(file, dry_run=True)) == ["none", "would change"]
    box("/ready").touch()
    assert changes(box.apply(file)) == ["none", "changed"]
    assert changes(box.apply(file)) == ["none"]


def test_a_dry_run_changes_nothing_at_all(box: Box) -> None:
    box("/etc/a").write_text("old")
    before = box.everything()
    resources = (
        Directory("/srv"), File("/etc/a", "new", then=("touch /nowhere/x",)), Link("/etc/l", "a"),
        Absent("/etc/a"), Run("touch /nowhere/x", "true"), File("/etc/b", "b", group="not-yet-made"),
    )  # fmt: skip
    assert set(changes(box.apply(*resources, dry_run=True))) == {"would change"}
    assert box.everything() == before


def test_a_command_is_run_only_where_its_test_says_so(box: Box) -> None:
    run = Run(f"touch {box('/made')}", f"! test -e {box('/made')}")
    assert changes(box.apply(run, dry_run=True)) == ["would change"]
    assert not box("/made").exists()
    assert [changes(box.apply(run))[0] for _ in range(2)] == ["changed", "none"]
    assert box.one(Run("echo no; exit 3", "true")) == Outcome("run echo no; exit 3", "failed", "no")


def test_packages_that_are_there_are_left_alone_and_missing_ones_named(tmp_path: Path) -> None:
    box = Box(tmp_path / "machine")
    status = box("/var/lib/dpkg/status")
    status.parent.mkdir(parents=True)
    (status.parent / "info").mkdir()
    status.write_text(
        "Package: bluez\nStatus: install ok installed\nArchitecture: all\nVersion: 1\nMaintainer: x\n"
        "Description: x\n\nPackage: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n"
        "Maintainer: x\nDescription: x\n\n"
    )
    assert box.one(Packages(("bluez",)), dry_run=True).change == "none"
    outcome = box.one(Packages(("bluez", "gone", "never-was")), dry_run=True)
    assert outcome.change == "would change"
    assert outcome.detail.startswith("gone, never-was would be installed")


def test_a_release_that_did_not_come_ends_it_there_and_says_so(box: Box) -> None:
    outcomes = box.apply(
        File("/etc/a", "a"), Release("5" * 64), File("/etc/b", "b"), Unit("x.service", "running")
    )
    assert changes(outcomes) == ["changed", "failed", "failed"]
    assert "no bundle came with it" in outcomes[1].detail
    assert outcomes[2].detail == "2 more not tried: no release is in force"
    assert not box("/etc/b").exists()


@pytest.fixture
def image(tmp_path: Path) -> Box:
    box = Box(tmp_path / "image", live=False)
    box("/etc/systemd/system").mkdir(parents=True)
    unit = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
    for name in ("carehub.service", "other.service"):
        box(f"/etc/systemd/system/{name}").write_text(unit)
    return box


def test_in_an_image_a_unit_is_enabled_and_nothing_is_started(image: Box) -> None:
    for state, wanted in (("running", "carehub.service"), ("enabled", "other.service")):
        assert changes(image.apply(Unit(wanted, state), dry_run=True)) == ["would change"]
        assert changes(image.apply(Unit(wanted, state))) == ["changed"]
        assert changes(image.apply(Unit(wanted, state))) == ["none"]
        assert image(f"/etc/systemd/system/multi-user.target.wants/{wanted}").is_symlink()


def test_in_an_image_a_unit_is_masked_and_disabled(image: Box) -> None:
    image.apply(Unit("other.service", "enabled"))
    assert [changes(image.apply(Unit("other.service", "stopped")))[0] for _ in range(2)] == [
        "changed",
        "none",
    ]
    assert [changes(image.apply(Unit("getty@tty1.service", "masked")))[0] for _ in range(2)] == [
        "changed",
        "none",
    ]
    assert image("/etc/systemd/system/getty@tty1.service").readlink() == Path("/dev/null")
    assert changes(image.apply(Unit("never-was.timer", "stopped"))) == ["none"]
    outcome = image.one(Unit("never-was.service", "running"))
    assert (outcome.change, outcome.detail) == ("failed", "there is no such unit: what brings it has failed")


def test_in_an_image_nothing_is_owed(image: Box) -> None:
    assert changes(image.apply(File("/etc/a", "a", then=("exit 1",)))) == ["changed"]
    assert not image("/var/lib/carehub-keeper").exists()


def test_a_unit_linked_into_a_release_counts_as_enabled_by_its_own_link(image: Box) -> None:
    system = image("/etc/systemd/system")
    slot = image("/opt/carehub/slots/a/systemd")
    slot.mkdir(parents=True)
    (system / "carehub.service").rename(slot / "carehub.service")
    image("/opt/carehub/current").symlink_to("slots/a")
    resources = (
        Link("/etc/systemd/system/carehub.service", "/opt/carehub/current/systemd/carehub.service"),
        Link("/etc/systemd/system/multi-user.target.wants/carehub.service", "../carehub.service"),
        Unit("carehub.service", "running"),
    )
    assert changes(image.apply(*resources)) == ["changed", "changed", "none"]
    assert (system / "multi-user.target.wants/carehub.service").readlink() == Path("../carehub.service")


CONTENTS = st.sampled_from(["", "one\n", "two\n", "ü", "no end"])
NAMES = st.sampled_from(["/etc/a", "/etc/b", "/srv/x/c", "/srv/d"])
RESOURCES = st.one_of(
    st.builds(File, NAMES, CONTENTS, st.sampled_from(["0644", "0600"]), secret=st.booleans()),
    st.builds(Link, NAMES, st.sampled_from(["elsewhere", "/etc/a"])),
    st.builds(Absent, NAMES),
    st.builds(Directory, st.sampled_from(["/srv", "/srv/x", "/var/y"]), st.sampled_from(["0755", "0700"])),
)
LISTS = st.lists(RESOURCES, max_size=6, unique_by=lambda each: each.path)


@given(first=LISTS, second=LISTS)
@settings(max_examples=60)
def test_whatever_was_there_twice_the_same_changes_nothing_the_second_time(
    tmp_path_factory: pytest.TempPathFactory, first: list[Resource], second: list[Resource]
) -> None:
    box = Box(tmp_path_factory.mktemp("machine"))
    box.apply(*first)
    before = box.everything()
    foreseen = box.apply(*second, dry_run=True)
    assert box.everything() == before
    done = box.apply(*second)
    # What one brings, another may have been without in the dry run.
    for said, change in zip(changes(foreseen), changes(done), strict=True):
        assert said == "would change" or change == said
    after = box.everything()
    assert set(changes(box.apply(*second))) <= {"none"}
    assert box.everything() == after
