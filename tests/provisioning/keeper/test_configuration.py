"""hub.toml is changed together with the release that knows it, and is back with the one that does not."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from provisioning.keeper.applying_commands import RELOAD
from provisioning.keeper.atomic import Disk
from provisioning.keeper.bundle_file import opened
from provisioning.keeper.configuration import Configuration, NewConfiguration
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.judge import Pace
from provisioning.keeper.resources import File, Identity, Outcome, Release
from tests.rigs.box import Box, changes
from tests.rigs.releases import PYTHON, Machine

AT_ONCE = Pace(patience=2, soak=0.0, steady=0.0, answer=20, look=0.01, kill=0.2, back=2.0)
CHECKS = """#!/bin/sh
# The program of a release that knows this key, and no other.
[ "$1" = check-config ] || exit 2
grep -q "^{key} = " "$3" && [ "$(wc -l <"$3")" = 1 ] && exit 0
echo "$3: wrong"; echo "  hub.other: is not known, and says 'a secret'"; exit 3
"""


def knows(key: str) -> dict[str, str]:
    return {"bin/carehub": CHECKS.format(key=key)}


@pytest.fixture
def hub_toml(machine: Machine) -> Path:
    path = machine.places.etc / "hub.toml"
    path.write_text("old = 1\n")
    path.chmod(0o640)
    return path


def staged(machine: Machine, refused: str | None = None) -> NewConfiguration:
    new = machine.places.etc / ".hub.toml.new"
    new.write_text("new = 1\n")
    new.chmod(0o600)
    return NewConfiguration(new, lambda _slot: refused)


def test_it_is_in_force_with_the_release_that_proves_itself(machine: Machine, hub_toml: Path) -> None:
    machine.with_hub()
    verdict = machine.keeper(pace=AT_ONCE).update(
        machine.bundle(version="1.1"), configuration=staged(machine)
    )
    assert verdict.outcome == "kept"
    assert (hub_toml.read_text(), hub_toml.stat().st_mode & 0o777) == ("new = 1\n", 0o600)


def test_the_one_before_is_back_with_the_release_before(machine: Machine, hub_toml: Path) -> None:
    machine.with_hub()
    bad = machine.bundle(version="1.1", hub={"ends": 1})
    verdict = machine.keeper(pace=AT_ONCE).update(bad, configuration=staged(machine))
    assert verdict.outcome == "rolled back"
    assert (hub_toml.read_text(), hub_toml.stat().st_mode & 0o777) == ("old = 1\n", 0o640)


def test_what_the_release_refuses_is_never_tried(machine: Machine, hub_toml: Path) -> None:
    machine.with_hub()
    before = machine.services.seen("carehub.service")
    with pytest.raises(KeeperError, match=r"refuses the new hub\.toml: hub\.other"):
        machine.keeper().update(machine.bundle(version="1.1"), configuration=staged(machine, "hub.other"))
    assert (machine.slots.linked(), hub_toml.read_text()) == ("a", "old = 1\n")
    assert machine.services.seen("carehub.service") == before
    assert machine.services.refreshed == []


@pytest.mark.parametrize("knows_new", [False, True])
def test_by_hand_it_goes_back_only_where_the_release_before_needs_that(
    machine: Machine, hub_toml: Path, *, knows_new: bool
) -> None:
    keeper = machine.keeper()
    keeper.update(machine.bundle(brings=knows("new" if knows_new else "old")))
    machine.services = type(machine.services)(machine.places, enabled=())  # nothing is tried
    keeper = machine.keeper()
    keeper.update(machine.bundle(version="1.1", brings=knows("new")), configuration=staged(machine))
    assert hub_toml.read_text() == "new = 1\n"
    assert keeper.roll_back().good
    assert machine.slots.linked() == "a"
    assert hub_toml.read_text() == ("new = 1\n" if knows_new else "old = 1\n")


def test_one_that_was_changed_since_is_not_gone_back_from_unseen(machine: Machine, hub_toml: Path) -> None:
    """Whose a sensor is may be another today than when the release before was in force."""
    keeper = machine.keeper()
    keeper.update(machine.bundle(brings=knows("old")))
    machine.services = type(machine.services)(machine.places, enabled=())  # nothing is tried
    keeper = machine.keeper()
    keeper.update(machine.bundle(version="1.1", brings=knows("new")), configuration=staged(machine))
    later = time.time() + 3600
    hub_toml.write_text("new = 2\n")
    os.utime(hub_toml, (later, later))
    with pytest.raises(KeeperError, match=r"1\.0 \(one\) refuses .*hub\.toml, which was changed since"):
        keeper.roll_back()
    assert (machine.slots.linked(), hub_toml.read_text()) == ("b", "new = 2\n")
    hub_toml.write_text("old = 2\n")  # what 1.0 takes, by hand
    assert keeper.roll_back().good
    assert (machine.slots.linked(), hub_toml.read_text()) == ("a", "old = 2\n")


def test_one_that_the_release_before_cannot_be_asked_about_stays(machine: Machine, hub_toml: Path) -> None:
    """Its program may be spoilt, or the memory full: that is no reason for another's residents."""
    machine.keeper().update(machine.bundle(brings={"bin/carehub": "#!/bin/sh\nexit 1\n"}))
    machine.services = type(machine.services)(machine.places, enabled=())
    keeper = machine.keeper()
    keeper.update(machine.bundle(version="1.1", brings=knows("new")), configuration=staged(machine))
    assert keeper.roll_back().good
    assert hub_toml.read_text() == "new = 1\n"


