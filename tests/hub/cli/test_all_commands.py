"""What holds for every command: help that reads, the documented exit codes, and never a traceback."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from hub.cli import _COMMANDS, carehub
from hub.errors import CareportError
from tests.rigs.house import write_configuration
from tests.rigs.hub_process import HubProcess, carehub_here

README = Path(__file__).parents[3] / "README.md"
WITH_CONFIG = {
    "run": [],
    "devices": ["list"],
    "observe": ["R-0412", "--air"],
    "residents": [],
    "alerts": [],
    "readings": [],
    "replay": ["-"],
    "record": ["--for", "0s"],
    "check-config": [],
    "audit": [],
    "doctor": [],
}
LOOKING = ("residents", "alerts", "readings", "record", "audit")


def test_every_command_is_documented_in_the_readme() -> None:
    documented = set(re.findall(r"`carehub ([a-z-]+)", README.read_text(encoding="utf-8")))
    assert set(_COMMANDS) <= documented


def test_the_list_of_commands_reads_to_the_end_of_each_line() -> None:
    ended = carehub_here("--help")
    assert ended.code == 0
    assert "..." not in ended.output.partition("Commands:")[2]
    for name in _COMMANDS:
        assert re.search(rf"^  {name} +[A-Z].*\.$", ended.output, re.MULTILINE), name


@pytest.mark.parametrize("name", _COMMANDS)
def test_help_names_every_option_and_says_what_it_is_for(name: str) -> None:
    ended = carehub_here(name, "--help")
    assert (ended.code, ended.errors) == (0, "")
    command = carehub.get_command(click.Context(carehub), name)
    assert command is not None
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.opts[0] in ended.output
            assert parameter.help, f"{name} {parameter.opts[0]} has no help"


def test_without_a_command_it_tells_what_there_is() -> None:
    ended = carehub_here()
    assert ended.code == 2
    assert "check-config" in ended.output + ended.errors


def test_the_version_is_told() -> None:
    assert carehub_here("--version").output.startswith("carehub, version ")


def test_an_unknown_command_is_the_users_mistake() -> None:
    ended = carehub_here("dance")
    assert ended.code == 2
    assert "No such command 'dance'" in ended.errors


@pytest.mark.parametrize("name", _COMMANDS)
def test_an_unknown_option_is_the_users_mistake(name: str) -> None:
    ended = carehub_here(name, "--dance")
    assert ended.code == 2
    assert "--dance" in ended.errors


@pytest.mark.parametrize("name", WITH_CONFIG)
def test_a_configuration_that_is_not_there_is_named(name: str, tmp_path: Path) -> None:
    ended = carehub_here(name, *WITH_CONFIG[name], "--config", tmp_path / "no.toml")
    assert ended.code == 3
    assert f"{tmp_path / 'no.toml'}" in ended.errors
    assert "No such file" in ended.errors


@pytest.mark.parametrize("name", WITH_CONFIG)
def test_a_key_that_is_wrong_is_named(name: str, tmp_path: Path) -> None:
    config = write_configuration(tmp_path, '[publish]\nreadings = true\n[alerts]\nresolve_after = "soon"\n')
    ended = carehub_here(name, *WITH_CONFIG[name], "--config", config)
    assert ended.code == 3
    assert "publish.readings: no such key" in ended.errors
    assert "alerts.resolve_after: give a duration with its unit" in ended.errors
    assert "soon" in ended.errors


@pytest.mark.parametrize("name", LOOKING)
def test_where_no_hub_has_run_yet_that_is_said(name: str, tmp_path: Path) -> None:
    ended = carehub_here(name, *WITH_CONFIG[name], "--config", write_configuration(tmp_path))
    assert ended.code == 1
    assert "has the hub ever run here?" in ended.errors
    assert ended.errors.startswith("carehub: ")


@pytest.mark.parametrize("name", LOOKING)
def test_a_file_that_is_no_database_is_said_to_be_so(name: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "carehub.db").write_bytes(b"a shopping list" * 1000)
    ended = carehub_here(name, *WITH_CONFIG[name], "--config", write_configuration(tmp_path))
    assert ended.code == 1
    assert "cannot be read" in ended.errors


def test_in_a_process_of_its_own_a_mistake_is_one_line_and_an_exit_code(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "hub", "residents", "--config", str(write_configuration(tmp_path))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "Traceback" not in ended.stderr


def test_a_reader_that_has_had_enough_is_no_fault(hub: HubProcess) -> None:
    """As `carehub readings | head -1`: standard output is closed under the command."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hub", "readings", "--json", "--config", str(hub.config_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 0
    process.stderr.close()


def test_one_who_interrupts_sees_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hub.cli._main", interrupted)
    ended = carehub_here("--version")
    assert (ended.code, ended.output, ended.errors) == (130, "", "")


def test_the_base_of_all_foreseen_faults_ends_with_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fails(*_: object) -> None:
        raise CareportError("the sky fell: go home")

    monkeypatch.setattr("hub.process.main", fails)
    ended = carehub_here("run", "--config", write_configuration(tmp_path))
    assert (ended.code, ended.errors) == (1, "carehub: the sky fell: go home\n")
