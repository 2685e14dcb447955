"""What hub.toml names comes into force and goes back with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioning.keeper import trial
from provisioning.keeper.applying_commands import RELOAD
from provisioning.keeper.bundle_file import opened
from provisioning.keeper.resources import File, Leftover, Outcome, Release, Resource
from tests.provisioning.keeper.test_configuration import AT_ONCE, knows
from tests.rigs.box import Box, changes
from tests.rigs.releases import PYTHON, Machine

CA, PASSWORD = "/etc/carehub/ca.crt", "/etc/carehub/broker.password"
LEFTOVERS = (Leftover(CA), Leftover(PASSWORD))


@pytest.fixture
def box(tmp_path: Path) -> Box:
    box = Box(tmp_path)
    box("/etc/carehub").mkdir()
    return box


def wanted(box: Box, broker: str, *, password: bool = True, check: str = "") -> list[Resource]:
    """Of a site whose broker is that one, in the order of the plan."""
    secret = File(PASSWORD, f"{broker}'s password", "0640", group="carehub", secret=True, named=True)
    names = f'"{CA}", "{PASSWORD}"' if password else f'"{CA}"'
    text = f"# not '{PASSWORD}'\nbroker = [{names}]\n"
    restart = (f"echo restarted >>{box('/log')}",)
    return [
        File(CA, f"{broker}'s authority", named=True),
        *([secret] if password else []),
        File("/etc/carehub/hub.toml", text, "0640", group="carehub", secret=True, check=check, then=restart),
        *LEFTOVERS,
    ]


def in_etc(box: Box) -> dict[str, str]:
    return {each.name: each.read_text() for each in box("/etc/carehub").iterdir() if each.name != "hub.toml"}


def read_by_the_hub(box: Box) -> list[str]:
    """What is in the files that hub.toml names."""
    *_, line = box("/etc/carehub/hub.toml").read_text().splitlines()
    return [box(path).read_text() for path in line.split('"')[1::2]]


def of(broker: str) -> list[str]:
    return [f"{broker}'s authority", f"{broker}'s password"]


def foreseen(outcomes: list[Outcome]) -> list[Outcome]:
    said = {"changed": "would change"}
    return [
        Outcome(each.title, said.get(each.change, each.change), each.detail, each.diff)
        for each in outcomes
        if not each.title.startswith("run ")
    ]


def restarts(box: Box) -> int:
    return box("/log").read_text().count("restarted") if box("/log").exists() else 0


def test_another_broker_is_hub_tomls_one_switch_and_nothing_is_left_of_the_one_before(box: Box) -> None:
    for number, (broker, names) in enumerate(
        [("old", {"ca.crt", "broker.password"}), ("new", {"ca-2.crt", "broker-2.password"})], 1
    ):
        would = box.apply(*wanted(box, broker), dry_run=True)
        done = box.apply(*wanted(box, broker))
        assert foreseen(would) == foreseen(done), "as the dry run said"
        assert read_by_the_hub(box) == of(broker)
        assert set(in_etc(box)) == names
        assert restarts(box) == number, "once, for hub.toml"
        for dry_run in (True, False):
            assert set(changes(box.apply(*wanted(box, broker), dry_run=dry_run))) == {"none"}
    secret = box("/etc/carehub/broker-2.password")
    assert secret.stat().st_mode & 0o777 == 0o640
    assert "new's password" not in "".join(each.to_json() for each in done)


def test_a_hub_that_is_as_it_is_to_be_keeps_its_names(box: Box) -> None:
    box(CA).write_text("old's authority")
    box(PASSWORD).write_text("old's password")
    box(PASSWORD).chmod(0o640)
    hub_toml = box("/etc/carehub/hub.toml")
    hub_toml.write_text(wanted(box, "old")[2].content)  # type: ignore[union-attr]
    hub_toml.chmod(0o640)
    assert set(changes(box.apply(*wanted(box, "old")))) == {"none"}
    assert set(in_etc(box)) == {"ca.crt", "broker.password"}


@pytest.mark.parametrize("password", [True, False])
def test_a_hub_toml_that_is_refused_leaves_the_hub_its_broker(box: Box, *, password: bool) -> None:
    box.apply(*wanted(box, "old"))
    refused = wanted(box, "new", password=password, check="false")
    would = box.apply(*refused, dry_run=True)
    done = box.apply(*refused)
    assert foreseen(would) == foreseen(done)
    assert done[-3].change == "failed"
    assert read_by_the_hub(box) == of("old")
    assert restarts(box) == 1, "the first one's: nothing is owed for what failed"
    assert changes(box.apply(*refused)).count("changed") == 0
    # Then it is put right.
    box.apply(*wanted(box, "new", password=password))
    assert read_by_the_hub(box) == of("new")[: 1 + password]
    assert set(in_etc(box)) == ({"ca-2.crt", "broker-2.password"} if password else {"ca-2.crt"})


def test_a_password_that_is_needed_no_more_goes_once_hub_toml_does_not_name_it(box: Box) -> None:
    box.apply(*wanted(box, "old"))
    would = box.apply(*wanted(box, "old", password=False), dry_run=True)
    done = box.apply(*wanted(box, "old", password=False))
    assert foreseen(would) == foreseen(done)
    assert done[-2] == Outcome(f"leftover {PASSWORD}", "changed", "removed: broker.password")
    assert in_etc(box) == {"ca.crt": "old's authority"}, "though a comment names it"


@pytest.mark.parametrize("kept", [None, "not [ TOML"])
def test_what_a_hub_toml_names_that_is_kept_to_go_back_to_stays(box: Box, kept: str | None) -> None:
    box.apply(*wanted(box, "old"))
    before = box("/etc/carehub/.hub.toml.of-a")
    before.write_text(kept or box("/etc/carehub/hub.toml").read_text())
    would = box.apply(*wanted(box, "new"), dry_run=True)
    assert foreseen(would) == foreseen(box.apply(*wanted(box, "new")))
    assert (box(CA).read_text(), box(PASSWORD).read_text()) == tuple(of("old"))
    assert read_by_the_hub(box) == of("new")
    if kept is None:
        box.apply(*wanted(box, "third"))
        assert read_by_the_hub(box) == of("third")
        assert set(in_etc(box)) == {before.name, "ca.crt", "broker.password", "ca-3.crt", "broker-3.password"}
        box.apply(*wanted(box, "old"))
        assert set(in_etc(box)) == {before.name, "ca.crt", "broker.password"}, "the same content is one file"
    before.unlink()
    box.apply(*wanted(box, "old"))
    assert (len(in_etc(box)), read_by_the_hub(box)) == (2, of("old"))


def test_hub_toml_is_not_put_in_force_without_what_it_names(box: Box) -> None:
    box.apply(*wanted(box, "old"))
    box("/etc/carehub/broker-2.password").mkdir()
    done = box.apply(*wanted(box, "new"))
    assert changes(done) == ["changed", "failed", "failed", "none", "none"]
    assert "broker-2.password could not be put in place" in done[2].detail
    assert (read_by_the_hub(box), restarts(box)) == (of("old"), 1)


def test_what_a_power_cut_left_half_goes_with_the_others(box: Box) -> None:
    box.apply(*wanted(box, "old"))
    box("/etc/carehub/.broker-2.password.carehub-new").write_text("new's pass")
    box("/etc/carehub/broker-of-the-home.password").write_text("somebody's")
    box.apply(*wanted(box, "old"))
    assert set(in_etc(box)) == {"ca.crt", "broker.password", "broker-of-the-home.password"}


@pytest.fixture
def provisioned(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A hub that runs, with the old broker; its keeper is the one of the machine's services."""
    machine.with_hub(brings={})
    Box(machine.places.root).apply(*_wanted(machine, "old", "old"))
    monkeypatch.setattr(trial, "Keeper", lambda _places: machine.keeper(pace=AT_ONCE))
    return machine


