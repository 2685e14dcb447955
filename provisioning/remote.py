"""A machine, over one connection of plain OpenSSH: each command is a channel of it and costs a round trip.

The user's own ssh_config, agent and known hosts hold; nothing is ever asked on the terminal. Ctrl-C there
ends no ssh: what one machine is told to do is not cut off because no other is to be begun.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from provisioning import programs
from provisioning.errors import ProvisioningError
from provisioning.machine_words import plain_lines

_LOST = 255
"""ssh's own exit code: the connection, not the command; or a command that was ended by a signal."""
_COMMAND_SECONDS = 900.0
_SILENT_SECONDS = 1500.0
"""Between two lines: more than the keeper lets apt take."""
_BEARS_CTRL_C = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
"""A jump host's ssh may ask for its password on the terminal, and stays there; all that is under way on the
machine goes through it."""
_WITH_PORT = re.compile(
    r"(?P<user>[^@/\s]+@)?(?:\[(?P<address>[\w:.%-]+)\]|(?P<name>[^:@/\[\]\s]+))(?::(?P<port>\d+))?"
)
_WARNED = re.compile(r"^sudo: (unable to resolve host|setrlimit)[^\n]*\n?", re.MULTILINE)
"""What sudo says and does what it was asked all the same."""
_REFUSED = re.compile(
    r"^sudo: |sudo: (command )?not found|is not in the sudoers file|^Sorry, user ", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Reach:
    """How a machine is reached, where that is not as the user's ssh_config has it.

    `accept_new_key`: a host key that was never seen is noted and believed (the first time; a changed one
    never). `options` are ssh's (-o), `connect_seconds` how long it is tried.
    """

    port: int | None = None
    identity: Path | None = None
    accept_new_key: bool = False
    connect_seconds: int = 10
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    output: str
    errors: str


class Remote:
    """The connection, as a context. Every method raises `ProvisioningError`, which says what to do."""

    def __init__(self, target: str, reach: Reach | None = None) -> None:
        if not target or target.startswith("-") or any(letter.isspace() for letter in target):
            raise ProvisioningError(f"{target!r}: give the machine as pi@HOST, or by its name in ssh_config")
        self.target = target
        self._target = _as_ssh_takes_it(target)
        self._reach = reach or Reach()
        self._directory = ""

    def __enter__(self) -> Self:
        # Short: a socket's path may have about a hundred bytes.
        self._directory = tempfile.mkdtemp(prefix="carehub-ssh-", dir="/tmp")
        try:
            done = self._ssh(
                ["-M", "-f", "-N", "-o", "ControlPersist=300"], None, self._reach.connect_seconds + 60
            )
            if done.code != 0:
                raise ProvisioningError(self._why(done.errors))
        except BaseException:
            shutil.rmtree(self._directory, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._ssh(["-O", "exit"], None, 10)
        except ProvisioningError:
            pass  # it ends by itself
        finally:
            shutil.rmtree(self._directory, ignore_errors=True)

    def run(
        self, command: str, stdin: bytes | IO[bytes] | None = None, *, seconds: float = _COMMAND_SECONDS
    ) -> Done:
        """Run a line of shell as root, its standard input from here."""
        given = stdin if isinstance(stdin, bytes) or stdin is None else None
        file = stdin if not isinstance(stdin, bytes) and stdin is not None else None
        done = self._ssh([], given, seconds, as_root(command), file)
        self._check(done)
        return done

    def lines(
        self, command: str, stdin: bytes, *, good: Collection[int] = (0,), seconds: float = _SILENT_SECONDS
    ) -> Iterator[str]:
        """The lines that a command says, as they come, each within so many seconds. It is run as root.

        Raises `ProvisioningError` too where the command ends with a code that is not good, whatever it said
        before: with the last that it said of what is wrong.
        """
        with programs.started(self._command([], as_root(command)), None, apart=True) as process:
            errors: list[bytes] = []
            hearing = programs.hearing(process, errors)
            programs.feeding(process, stdin)
            try:
                for line in programs.lines(process, seconds):
                    yield line.decode("utf-8", errors="replace")
                code = process.wait(seconds)
            except (TimeoutError, subprocess.TimeoutExpired) as error:
                raise ProvisioningError(
                    f"{self.target}: has said nothing for {seconds / 60:.0f} minutes: it hangs. Look at it,"
                    " or restart it, and run this again: what was done is done whole"
                ) from error
            except programs.EndlessLineError as error:
                raise ProvisioningError(
                    f"{self.target}: says a line without an end: it is no hub's machine"
                ) from error
            programs.last_words(code, [hearing])
            words = _WARNED.sub("", _words(b"".join(errors)))
        if code not in good:
            self._check(Done(code, "", words))
            raise ProvisioningError(f"{self.target}: {_why_ended(code, _last(words))}")

    def _ssh(
        self,
        options: Sequence[str],
        stdin: bytes | None,
        seconds: float,
        command: str | None = None,
        file: IO[bytes] | None = None,
    ) -> Done:
        connects = "-M" in options
        whole = [*(_BEARS_CTRL_C if connects else ()), *self._command(options, command)]
        try:
            code, output, errors = programs.ended(whole, stdin or b"", file, seconds, apart=not connects)
        except subprocess.TimeoutExpired as error:
            raise ProvisioningError(
                f"{self.target}: did not answer within {seconds:g} s: look after its network, and run this"
                " again"
            ) from error
        except OSError as error:
            raise ProvisioningError(f"ssh cannot be run: {error.strerror}") from error
        return Done(code, output.decode("utf-8", errors="replace"), _WARNED.sub("", _words(errors)))

    def _command(self, options: Sequence[str], command: str | None = None) -> list[str]:
        reach = self._reach
        settings = {
            "BatchMode": "yes",
            "ConnectTimeout": str(reach.connect_seconds),
            "ControlPath": f"{self._directory}/s",
            "ServerAliveInterval": "15",
            "ServerAliveCountMax": "4",
            "LogLevel": "ERROR",
            "ForwardAgent": "no",
            "ForwardX11": "no",
            # Whatever ssh_config has for whoever logs in by hand.
            "RequestTTY": "no",
            "RemoteCommand": "none",
            "ClearAllForwardings": "yes",
        }
        if reach.accept_new_key:
            settings["StrictHostKeyChecking"] = "accept-new"
        words = ["ssh", *options]
        for key, value in settings.items():
            words += ["-o", f"{key}={value}"]
        for option in reach.options:
            words += ["-o", option]
        if reach.port is not None:
            words += ["-p", str(reach.port)]
        if reach.identity is not None:
            words += ["-i", str(reach.identity), "-o", "IdentitiesOnly=yes"]
        return [*words, "--", self._target, *([command] if command is not None else [])]

    def _check(self, done: Done) -> None:
        if done.code < 0:
            raise ProvisioningError(
                f"{self.target}: was cut off from here: what was done is done whole, and the same command"
                " again does the rest"
            )
        if done.code == _LOST:
            raise ProvisioningError(
                f"{self.target}: the connection was lost, or what ran there was killed"
                f" ({_last(done.errors)}): what was done is done whole, and the same command again does the"
                " rest"
            )
        if done.code != 0 and _REFUSED.search(done.errors):
            raise ProvisioningError(self._about_sudo(done.errors))

    def _about_sudo(self, errors: str) -> str:
        if "password is required" in errors or "terminal is required" in errors:
            # Raspberry Pi OS asks for one where it was set up to.
            allow = 'echo "$USER ALL=(ALL) NOPASSWD: ALL" | sudo tee /etc/sudoers.d/010_carehub'
            return (
                f"{self.target}: sudo asks for a password there: let this login do without, by"
                f" ssh -t {self.target} '{allow}', or log in as root"
            )
        return f"{self.target}: {_last(errors)}: log in as root, or as somebody whom sudo lets do everything"

    def _why(self, errors: str) -> str:
        """What ssh said when it could not connect, in words."""
        said, target = errors.strip(), self.target
        for pattern, words in _FAILURES:
            if re.search(pattern, said):
                return f"{target}: {words}"
        return f"{target}: ssh cannot connect: {_last(said)}"


_FAILURES = (
    ("exec: ssh: not found", "ssh is not on this machine: install openssh-client"),
    (
        "Could not resolve hostname",
        "this name is not known here: look at how it is written, or give the machine's address (the home's"
        " router lists it)",
    ),
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "it has another host key than last time: it is another machine, or its card was written anew. If you"
        " know that it was, forget the old key with 'ssh-keygen -R HOST', and run this again; if not, stop",
    ),
    (
        "Host key verification failed",
        "its host key is not known here: log in once by hand and compare it, or give --accept-new-key",
    ),
    (
        "Connection timed out|Operation timed out|No route to host|Network is unreachable|Host is down",
        "it cannot be reached: is it on, on this network, and this its address?",
    ),
    (
        "Connection refused",
        "the machine is there, and no SSH: switch it on (raspi-config, or a file named ssh on the boot"
        " partition), or give its --port",
    ),
    (
        "UNPROTECTED PRIVATE KEY FILE",
        "the private key can be read by others, and ssh refuses it: chmod 600 it",
    ),
    (
        "Permission denied",
        "it takes none of your keys: bring one there with ssh-copy-id, or name the right one with --identity",
    ),
    (
        "Connection closed by|Connection reset by|kex_exchange_identification",
        "it closes the connection at once: too many are logging in, or it does not want this machine",
    ),
)


def _as_ssh_takes_it(target: str) -> str:
    """HOST:PORT and [ADDRESS]:PORT are ssh's own only as a URI."""
    found = _WITH_PORT.fullmatch(target)
    if found is None:
        return target
    user, address, port = found["user"] or "", found["address"], found["port"]
    if not port:
        return f"{user}{address or found['name']}"
    host = f"[{address.replace('%', '%25')}]" if address else found["name"]
    return f"ssh://{user}{host}:{port}"


def as_root(command: str) -> str:
    """A line of shell that runs another one as root; that has in $1 who logged in, and in $2 from where."""
    quoted = shlex.quote(command)
    inner = (
        'export LC_ALL=C; who=$(id -un); if [ "$(id -u)" -eq 0 ]; then'
        f' exec sh -c {quoted} sh "$who" "$SSH_CONNECTION"; else'
        f' exec sudo -n sh -c {quoted} sh "$who" "$SSH_CONNECTION"; fi'
    )
    return f"exec sh -c {shlex.quote(inner)}"


def _why_ended(code: int, last: str) -> str:
    foreseen = last.removeprefix("keeper: ")
    if foreseen != last:
        return foreseen
    return (
        f"the command there ended with {code} before it had done all ({last}): what was done is done whole."
        " Run the same command again; if that ends so too, report it"
    )


def _last(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"


def _words(said: bytes) -> str:
    return plain_lines(said.decode("utf-8", errors="replace"))
