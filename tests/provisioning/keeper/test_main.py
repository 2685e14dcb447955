"""The keeper's command line, as a program of its own: the standard library is all it has."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import uuid
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from provisioning import keeper as keeper_package
from provisioning.keeper.bundle_file import opened
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.held import held
from provisioning.keeper.requested import Request, Wire, begin, hand_over
from provisioning.keeper.resources import SOME_FAILED, File, outcomes_from, to_json
from provisioning.keeper.state import Named, State, Trial
from tests.rigs.releases import WELL, Machine

SOURCES = Path(keeper_package.__file__).parent
UNREADABLE = File("/etc/unreadable", "base64:\x00A")
"""At which the keeper breaks down: there is no such base64."""


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The keeper as it is put on a machine, but for its place."""
    home = tmp_path_factory.mktemp("keeper")
    package = home / "modules-1/provisioning"
    shutil.copytree(SOURCES, package / "keeper", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(SOURCES.parent / "__init__.py", package / "__init__.py")
    (home / "modules").symlink_to("modules-1")
    text = (SOURCES / "launcher.py").read_text()
    assert text.startswith("#!/usr/bin/python3 -I\n")
    assert "/usr/lib/carehub/modules" in text
    (home / "keeper").write_text(text.replace("/usr/lib/carehub/modules", str(home / "modules")))
    return home / "keeper"


@pytest.fixture
def run(launcher: Path, machine: Machine) -> Run:
    return Run(launcher, machine)


class Run:
    """Runs it as the system's Python does, far from the checkout."""

    def __init__(self, launcher: Path, machine: Machine) -> None:
        self._command = (sys.executable, "-I", "-S", str(launcher), "--root", str(machine.places.root))

    def __call__(self, *arguments: str, told: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            (*self._command, *arguments),
            input=told, text=True, capture_output=True, check=False,
            cwd="/", env={"PATH": os.environ["PATH"]},
        )  # fmt: skip


def test_an_update_is_told_line_by_line_and_ends_with_its_verdict(run: Run, machine: Machine) -> None:
    done = run("update", str(machine.bundle()))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("verifying 1.0-one.bundle")
    assert "release 1.0 (one) is in force" in done.stdout
    assert machine.slots.linked() == "a"


def test_a_verdict_for_machines_is_the_only_thing_on_standard_output(run: Run, machine: Machine) -> None:
    said = json.loads(run("update", "--json", str(machine.bundle())).stdout)
    assert said["outcome"] == "kept"
    assert said["to"] == {"version": "1.0", "build": "one"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("update", "/nowhere"), "cannot be read"),
        (("update",), "which bundle?"),
        (("roll-back",), "no release to go back to"),
        (("update", "--requested"), "no update was asked for"),
    ],
)
def test_a_foreseen_fault_is_one_line_on_standard_error(
    run: Run, arguments: tuple[str, ...], words: str
) -> None:
    done = run(*arguments)
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("patience", ["0", "never", "1e9"])
def test_patience_is_a_number_of_seconds_that_makes_sense(run: Run, patience: str) -> None:
    assert run("update", "x", "--patience", patience).returncode == 2


def test_its_state_says_what_is_in_force_and_what_is_in_the_other_slot(run: Run, machine: Machine) -> None:
    run("update", str(machine.bundle()))
    run("update", str(machine.bundle(version="1.1")))
    said = json.loads(run("state").stdout)
    assert said["in_force"] == "b"
    assert said["slots"]["a"]["version"] == "1.0"
    assert said["slots"]["b"]["version"] == "1.1"
    assert said["trial"] is None
    assert said["last"]["outcome"] == "kept"
    assert "not enabled" in said["last"]["why"]


def test_the_state_of_a_bare_machine_is_that_there_is_nothing(run: Run) -> None:
    assert json.loads(run("state").stdout) == {
        "in_force": None,
        "slots": {"a": None, "b": None},
        "trial": None,
        "last": None,
        "probation": None,
    }


