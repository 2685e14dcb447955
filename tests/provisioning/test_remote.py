"""A machine over SSH, against a real sshd."""

from __future__ import annotations

import getpass
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from provisioning.errors import ProvisioningError
from provisioning.remote import Reach, Remote, as_root
from tests.rigs.sshd import Sshd, free_port, make_key, running_sshd


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as sshd:
        yield sshd


def why(target: str, reach: Reach) -> str:
    with pytest.raises(ProvisioningError) as raised, Remote(target, reach):
        pass
    return str(raised.value)


def test_a_command_is_run_with_its_input_and_its_words_come_back_apart(machine: Sshd) -> None:
    with Remote(machine.target, machine.reach()) as remote:
        done = remote.run("cat; echo oh >&2; exit 3", b"hello\n\x00")
    assert (done.code, done.output, done.errors) == (3, "hello\n\x00", "oh\n")


def test_it_is_run_as_root_and_knows_who_logged_in_and_from_where(machine: Sshd) -> None:
    with Remote(machine.target, machine.reach()) as remote:
        user, _, connection = (
            remote.run('id -u; echo "$1"; echo "$2"').output.partition("\n")[2].partition("\n")
        )
        assert remote.run("id -u").output == "0\n"
    assert user == getpass.getuser()
    assert connection.split()[0] == "127.0.0.1"
    assert connection.split()[3] == str(machine.port)


def test_all_go_through_one_connection(machine: Sshd) -> None:
    with Remote(machine.target, machine.reach()) as remote:
        ports = {remote.run('echo "$2"').output.split()[1] for _ in range(3)}
    assert len(ports) == 1


def test_lines_come_as_they_are_said_whatever_the_size_of_the_input(machine: Sshd, tmp_path: Path) -> None:
    go = tmp_path / "go"
    with Remote(machine.target, machine.reach()) as remote:
        command = f"echo first; until [ -e {go} ]; do sleep 0.1; done; wc -c"
        lines = remote.lines(command, b"x" * 2_000_000, seconds=60)
        assert next(lines) == "first\n"  # while the command goes on, and would for ever
        go.touch()
        assert list(lines) == ["2000000\n"]


def test_one_that_answers_before_it_has_read_all_is_no_stand_still(machine: Sshd) -> None:
    with Remote(machine.target, machine.reach()) as remote:
        assert len(list(remote.lines("seq 100000", b"x" * 2_000_000))) == 100000


def test_a_machine_that_hangs_is_not_waited_for_for_ever(machine: Sshd) -> None:
    with Remote(machine.target, machine.reach()) as remote:
        with pytest.raises(ProvisioningError, match=r"has said nothing for .*it hangs"):
            list(remote.lines("sleep 60", b"", seconds=0.3))
        with pytest.raises(ProvisioningError, match=r"did not answer within 0\.3 s"):
            remote.run("sleep 60", seconds=0.3)


_THROUGH_A_JUMP_HOST = """
import signal, sys
from pathlib import Path
from provisioning.remote import Reach, Remote
target, port, identity, go, *options = sys.argv[1:]
signal.signal(signal.SIGINT, lambda *_: print("heard", flush=True))
with Remote(target, Reach(int(port), Path(identity), options=tuple(options))) as remote:
    waits = f"until [ -e {go} ]; do sleep 0.1; done"
    for line in remote.lines(f"echo begun; {waits}; echo half", b"", seconds=60):
        print(line, end="", flush=True)
    print(remote.run("echo whole").output, flush=True)
"""


