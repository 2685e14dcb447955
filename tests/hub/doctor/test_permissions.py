"""Who may read the configuration, the keys and the data, by the modes of real files."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.configuration.file import Config, load
from hub.doctor.findings import Verdict
from hub.doctor.looking import Subject
from hub.doctor.permissions import permissions
from tests.rigs.house import write_configuration

PASS, WARN, FAIL = Verdict.PASS, Verdict.WARN, Verdict.FAIL


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """A home that is no test, whose files are the hub's alone."""
    file = write_configuration(tmp_path)
    text = file.read_text().replace("test_data = true", "test_data = false").replace("tls = false\n", "")
    text = text.replace("[replay]\n", "").replace(f'socket = "{tmp_path}/replay.sock"\n', "")
    for name in ("hub.crt", "hub.key", "page.crt", "page.key", "password"):
        (tmp_path / name).touch(mode=0o640)
    named = (
        f'certificate_file = "{tmp_path}/hub.crt"\nkey_file = "{tmp_path}/hub.key"\n'
        f'username = "hub"\npassword_file = "{tmp_path}/password"\n'
    )
    page = f'[page]\ncertificate_file = "{tmp_path}/page.crt"\nkey_file = "{tmp_path}/page.key"\n'
    file.write_text(text.replace("port = 1\n", f"port = 1\n{named}") + page)
    file.chmod(0o640)
    config = load(file)
    config.hub.data_directory.mkdir(mode=0o700)
    return Subject(config, file)


def test_what_is_the_hubs_alone_passes(subject: Subject) -> None:
    (finding,) = permissions(subject)
    assert (finding.verdict, finding.words) == (PASS, "5 file(s) are for the hub and root alone")


@pytest.mark.parametrize(
    ("name", "mode", "words", "todo"),
    [
        ("hub.toml", 0o644, "may be read by anybody", "chmod 640"),
        ("hub.toml", 0o660, "may be changed by its group", "chmod 640"),
        ("hub.key", 0o604, "may be read by anybody", "chmod 640"),
        ("password", 0o606, "may be changed by anybody", "chmod 640"),
        ("page.key", 0o644, "may be read by anybody", "chmod 640"),
        ("data", 0o755, "may be read by anybody", "chmod 700"),
    ],
)
def test_each_that_is_open_to_others_is_a_failure_that_says_how_to_close_it(
    subject: Subject, tmp_path: Path, name: str, mode: int, words: str, todo: str
) -> None:
    (tmp_path / name).chmod(mode)
    (finding,) = permissions(subject)
    assert finding.verdict is FAIL
    assert words in finding.words
    assert finding.todo == f"{todo} {tmp_path / name}"


def test_made_up_residents_that_anybody_may_read_are_a_warning_and_a_key_is_a_failure_all_the_same(
    subject: Subject, tmp_path: Path
) -> None:
    site = subject.config.site.model_copy(update={"test_data": True})
    config: Config = subject.config.model_copy(update={"site": site})
    (tmp_path / "hub.toml").chmod(0o644)
    (tmp_path / "hub.key").chmod(0o644)
    found = permissions(Subject(config, subject.file))
    assert [each.verdict for each in found] == [WARN, FAIL]