def test_one_of_a_release_that_is_gone_from_its_slot_is_forgotten(machine: Machine, hub_toml: Path) -> None:
    machine.services = type(machine.services)(machine.places, enabled=())
    kept = Configuration(machine.places, Disk())
    for number in range(3):
        machine.keeper().update(machine.bundle(version=f"1.{number}"), configuration=staged(machine))
    assert machine.slots.linked() == "a"
    assert not kept.of("a").exists()
    assert kept.of("b").exists()


def applied(machine: Machine, then: str, *, dry_run: bool = False) -> tuple[list[Outcome], list[Outcome]]:
    """As provision does it: the machine's release knows "old" alone, and the one that is brought "new"."""
    machine.keeper().update(machine.bundle(brings=knows("old")))
    bundle = machine.bundle(version="1.1", brings=knows("new"))
    with opened(bundle, machine.places.signers) as found:
        release = Release(found.manifest.payloads[PYTHON].sha256, str(bundle))
    check = f"{machine.places.current}/bin/carehub check-config --config {{}}"
    configuration = File(
        "/etc/carehub/hub.toml", then, "0640", group="carehub", secret=True, check=check, then=("exit 1",)
    )
    resources = (release, File("/etc/carehub/ca.crt", "ca"), configuration)
    box = Box(machine.places.root)
    first, second = (
        # There is no systemd here.
        [each for each in box.apply(*resources, dry_run=dry_run) if each.title != f"run {RELOAD}"]
        for _ in range(2)
    )
    return first, second


def test_provisioning_has_a_new_key_checked_by_the_release_that_comes_with_it(
    machine: Machine, hub_toml: Path
) -> None:
    done, again = applied(machine, "new = 1\n")
    # What the configuration names comes before it.
    assert [each.title.split()[-1] for each in done][::2] == ["/etc/carehub/ca.crt", "/etc/carehub/hub.toml"]
    assert changes(done) == ["changed"] * 3
    assert done[2].detail == "differs in new, old"
    assert (hub_toml.read_text(), hub_toml.stat().st_mode & 0o777) == ("new = 1\n", 0o640)
    assert changes(again) == ["none"] * 3, "nor was a restart owed"
    assert {each.name for each in machine.places.etc.iterdir() if each.name.startswith(".")} == {
        ".hub.toml.of-a"
    }


def test_provisioning_leaves_both_where_the_new_release_refuses_it(machine: Machine, hub_toml: Path) -> None:
    done, again = applied(machine, "old = 2\n")
    assert changes(done) == ["changed", "failed", "failed"]
    assert "refuses the new hub.toml" in done[1].detail
    assert "hub.other" in done[1].detail
    assert "a secret" not in "".join(each.to_json() for each in done)
    assert done[2].detail == "stays as it was, with the release"
    assert (machine.slots.linked(), hub_toml.read_text()) == ("a", "old = 1\n")
    assert changes(again) == ["none", "failed", "failed"]


def test_a_dry_run_does_not_ask_the_release_that_does_not_know_it(machine: Machine, hub_toml: Path) -> None:
    foreseen, _ = applied(machine, "new = 1\n", dry_run=True)
    assert changes(foreseen) == ["would change"] * 3
    assert (machine.slots.linked(), hub_toml.read_text()) == ("a", "old = 1\n")


def test_a_hub_that_waits_for_its_certificate_is_not_stopped_to_try_a_release(
    machine: Machine, hub_toml: Path
) -> None:
    machine.keeper().update(machine.bundle(brings=knows("old")))
    resources = (
        Release("5" * 64, str(machine.bundle(version="1.1"))),
        Identity("rose-house.hub-1"),
        File("/etc/carehub/hub.toml", "new = 1\n"),
    )
    identity, release, configuration = Box(machine.places.root).apply(*resources)[:3]
    assert identity.request
    assert (release.change, release.detail) == (
        "failed",
        "not tried: it waits for the certificate of rose-house.hub-1",
    )
    assert configuration.change == "failed"
    assert (machine.slots.linked(), hub_toml.read_text()) == ("a", "old = 1\n")