def test_ctrl_c_cuts_off_nothing_that_is_under_way_nor_the_jump_host(machine: Sshd, tmp_path: Path) -> None:
    reach, go = machine.reach(), tmp_path / "go"
    options = [each for option in reach.options for each in ("-o", option)]
    jump = shlex.join(["ssh", *options, "-i", str(reach.identity), "-p", str(reach.port), machine.target])
    program = (sys.executable, "-c", _THROUGH_A_JUMP_HOST, machine.target, str(reach.port))
    with subprocess.Popen(
        (*program, str(reach.identity), str(go), *reach.options, f"ProxyCommand={jump} -W %h:%p"),
        stdout=subprocess.PIPE, text=True, start_new_session=True, cwd=Path(__file__).parents[2],
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        assert process.stdout.readline() == "heard\n"
        go.touch()
        assert process.stdout.read().split() == ["half", "whole"]


def test_a_keeper_that_only_says_what_is_wrong_is_an_error(machine: Sshd) -> None:
    with (
        Remote(machine.target, machine.reach()) as remote,
        pytest.raises(ProvisioningError, match=r"127\.0\.0\.1: another keeper works on this machine$"),
    ):
        list(remote.lines("echo 'keeper: another keeper works on this machine' >&2; exit 1", b""))


def test_what_ends_half_way_is_an_error_with_the_last_that_it_said(machine: Sshd) -> None:
    """Whatever it had said before, and by a signal too: then ssh ends with its own 255."""
    with Remote(machine.target, machine.reach()) as remote:
        for ends, words in (
            (
                "echo Traceback >&2; echo 'OSError: no room' >&2; exit 1",
                r"ended with 1 .*\(OSError: no room\)",
            ),
            ("echo 'keeper: the disk is full' >&2; exit 1", r"127\.0\.0\.1: the disk is full$"),
            ("exit 137", r"ended with 137 .*\(it said nothing\)"),
            ("kill -9 $$", r"what ran there was killed .*the same command again does the rest"),
        ):
            lines = remote.lines(f"echo begun; {ends}", b"", good=(0, 3))
            assert next(lines) == "begun\n"
            with pytest.raises(ProvisioningError, match=words):
                next(lines)


def test_a_connection_that_is_lost_is_said_with_what_to_do(machine: Sshd) -> None:
    with (
        Remote(machine.target, machine.reach()) as remote,
        pytest.raises(
            ProvisioningError, match=r"the connection was lost, .*the same command again does the rest"
        ),
    ):
        # The server's own process for this connection.
        remote.run("kill -9 $PPID; sleep 5")


def test_a_sudo_that_asks_for_a_password_is_said_with_how_to_allow_it() -> None:
    words = Remote("pi@hub", Reach())._about_sudo("sudo: a password is required\n")
    assert "$USER ALL=(ALL) NOPASSWD: ALL" in words
    assert "log in as root" in Remote("pi@hub", Reach())._about_sudo("sudo: pi is not in the sudoers file\n")


def test_what_sudo_only_warns_of_hides_nothing(machine: Sshd) -> None:
    """As after a change of the host's name."""
    with Remote(machine.target, machine.reach()) as remote:
        warning = "echo 'sudo: unable to resolve host rose: Name or service not known' >&2"
        done = remote.run(f"{warning}; echo oh >&2; exit 1")
        assert (done.code, done.errors) == (1, "oh\n")
        assert list(remote.lines(f"{warning}; echo failed; exit 3", b"", good=(0, 3))) == ["failed\n"]
        with pytest.raises(ProvisioningError, match=r"whom sudo lets do everything"):
            remote.run("echo 'pi is not in the sudoers file.' >&2; exit 1")


def test_a_port_and_an_address_of_ipv6_may_stand_in_the_target(machine: Sshd) -> None:
    for host in (f"127.0.0.1:{machine.port}", f"[127.0.0.1]:{machine.port}"):
        reach = replace(machine.reach(), port=None)
        with Remote(f"{getpass.getuser()}@{host}", reach) as remote:
            assert remote.run("echo here").output == "here\n"
    for given, passed in (
        ("pi@[fd12::20]", "pi@fd12::20"),
        ("[fe80::1%eth0]:2222", "ssh://[fe80::1%25eth0]:2222"),
        ("pi@fd12::20", "pi@fd12::20"),
        ("ssh://pi@hub:2222", "ssh://pi@hub:2222"),
    ):
        assert Remote(given)._command([])[-1] == passed


def test_what_ssh_config_has_for_logging_in_by_hand_does_not_matter(machine: Sshd) -> None:
    reach = machine.reach()
    options = (*reach.options, "RequestTTY=force", "RemoteCommand=tmux attach", "LocalForward=1 [::1]:1")
    with Remote(machine.target, replace(reach, options=options)) as remote:
        assert remote.run("cat", b"a\nb\x04c").output == "a\nb\x04c"


def test_quotes_in_a_command_are_kept() -> None:
    assert os.popen(as_root("""echo "a'b" '$HOME'""")).read() == "a'b $HOME\n"


def test_a_wrong_key_is_refused_in_words(machine: Sshd, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other")
    assert "takes none of your keys" in why(machine.target, machine.reach(identity=other))


def test_a_host_that_is_not_known_is_believed_only_when_asked_for(machine: Sshd) -> None:
    known = machine.known_hosts.read_text()
    machine.known_hosts.write_text("")
    try:
        strict = replace(machine.reach(), options=(*machine.reach().options, "StrictHostKeyChecking=yes"))
        assert "its host key is not known here" in why(machine.target, strict)
        with Remote(machine.target, machine.reach(accept_new_key=True)) as remote:
            assert remote.run("true").code == 0
        assert "ssh-ed25519" in machine.known_hosts.read_text()
    finally:
        machine.known_hosts.write_text(known)


def test_a_host_key_that_changed_is_never_believed(machine: Sshd, tmp_path: Path) -> None:
    known = machine.known_hosts.read_text()
    make_key(tmp_path / "other")
    public = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    machine.known_hosts.write_text(f"[127.0.0.1]:{machine.port} {public}\n")
    try:
        assert "it has another host key than last time" in why(
            machine.target, machine.reach(accept_new_key=True)
        )
    finally:
        machine.known_hosts.write_text(known)


def test_a_private_key_that_others_can_read_is_said(machine: Sshd, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes((machine.directory / "key").read_bytes())
    key.chmod(0o644)
    assert "chmod 600" in why(machine.target, machine.reach(identity=key))


def test_where_nothing_listens_and_where_no_name_leads_is_said(machine: Sshd) -> None:
    nowhere = Reach(free_port(), connect_seconds=3)
    assert "no SSH: switch it on" in why(machine.target, nowhere)
    assert "this name is not known here" in why("pi@no-such-hub.invalid", Reach(connect_seconds=3))


def test_a_machine_that_does_not_answer_is_said_in_time() -> None:
    begun = time.monotonic()
    # RFC 5737: an address of nobody's.
    words = why("pi@192.0.2.77", Reach(connect_seconds=1))
    assert "cannot be reached" in words
    assert time.monotonic() - begun < 10


def test_a_target_that_would_be_an_option_is_none() -> None:
    for target in ("-oProxyCommand=true", "", "pi@hub; reboot"):
        with pytest.raises(ProvisioningError, match="give the machine as"):
            Remote(target)


def test_a_machine_that_says_more_than_there_is_memory_is_heard_so_far_and_no_further(
    machine: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provisioning.programs._MOST_SAID", 1000)
    monkeypatch.setattr("provisioning.programs._LONGEST_LINE", 1000)
    with Remote(machine.target, machine.reach()) as remote:
        done = remote.run("yes | head -c 300000; printf 'no\033[2J\n' >&2; exit 3")
        assert (done.code, len(done.output), done.errors) == (3, 1000, "no [2J\n")
        with pytest.raises(ProvisioningError, match="a line without an end"):
            list(remote.lines("tr '\\0' x </dev/zero", b""))
        started = time.monotonic()
        with pytest.raises(ProvisioningError, match=r"did not answer within 0\.2 s"):
            remote.run("yes", seconds=0.2)
        assert time.monotonic() - started < 30