def test_two_keepers_never_work_at_once(run: Run, machine: Machine) -> None:
    with held(machine.places, "provisioning"):
        done = run("update", str(machine.bundle()))
    assert done.returncode == 1
    assert f"another keeper works on this machine (provisioning, process {os.getpid()})" in done.stderr
    assert run("update", str(machine.bundle())).returncode == 0


def test_settling_says_what_it_did_and_nothing_where_all_is_well(run: Run, machine: Machine) -> None:
    run("update", str(machine.bundle()))
    assert run("settle").stdout == ""
    machine.places.current.unlink()
    done = run("settle")
    assert (done.returncode, done.stdout) == (0, "slot a is in force\n")


def test_what_the_unit_is_asked_for_is_done_once_and_every_word_of_it_is_heard(
    run: Run, machine: Machine
) -> None:
    wire = Wire(machine.places)
    wire.ask(Request(str(machine.bundle())))
    assert run("update", "--requested").returncode == 0
    heard = wire.heard()
    assert heard[0]["words"].startswith("verifying")
    assert heard[-1]["verdict"]["outcome"] == "kept"
    assert run("update", "--requested").returncode == 1
    wire.ask(Request("/nowhere"))
    assert run("update", "--requested").returncode == 1
    assert "cannot be read" in wire.heard()[-1]["error"]


def test_who_asked_and_what_was_meant_reach_the_keeper(run: Run, machine: Machine) -> None:
    machine.with_hub(hub={"says": {**WELL, "hindered": None}})
    bundle, name = machine.bundle(version="1.1", build="two"), str(uuid.uuid4())
    with opened(bundle, machine.places.signers) as found:
        sha256 = hashlib.sha256(found.manifest_text).hexdigest()
    Wire(machine.places).ask(Request(str(bundle), manifest_sha256=sha256, asked=name))
    assert run("update", "--requested").returncode == 0
    notes = machine.keeper().notes
    last, began = notes.read().last, datetime.now(UTC)
    assert last is not None
    assert last.asked == name
    probation = Trial(Named("1.0", "one"), "a", Named("1.1", "two"), "b", began)
    notes.write(State(None, last, probation))
    third = str(machine.bundle(version="1.2"))
    refused = run("update", third)
    assert (refused.returncode, "--on-probation FILE" in refused.stderr) == (1, True)
    assert run("update", "--on-probation", third).returncode == 0


def test_who_asks_for_an_update_while_another_asks_is_refused_and_changes_nothing_of_it(
    machine: Machine,
) -> None:
    """Otherwise the first would be told what became of the second's."""
    wire = Wire(machine.places)
    wire.ask(Request("/first"))
    with held(machine.places, "asking for an update", name="asking"):
        for ask in (begin, partial(hand_over, tell=print)):
            with pytest.raises(KeeperError, match="an update is under way"):
                ask(machine.places, Request("/second"))
    assert wire.asked().bundle == "/first"


def test_what_a_machine_is_to_have_is_read_from_standard_input(run: Run) -> None:
    done = run("apply", "--dry-run", told='{"resources": []}')
    assert (done.returncode, done.stdout) == (0, "")
    done = run("apply", told="nonsense")
    assert done.returncode == 1
    assert "cannot be read" in done.stderr


def test_a_list_of_which_something_failed_ends_otherwise_than_a_keeper_that_broke_down(
    run: Run, machine: Machine
) -> None:
    (machine.places.root / "a-file").write_text("")
    below_a_file, good = File("/a-file/below", "x"), File("/good", "x")
    done = run("apply", told=to_json([below_a_file, good]))
    assert done.returncode == SOME_FAILED == 3
    assert [each.change for each in outcomes_from(done.stdout.splitlines())] == ["failed", "changed"]
    done = run("apply", told=to_json([File("/another", "x"), UNREADABLE, good]))
    assert done.returncode == 1
    assert [each.change for each in outcomes_from(done.stdout.splitlines())] == ["changed"]


def test_it_says_which_format_of_bundles_it_reads(run: Run) -> None:
    assert "format 1" in run("version").stdout