def _wanted(machine: Machine, broker: str, key: str, bundle: Path | None = None) -> list[Resource]:
    found: list[Resource] = [
        File(CA, f"{broker}'s authority", named=True),
        File(PASSWORD, f"{broker}'s password", "0640", secret=True, named=True),
        File(
            "/etc/carehub/hub.toml", f'{key} = ["{CA}", "{PASSWORD}"]\n', "0640", secret=True,
            check=f"{machine.places.current}/bin/carehub check-config --config {{}}" if bundle else "",
            then=(f"echo restarted >>{machine.places.root}/log",),
        ),
        *LEFTOVERS,
    ]  # fmt: skip
    if bundle is None:
        return found
    with opened(bundle, machine.places.signers) as opening:
        return [Release(opening.manifest.payloads[PYTHON].sha256, str(bundle)), *found]


def _applied(machine: Machine, resources: list[Resource], *, dry_run: bool = False) -> list[Outcome]:
    done = Box(machine.places.root).apply(*resources, dry_run=dry_run)
    return [each for each in done if each.title != f"run {RELOAD}"]  # there is no systemd here


def test_a_release_that_is_taken_back_has_its_broker_back_too(provisioned: Machine) -> None:
    machine, box = provisioned, Box(provisioned.places.root)
    before = box("/etc/carehub/hub.toml").read_bytes()
    log = box("/log").read_text()
    # It takes its hub.toml, and then ends at once.
    bad = _wanted(machine, "new", "new", machine.bundle(version="1.1", brings=knows("new")))
    done = _applied(machine, bad)
    release = next(each for each in done if each.title.startswith("release "))
    assert (release.change, "rolled back" in release.detail) == ("failed", True)
    assert machine.slots.linked() == "a"
    assert box("/etc/carehub/hub.toml").read_bytes() == before
    assert read_by_the_hub(box) == of("old")
    assert box("/log").read_text() == log, "no restart"
    assert not [each for each in box.apply() if "restarted" in each.title], "nor is one owed"


@pytest.mark.parametrize("broker", ["new", "old"])
def test_a_release_that_stays_has_its_broker_and_the_one_before_keeps_its(
    provisioned: Machine, broker: str
) -> None:
    machine, box = provisioned, Box(provisioned.places.root)
    machine.services = type(machine.services)(machine.places, enabled=())  # nothing is tried
    good = _wanted(machine, broker, "new", machine.bundle(version="1.1", brings=knows("new")))
    would = _applied(machine, good, dry_run=True)
    done = _applied(machine, good)
    assert changes(foreseen(done)) == changes(would)
    assert read_by_the_hub(box) == of(broker)
    kept = box("/etc/carehub/.hub.toml.of-a")
    assert [box(path).read_text() for path in kept.read_text().split('"')[1::2]] == of("old")
    for dry_run in (True, False):
        assert set(changes(_applied(machine, good, dry_run=dry_run))) == {"none"}
    # With the slot before goes what its hub.toml alone named.
    later = _wanted(machine, broker, "new", machine.bundle(version="1.2", brings=knows("new")))
    would = _applied(machine, later, dry_run=True)
    assert changes(foreseen(_applied(machine, later))) == changes(would)
    assert len([name for name in in_etc(box) if name.startswith("ca")]) == 1
    assert read_by_the_hub(box) == of(broker)
